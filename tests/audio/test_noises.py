"""Noise at a ratio that is measured again, and babble of other clips alone."""

import numpy as np
import pytest

from earsight.audio.noises import NoiseSource, babble
from earsight.common.errors import EarsightError

RATE = 8000
VOICES = {f"v{k}": (np.sin(2 * np.pi * (200 + 150 * k) * np.arange(RATE) / RATE) * 0.1 * (k + 1)).astype(np.float32)
          for k in range(4)}


def source(kind: str) -> NoiseSource:
    return NoiseSource(kind, RATE, list(VOICES), VOICES.__getitem__)


@pytest.mark.parametrize("kind", ["babble", "white", "music"])
@pytest.mark.parametrize("snr", [-10, 0, 20])
def test_the_ratio_is_as_asked_for_and_the_noise_always_the_same(kind, snr):
    clip = VOICES["v1"]
    disturbed = source(kind).disturbed(clip, "v1", snr)
    noise = disturbed.astype(np.float64) - clip
    assert 10 * np.log10(np.mean(np.square(clip, dtype=np.float64)) / np.mean(noise**2)) == pytest.approx(snr, abs=0.05)
    assert np.array_equal(disturbed, source(kind).disturbed(clip, "v1", snr))
    assert not np.array_equal(noise, source(kind).disturbed(clip, "v2", snr) - clip)


def test_babble_has_all_voices_but_the_clips_own_equally_loud():
    noise = source("babble").noise(RATE, np.random.default_rng(1), "v2")
    power = np.abs(np.fft.rfft(noise)) ** 2
    levels = [power[200 + 150 * k] for k in range(4)]  # a bin is 1 Hz
    assert levels[2] < 1e-6 * levels[0]
    assert levels[1] == pytest.approx(levels[0], rel=1e-3) and levels[3] == pytest.approx(levels[0], rel=1e-3)


def test_silent_voices_do_not_count():
    rng = np.random.default_rng(1)
    assert not babble([np.zeros(10, np.float32), np.zeros(0, np.float32)], 20, rng).any()


def test_what_cannot_be_is_told():
    with pytest.raises(EarsightError, match="babble, white, music"):
        NoiseSource("rain", RATE)
    with pytest.raises(EarsightError, match="made of other clips"):
        NoiseSource("babble", RATE, ["one"], VOICES.__getitem__)
