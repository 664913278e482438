"""FSDD in the corpus's layout, made on the fly."""

from pathlib import Path

import pytest
from small_corpora import read_all, sound

from earsight.audio.corpora.importers import prepare
from earsight.common.data.cuts import label_of, speaker_of, text_of
from earsight.common.errors import EarsightError


def fsdd(folder: Path) -> Path:
    for digit in (0, 7):
        for speaker in ("ann", "bob", "cat"):
            for take in range(12):
                sound(folder / "recordings" / f"{digit}_{speaker}_{take}.wav", 0.05)
    return folder


def test_fsdd_official_split(tmp_path):
    source = fsdd(tmp_path / "fsdd")
    cuts = read_all(prepare("fsdd", source, tmp_path / "out", progress=False))
    takes = {split: {int(cut.id.split("_")[2]) for cut in found} for split, found in cuts.items()}
    assert takes == {"test": set(range(5)), "dev": set(range(5, 10)), "train": {10, 11}}
    cut = next(cut for cut in cuts["train"] if cut.id == "7_bob_11")
    assert (label_of(cut), text_of(cut), speaker_of(cut)) == ("seven", "seven", "bob")
    assert cut.recording.sources[0].source == str(source / "recordings" / "7_bob_11.wav")


def test_fsdd_one_speaker_held_out(tmp_path):
    source = fsdd(tmp_path / "fsdd")
    cuts = read_all(prepare("fsdd", source, tmp_path / "out", hold_out="bob", progress=False))
    assert {speaker_of(cut) for cut in cuts["test"]} == {"bob"} and len(cuts["test"]) == 24
    assert {speaker_of(cut) for cut in cuts["train"] + cuts["dev"]} == {"ann", "cat"}
    assert len(cuts["dev"]) == 20 and len(cuts["train"]) == 28
    with pytest.raises(EarsightError, match="hold_out is 'dan'; the speakers are ann, bob, cat"):
        prepare("fsdd", source, tmp_path / "out", hold_out="dan", progress=False)
