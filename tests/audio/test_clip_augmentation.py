"""Augmentation of waveforms: each part does what it says, and the same draw the same thing."""

import numpy as np
import pytest

from conftest import tone
from earsight.audio.clip_augmentation import ClipAugmentation, ClipChange, changed, draw_change

RATE = 16000


def energy(clip: np.ndarray, low: float, high: float) -> float:
    spectrum = np.abs(np.fft.rfft(clip)) ** 2
    frequency = np.fft.rfftfreq(len(clip), 1 / RATE)
    return float(spectrum[(frequency >= low) & (frequency < high)].sum())


def test_nothing_drawn_changes_nothing():
    clip = tone(440.0)
    assert draw_change(ClipAugmentation(), np.random.default_rng(0)) == ClipChange(
        direct=pytest.approx(draw_change(ClipAugmentation(), np.random.default_rng(0)).direct),
        seed=draw_change(ClipAugmentation(), np.random.default_rng(0)).seed)
    np.testing.assert_array_equal(changed(clip, RATE, ClipChange()), clip)


def test_shares_and_ranges():
    settings = ClipAugmentation(speed=0.1, warp=0.2, reverberation=0.5, noise=1.0, snr=(3, 4), low_pass=0.0, gain=6)
    drawn = [draw_change(settings, np.random.default_rng(seed)) for seed in range(200)]
    assert all(0.9 <= one.speed <= 1.1 and 0.8 <= one.warp <= 1.2 and -6 <= one.gain <= 6 for one in drawn)
    assert all(one.snr is not None and 3 <= one.snr <= 4 and one.passed is None for one in drawn)
    assert 60 < sum(one.decay is not None for one in drawn) < 140


def test_a_warp_moves_the_spectrum_and_keeps_the_time():
    clip = tone(1000.0, 1.0)
    higher = changed(clip, RATE, ClipChange(warp=1.2))
    assert len(higher) == pytest.approx(len(clip), abs=2)
    peak = np.fft.rfftfreq(len(higher), 1 / RATE)[np.abs(np.fft.rfft(higher)).argmax()]
    assert peak == pytest.approx(1200, abs=15)


def test_a_low_pass_keeps_what_is_below():
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    passed = changed(noise, RATE, ClipChange(passed=3000.0))
    assert energy(passed, 0, 2900) == pytest.approx(energy(noise, 0, 2900), rel=1e-3)
    assert energy(passed, 6000, 8000) < 1e-5 * energy(noise, 6000, 8000)


def test_a_room_rings_on_at_the_same_level():
    clip = np.concatenate([tone(500.0, 0.3), np.zeros(RATE // 2, np.float32)])
    wet = changed(clip, RATE, ClipChange(decay=0.5, direct=0.0, seed=3))
    assert len(wet) == len(clip) and np.mean(wet**2) == pytest.approx(np.mean(clip**2), rel=1e-3)
    after = wet[round(0.35 * RATE):]
    assert np.mean(after[:800] ** 2) > 30 * np.mean(after[-800:] ** 2) > 0


def test_noise_comes_at_its_ratio_recorded_or_not():
    clip = tone(500.0, 1.0)
    for recorded in (None, tone(3000.0, 0.2, seed=2)):
        noisy = changed(clip, RATE, ClipChange(snr=10.0, seed=1), recorded)
        ratio = np.mean(clip**2) / np.mean((noisy - clip) ** 2)
        assert 10 * np.log10(ratio) == pytest.approx(10, abs=0.1)
        np.testing.assert_array_equal(noisy, changed(clip, RATE, ClipChange(snr=10.0, seed=1), recorded))
