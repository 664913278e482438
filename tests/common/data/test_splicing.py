"""Clips that go on as others: what is said is what is shown."""

import numpy as np
import pytest

from earsight.common.data.cuts import frames_cut, words_of
from earsight.common.data.splicing import Splicer
from earsight.common.errors import EarsightError

SENTENCES = {"a": "bin blue at f two now", "b": "lay red by g six please", "c": "set white in q"}
WORD = 0.3  # seconds


def clip(tmp_path, name, text, speaker="s1", timed=True):
    words = [[word, 1 + k * WORD, 1 + (k + 1) * WORD - 0.1] for k, word in enumerate(text.split())]
    np.save(tmp_path / f"{name}.npy", np.zeros((75, 1), np.float32))
    return frames_cut(name, tmp_path / f"{name}.npy", shape=(75, 1), frame_shift=0.04, text=text, speaker=speaker,
                      supervision_custom={"words": words} if timed else None)


@pytest.fixture
def clips(tmp_path):
    return [clip(tmp_path, name, text) for name, text in SENTENCES.items()]


@pytest.mark.parametrize("seed", range(20))
def test_the_text_is_that_of_the_pieces(clips, seed):
    pieces, said = Splicer(clips, 0.5)(clips[0], np.random.default_rng(seed))
    within = []
    for cut, start, end in pieces:
        within += [word.text for word in words_of(cut) if start <= word.start and word.end <= (end or 3)]
        assert all(word.end <= start or word.start >= start for word in words_of(cut)), "a word is cut"
    assert " ".join(within) == said
    assert pieces[0].cut is clips[0] and pieces[0].start == 0 and pieces[-1].end is None
    places = [{sentence.split()[k] for sentence in SENTENCES.values() if k < len(sentence.split())} for k in range(6)]
    assert all(word in place for word, place in zip(said.split(), places, strict=False))


def test_sentences_are_new_and_none_without_a_share(clips):
    splicer = Splicer(clips, 0.5)
    said = {splicer(clips[0], np.random.default_rng(seed))[1] for seed in range(40)}
    assert len(said) > 10
    assert Splicer(clips, 0.0)(clips[0], np.random.default_rng(1)) == ([(clips[0], 0.0, None)], None)


@pytest.mark.parametrize("share, wrong", [(-0.1, "from 0 to 1"), (30, "from 0 to 1"), (0.3, "tell when words")])
def test_what_cannot_be_spliced_is_told(tmp_path, share, wrong):
    with pytest.raises(EarsightError, match=wrong):
        Splicer([clip(tmp_path, name, text, timed=False) for name, text in SENTENCES.items()], share)


@pytest.mark.parametrize("words", [5, "five", [["one", 1]], [["one", "soon", 2]], None])
def test_a_field_that_means_something_else_tells_no_times(tmp_path, words):
    cut = clip(tmp_path, "a", "one two")
    cut.supervisions[0].custom["words"] = words
    assert words_of(cut) == []


@pytest.mark.parametrize("odd", [{"speaker": "s2"}, {"timed": False}, {"text": "one"}, {"speaker": None}])
def test_clips_of_which_there_are_no_others_stay_as_they_are(clips, tmp_path, odd):
    alone = clip(tmp_path, "odd", **{"text": "bin blue at f", **odd})
    assert Splicer([*clips, alone], 1.0)(alone, np.random.default_rng(1)) == ([(alone, 0.0, None)], None)
