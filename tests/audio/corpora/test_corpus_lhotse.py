"""LibriSpeech and another of lhotse's recipes, on corpora made on the fly."""

from pathlib import Path

import pytest
from small_corpora import ids, read_all, sound

from earsight.audio.corpora.importers import prepare
from earsight.common.data.cuts import speaker_of, text_of
from earsight.common.errors import EarsightError


def librispeech(folder: Path) -> Path:
    """Two utterances a part, each part's by one speaker: 1 to 5."""
    parts = ("train-clean-100", "train-other-500", "dev-clean", "test-clean", "test-other")
    for speaker, part in enumerate(parts, start=1):
        chapter = folder / part / f"{speaker}" / "198"
        names = [f"{speaker}-198-000{i}" for i in range(2)]
        for name in names:
            sound(chapter / f"{name}.flac", 0.5, rate=16000)
        (chapter / f"{speaker}-198.trans.txt").write_text(f"{names[0]} HELLO THERE\n{names[1]} AGAIN\n")
    return folder


def test_librispeech(tmp_path):
    source = librispeech(tmp_path / "LibriSpeech")
    cuts = read_all(prepare("librispeech", source, tmp_path / "out", progress=False))
    assert {split: len(found) for split, found in cuts.items()} == {
        "train": 4, "dev": 2, "test": 4,
        "train-clean-100": 2, "train-other-500": 2, "test-clean": 2, "test-other": 2,
    }  # fmt: skip
    cut = next(cut for cut in cuts["dev"] if cut.id == "3-198-0000")
    assert (text_of(cut), speaker_of(cut), cut.duration) == ("hello there", "3", 0.5)
    assert cut.load_audio().shape == (1, 8000)
    some = read_all(
        prepare("librispeech", source, tmp_path / "some", parts="train-clean-100,test-other", progress=False))
    assert {split: ids(found) for split, found in some.items()} == {
        "train": {"1-198-0000", "1-198-0001"}, "test": {"5-198-0000", "5-198-0001"},
    }  # fmt: skip
    with pytest.raises(EarsightError, match="train-clean-360: no such part"):
        prepare("librispeech", source, tmp_path / "out", parts="train-clean-360", progress=False)


def test_another_recipe_of_lhotse(tmp_path):
    for i in range(60):
        sound(tmp_path / "yesno" / f"{'_'.join(f'{i:08b}')}.wav", 0.1)
    cuts = read_all(prepare("lhotse:yesno", tmp_path / "yesno", tmp_path / "out", progress=False))
    assert {split: len(found) for split, found in cuts.items()} == {"train": 30, "test": 30}
    found = {cut.id: text_of(cut) for split in cuts.values() for cut in split}
    assert found["0_0_0_0_0_0_1_1"] == "no no no no no no yes yes"
    (tmp_path / "yesno" / "0_0_0_0_0_0_1_1.wav").unlink()
    with pytest.raises(EarsightError, match="lhotse's prepare_yesno cannot read it"):
        prepare("lhotse:yesno", tmp_path / "yesno", tmp_path / "out", progress=False)
    with pytest.raises(EarsightError, match="lhotse:yesno has no option 'casse'; did you mean case"):
        prepare("lhotse:yesno", tmp_path / "yesno", tmp_path / "out", casse="upper")
    with pytest.raises(EarsightError, match="lhotse:broadcast_news needs the option transcripts_dir"):
        prepare("lhotse:broadcast_news", tmp_path / "yesno", tmp_path / "out")
