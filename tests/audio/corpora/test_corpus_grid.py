"""GRID in the corpus's layout, made on the fly, and two real clips where they are there."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_corpora import ids, read_all, sound

from earsight.audio.corpora.importers import prepare
from earsight.common.data.cuts import speaker_of, text_of
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError


def grid(folder: Path, talkers=("s1", "s3"), clips: int = 20, suffix: str = ".wav") -> Path:
    for talker in talkers:
        for i in range(clips):
            sound(folder / "audio" / talker / f"bb{i:02}{suffix}", 0.5, rate=25000)
            align = folder / "align" / talker / f"bb{i:02}.align"
            align.parent.mkdir(parents=True, exist_ok=True)
            align.write_text("0 2500 sil\n2500 5000 bin\n5000 5500 sp\n5500 10000 blue\n10000 12500 sil")
    return folder


def test_grid_sound_words_and_times(tmp_path):
    source = grid(tmp_path / "grid")
    cuts = read_all(prepare("grid", source, tmp_path / "out", progress=False))
    assert {split: len(found) for split, found in cuts.items()} == {"train": 32, "dev": 4, "test": 4}
    cut = cuts["test"][0]
    assert (cut.id, speaker_of(cut), text_of(cut)) == ("s1-bb00", "s1", "bin blue")
    assert cut.supervisions[0].custom["words"] == [["bin", 0.1, 0.2], ["blue", 0.22, 0.4]]
    info = soundfile.info(cut.recording.sources[0].source)
    assert (info.samplerate, info.subtype, info.frames) == (16000, "PCM_16", 8000)
    assert ids(cuts["dev"]) == {f"{talker}-bb{i:02}" for talker in ("s1", "s3") for i in (5, 15)}


def test_grid_unseen_talkers(tmp_path):
    source = grid(tmp_path / "grid", ("s1", "s3", "s11"), clips=10)
    paths = prepare("grid", source, tmp_path / "out", split="unseen", unseen="s3, s11", progress=False)
    cuts = read_all(paths)
    assert {speaker_of(cut) for cut in cuts["test"]} == {"s3", "s11"}
    assert {speaker_of(cut) for cut in cuts["train"] + cuts["dev"]} == {"s1"}
    assert sum(map(len, cuts.values())) == 30
    with pytest.raises(EarsightError, match="option unseen names s9"):
        prepare("grid", source, tmp_path / "out", split="unseen", unseen=["s9"], progress=False)


def test_grid_follows_lists_and_names_what_is_missing(tmp_path):
    source = grid(tmp_path / "grid", clips=4)
    (source / "splits").mkdir()
    (source / "splits" / "train.txt").write_text("bb00\ns1/bb01\n")  # both talkers', and one's
    (source / "splits" / "test.txt").write_text("s3/bb01\nbb77\nbb02\n")
    (source / "align" / "s3" / "bb02.align").unlink()
    stale = tmp_path / "out" / "dev.jsonl.gz"
    stale.parent.mkdir()
    stale.write_bytes(b"of an earlier run")
    with pytest.raises(EarsightError, match=r"2 of 7 clips left out \(bb77: .*; s3/bb02: no bb02.align"):
        prepare("grid", source, tmp_path / "out", progress=False)
    assert ids(read_manifest(tmp_path / "out" / "train.jsonl.gz")) == {"s1-bb00", "s3-bb00", "s1-bb01"}
    assert ids(read_manifest(tmp_path / "out" / "test.jsonl.gz")) == {"s3-bb01", "s1-bb02"}
    assert not stale.exists()
    (source / "splits" / "dev.txt").write_text("s1/bb01\n")
    with pytest.raises(EarsightError, match="dev.txt: s1/bb01 is in train too"):
        prepare("grid", source, tmp_path / "out", progress=False)


def test_grid_broken_clips_are_left_out_by_name(tmp_path):
    source = grid(tmp_path / "grid", ("s1",), clips=10)
    (source / "audio" / "s1" / "bb03.wav").write_text("no sound at all")
    (source / "align" / "s1" / "bb04.align").write_text("0 x sil\n")
    with pytest.raises(EarsightError, match="2 of 10 clips left out .s1/bb03: .*s1/bb04: .*align, line 1"):
        prepare("grid", source, tmp_path / "out", progress=False)
    written = [cut for split in ("train", "dev", "test")
               for cut in read_manifest(tmp_path / "out" / f"{split}.jsonl.gz")]  # fmt: skip
    assert len(written) == 8


def test_grid_takes_the_sound_of_videos(shared_data, tmp_path):
    source = tmp_path / "grid"
    for name in ("bbaf2n", "bbaf3s"):
        for kind, suffix in (("s1", ".mp4"), ("align/s1", ".align")):
            (source / kind).mkdir(parents=True, exist_ok=True)
            (source / kind / f"{name}{suffix}").symlink_to(shared_data / "grid" / kind / f"{name}{suffix}")
    cuts = read_all(prepare("grid", source, tmp_path / "out", progress=False))
    (cut,) = cuts["train"]
    assert text_of(cut) == "bin blue at f three soon"
    assert cut.custom["video"].endswith("bbaf3s.mp4") and Path(cut.custom["video"]).exists()
    assert cut.duration == pytest.approx(3.0, abs=0.05)  # 75 frames, 25 a second
    start, end = cut.supervisions[0].custom["words"][0][1:]
    samples = cut.load_audio()[0]
    loud = np.abs(samples[round(start * 16000) : round(end * 16000)]).mean()
    assert loud > 3 * np.abs(samples[: round(start * 16000) // 2]).mean()  # the words are where it says
