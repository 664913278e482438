from dataclasses import asdict, replace

import numpy as np
import pytest

from earsight.common.ctc import PathWord, Token
from earsight.common.inference.word_times import (
    FAR,
    PHONE,
    Timing,
    _percentiles,
    gathered,
    middle_of_first_window,
    quiet_frames,
    timed_words,
)
from earsight.common.model_folder import ModelConfig, read_config

TIMING = Timing(shift=0.03, stride=3, first=0.0, start=-0.05, end=0.03, loudness=True)


def word(text: str, *places: tuple[int, int]) -> PathWord:
    return PathWord(text, tuple(Token(1 + k, first, end) for k, (first, end) in enumerate(places)))


def frames(loud: tuple[int, int], count: int = 100) -> np.ndarray:
    """(3 * count, 2) whose first feature is high from output frame loud[0] to loud[1]."""
    values = np.zeros((3 * count, 2), np.float32)
    values[3 * loud[0]:3 * loud[1], 0] = 5.0
    return values


def times(words, sound=None, timing=TIMING, duration=3.0):
    sound = frames((0, 100)) if sound is None else sound
    timed = timed_words(words, [0.5] * len(words), sound, timing, duration)
    return [(round(one.start, 3), round(one.end, 3)) for one in timed]


def test_words_begin_and_end_where_their_labels_do_and_what_is_added():
    assert times([word("a", (10, 11), (14, 15)), word("b", (30, 32))]) == [(0.25, 0.48), (0.85, 0.99)]


def test_a_word_ends_where_the_next_begins_at_the_latest():
    assert times([word("a", (10, 12)), word("b", (13, 14))]) == [(0.25, 0.34), (0.34, 0.45)]


def test_times_stay_in_the_clip():
    words = [word("a", (0, 1)), word("b", (99, 100))]
    assert times(words, duration=2.98) == [(0.0, 0.06), (2.92, 2.98)]
    late = replace(TIMING, start=0.5, end=0.6)
    assert times(words, timing=late, duration=2.98) == [(0.5, 0.63), (2.98, 2.98)]


def test_times_of_any_path_rise():
    rng = np.random.default_rng(1)
    for _ in range(200):
        cuts = np.sort(rng.choice(np.arange(1, 100), 2 * int(rng.integers(1, 15)), replace=False)).tolist()
        tokens = [Token(1, a, b) for a, b in zip(cuts[::2], cuts[1::2])]
        words = []
        while tokens:
            count = int(rng.integers(1, len(tokens) + 1))
            words.append(PathWord("w", tuple(tokens[:count])))
            tokens = tokens[count:]
        timing = replace(TIMING, start=rng.normal(0, 0.3), end=rng.normal(0, 0.3))
        sound = rng.normal(size=(300, 2)).astype(np.float32)
        edges = np.array([(w.start, w.end) for w in timed_words(words, [1.0] * len(words), sound, timing, 2.9)]).ravel()
        assert edges.min() >= 0 and edges.max() <= 2.9 and (np.diff(edges) >= 0).all()


def test_a_label_at_the_edge_comes_back_to_where_its_sound_begins():
    early = word("bin", (0, 1), (22, 23), (24, 25))
    assert gathered([early], frames((18, 80)), TIMING)[0].tokens[0] == Token(1, 18, 22)
    # No further than FAR; not at all where there is sound all the time, or labels are close.
    assert gathered([early], frames((10, 80)), TIMING)[0].tokens[0] == Token(1, 22 - round(FAR / 0.03), 22)
    assert gathered([early], frames((0, 21)), TIMING) == [early]
    near = word("bin", (16, 17), (22, 23), (24, 25))
    assert gathered([near], frames((18, 80)), TIMING) == [near]


def test_a_label_at_the_end_comes_back_to_where_its_sound_ends():
    late = word("please", (50, 52), (52, 53), (98, 100))
    assert gathered([late], frames((30, 57)), TIMING)[0].tokens == (*late.tokens[:2], Token(3, 53, 57))


def test_where_loudness_is_not_known_a_label_gets_the_length_of_a_phone():
    blind = replace(TIMING, loudness=False)
    early = word("bin", (0, 1), (22, 23), (24, 25))
    assert quiet_frames(frames((18, 80)), blind) is None
    assert gathered([early], frames((18, 80)), blind)[0].tokens[0] == Token(1, 22 - round(PHONE / 0.03), 22)


def test_several_labels_come_back_in_their_order():
    early = word("abcdef", (0, 1), (1, 2), (40, 41), (41, 42), (42, 43), (44, 45))
    tokens = gathered([early], frames((36, 80)), TIMING)[0].tokens
    assert tokens[:2] == (Token(1, 36, 38), Token(2, 38, 40)) and tokens[2:] == early.tokens[2:]


def test_a_word_in_silence_at_an_edge_is_put_where_the_sound_is():
    sound = frames((20, 27)) + frames((50, 58)) + frames((60, 61))
    first, last = word("a", (0, 1), (1, 2)), word("b", (97, 98), (99, 100))
    found = gathered([first, last], sound, TIMING)
    assert [token.first for token in found[0].tokens] == [50, 55] and found[0].tokens[-1].end == 61
    assert found[1] == last  # no sound is left for it
    alone = gathered([word("a", (0, 1))], sound, TIMING)[0].tokens
    assert alone == (Token(1, 50, 61),)
    # Nothing to go by: silence all over, a word in its sound, a frontend that does not tell.
    assert gathered([first], np.zeros((300, 2), np.float32), TIMING) == [first]
    spoken = word("a", (22, 23))
    assert gathered([spoken], sound, TIMING) == [spoken]
    assert gathered([first], sound, replace(TIMING, loudness=False)) == [first]


def test_quiet_frames_are_those_without_a_loud_one():
    sound = frames((18, 30))
    sound[91, 0] = 5.0  # one frame of output frame 30
    assert np.flatnonzero(~quiet_frames(sound, TIMING)).tolist() == list(range(18, 31))
    assert len(quiet_frames(sound[:-2], TIMING)) == 100


def test_percentiles_are_numpys():
    rng = np.random.default_rng(1)
    for kind in (np.float32, np.float64):
        for count in (1, 2, 3, 10, 11, 75, 300):
            for _ in range(20):
                levels = (30 * rng.standard_normal(count)).astype(kind)
                shares = (0, 10, 50, 95, 100)
                assert _percentiles(levels, shares) == np.percentile(levels, shares).tolist()


def test_the_first_window_is_where_the_frontend_puts_it():
    frontend = pytest.importorskip("earsight.audio.frontends.mfcc_settings")
    for edges in frontend.CHOICES["edges"]:
        settings = frontend.preset("an4", edges=edges, window_length=400)
        middle = (settings.first_sample + settings.window_length / 2) / settings.sample_rate
        assert middle_of_first_window(asdict(settings)) == pytest.approx(middle)


def test_timing_of_a_model_folder(tone_models):
    config = read_config(tone_models["ctc"])
    timing = Timing.of(config)
    assert (timing.shift, timing.stride, timing.loudness) == (0.02, 2, True)
    assert timing.first == pytest.approx(205 / 16000 - 0.005)
    assert Timing.of(replace(config, times={"start": 0.01, "end": 0.02})).start == 0.01
    stored = ModelConfig("frames", "ctc", {}, 13, 0.01, 4, 0)
    assert (Timing.of(stored).first, Timing.of(stored).shift, Timing.of(stored).loudness) == (0.0, 0.04, False)
