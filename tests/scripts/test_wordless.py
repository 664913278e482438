"""Short sounds in which nothing is said, to train on."""

import sys

import pytest
import wordless

from conftest import tone, write_wav
from earsight.common.data.cuts import recording_cut, text_of
from earsight.common.data.manifest import read_manifest, write_manifest


@pytest.fixture
def spoken(tmp_path):
    path = write_wav(tmp_path / "one.wav", tone(440, 0.5, 8000), 8000)
    cut = recording_cut("one", path, sample_rate=8000, num_samples=4000, text="one", speaker="a")
    return write_manifest([cut], tmp_path / "spoken.jsonl.gz")


def made(folder, spoken, seed, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["wordless.py", str(folder), str(spoken), "--clips", "24", "--seed", str(seed)])
    wordless.main()
    return list(read_manifest(folder / "train.jsonl.gz"))


def test_they_are_short_and_have_no_text(tmp_path, spoken, monkeypatch):
    cuts = made(tmp_path / "made", spoken, 1, monkeypatch)
    assert len(cuts) == 24 and not any(text_of(cut) for cut in cuts)
    beginnings, bursts = cuts[:12], cuts[12:]
    assert all(0.02 <= cut.duration <= 0.101 for cut in beginnings)
    assert all(0.03 <= cut.duration <= 6 and abs(cut.load_audio()).max() > 0 for cut in bursts)


def test_a_seed_settles_them(tmp_path, spoken, monkeypatch):
    one, again, other = (made(tmp_path / name, spoken, seed, monkeypatch)
                         for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    lengths = [[cut.num_samples for cut in cuts] for cuts in (one, again, other)]
    assert lengths[0] == lengths[1] != lengths[2]
    assert all((first.load_audio() == second.load_audio()).all() for first, second in zip(one, again))
