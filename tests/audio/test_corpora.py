"""Importers, on small corpora laid out as the real ones, and on the real ones where they are there."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio.corpora import divide, prepare
from common.errors import EarsightError
from common.manifest import group_of, label_of, read_manifest, recording_cut, speaker_of, text_of

RNG = np.random.default_rng(0)


def sound(path: Path, seconds: float = 0.2, rate: int = 8000, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, RNG.uniform(-0.5, 0.5, int(seconds * rate)), rate, **options)
    return path


def read_all(paths) -> dict[str, list]:
    return {split: list(read_manifest(path)) for split, path in paths.items()}


def ids(cuts) -> set[str]:
    return {cut.id for cut in cuts}


# AN4


def an4(folder: Path, training: int = 102) -> Path:
    """Two speakers, `training` utterances and two test ones, each of 20 frames, in the corpus's layout."""
    speakers = [("bob", "amy")[i % 2] for i in range(training)]
    listed = {
        "train": [f"an4_clstk/{speaker}/an{i}-{speaker}-b" for i, speaker in enumerate(speakers)],
        "test": ["an4test_clstk/zed/an1-zed-b", "an4test_clstk/zed/an2-zed-b"],
    }
    (folder / "etc").mkdir(parents=True)
    for part, files in listed.items():
        stems = [file.split("/")[-1] for file in files]
        (folder / "etc" / f"an4_{part}.fileids").write_text("\n".join(files) + "\n")
        lines = [f"<s> GO A </s> ({stem})" if part == "train" else f"GO A ({stem})" for stem in stems]
        (folder / "etc" / f"an4_{part}.transcription").write_text("\n".join(lines) + "\n")
        for file in files:
            path = folder / "feat" / f"{file}.mfc"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(struct.pack(">i", 260) + np.arange(260, dtype=">f4").tobytes())
    (folder / "etc" / "an4.dic").write_text("A   AH\nA(2)   EY\nGO  G OW\n")
    return folder


def test_an4_features(tmp_path):
    paths = prepare("an4", an4(tmp_path / "an4"), tmp_path / "out", progress=False)
    cuts = read_all(paths)
    assert {split: len(found) for split, found in cuts.items()} == {"train": 2, "dev": 100, "test": 2}
    # sorted by speaker-utterance, amy's 51 and bob's first 49 are dev
    assert ids(cuts["train"]) == {f"bob-an{i}-bob-b" for i in (96, 98)}
    cut = cuts["test"][0]
    assert (cut.id, speaker_of(cut), text_of(cut), cut.duration) == ("zed-an1-zed-b", "zed", "go a", 0.2)
    assert text_of(cuts["dev"][0]) == "go a"  # the sentence marks are gone
    np.testing.assert_array_equal(cut.load_frames(), np.arange(260, dtype=np.float32).reshape(20, 13))
    assert (tmp_path / "out" / "lexicon.txt").read_text() == "a EY\ngo G OW\na AH\n"


def test_an4_keeps_the_case_that_is_asked_for(tmp_path):
    source = an4(tmp_path / "an4")
    cuts = read_all(prepare("an4", source, tmp_path / "out", case="keep", progress=False))
    assert text_of(cuts["test"][0]) == "GO A"
    assert (tmp_path / "out" / "lexicon.txt").read_text() == "A EY\nGO G OW\nA AH\n"
    with pytest.raises(EarsightError, match="option case is 'Title'"):
        prepare("an4", source, tmp_path / "out", case="Title")


def test_an4_waveforms_in_each_form(tmp_path):
    source = an4(tmp_path / "an4")
    sound(source / "wav" / "an1-zed-b.wav", rate=16000)
    sound(source / "wav/an4_clstk/bob/an0-bob-b.sph", rate=16000, format="NIST")
    tone = (8000 * np.sin(np.arange(1600) / 20)).astype(np.int16)
    for name, order in (("an2-bob-b", "<i2"), ("an4-bob-b", ">i2")):
        (source / "wav/an4_clstk/bob" / f"{name}.raw").write_bytes(tone.astype(order).tobytes())
    with pytest.warns(UserWarning, match="100 of 104 utterances have no waveform"):
        paths = prepare("an4", source, tmp_path / "out", source_kind="waveforms", progress=False)
    cuts = read_all(paths)
    assert ids(cuts["test"]) == {"zed-an1-zed-b"}
    by_id = {cut.id: cut for cut in cuts["dev"]}
    for name in ("an2-bob-b", "an4-bob-b"):
        np.testing.assert_array_equal(by_id[f"bob-{name}"].load_audio()[0] * 32768, tone)
    assert by_id["bob-an0-bob-b"].num_samples == 3200


def test_an4_broken_frames_are_named_and_the_others_written(tmp_path):
    source = an4(tmp_path / "an4")
    broken = source / "feat/an4test_clstk/zed/an1-zed-b.mfc"
    broken.write_bytes(broken.read_bytes()[:-4])  # one float less than announced
    with pytest.raises(EarsightError, match="1 of 104 clips left out .zed-an1-zed-b: .*an1-zed-b.mfc"):
        prepare("an4", source, tmp_path / "out", progress=False)
    assert ids(read_manifest(tmp_path / "out" / "test.jsonl.gz")) == {"zed-an2-zed-b"}


def test_an4_transcripts_must_belong_to_their_files(tmp_path):
    path = an4(tmp_path / "an4") / "etc" / "an4_test.transcription"
    path.write_text("GO (an2-zed-b)\nGO (an1-zed-b)\n")
    with pytest.raises(EarsightError, match="an4_test.transcription, line 1"):
        prepare("an4", tmp_path / "an4", tmp_path / "out", progress=False)
    path.write_text("GO (an2-zed-b)\n")
    with pytest.raises(EarsightError, match="1 lines for 2 utterances"):
        prepare("an4", tmp_path / "an4", tmp_path / "out", progress=False)


def test_an4_as_published(shared_data, tmp_path):
    cuts = read_all(prepare("an4", shared_data / "an4", tmp_path, progress=False))
    assert {split: len(found) for split, found in cuts.items()} == {"train": 848, "dev": 100, "test": 130}
    assert sum(len(text_of(cut).split()) for cut in cuts["test"]) == 773
    words = {line.split()[0] for line in (tmp_path / "lexicon.txt").read_text().splitlines()}
    assert {word for found in cuts.values() for cut in found for word in text_of(cut).split()} <= words


# GRID


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


# FSDD


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


# lhotse's recipes


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
    with pytest.raises(EarsightError, match="needs the option transcripts_dir"):
        prepare("lhotse:broadcast_news", tmp_path / "yesno", tmp_path / "out")


# Tables and folders of one's own


def test_a_table_with_splits(tmp_path):
    for name in "abc":
        sound(tmp_path / f"{name}.wav")
    path = tmp_path / "t.csv"
    path.write_text("path,text,split,group\na.wav,Hi A,train,1\nb.wav,B,valid,2\nc.wav,C,TEST,3\n")
    cuts = read_all(prepare("csv", path, tmp_path / "out", progress=False))
    assert {split: [text_of(cut) for cut in found] for split, found in cuts.items()} == {
        "train": ["hi a"], "dev": ["b"], "test": ["c"],
    }  # fmt: skip
    path.write_text("path,text,split,group\na.wav,A,train,1\nb.wav,B,test,1\n")
    with pytest.raises(EarsightError, match=r"group 1 is in train \(a\) and in test \(b\)"):
        prepare("csv", path, tmp_path / "out", progress=False)
    path.write_text("path,text,split\na.wav,A,train\nb.wav,B,tst\n")
    with pytest.raises(EarsightError, match="clip b has the split 'tst'"):
        prepare("csv", path, tmp_path / "out", progress=False)


def test_a_table_names_its_broken_clips_and_goes_on(tmp_path):
    sound(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_text("no sound")
    (tmp_path / "t.csv").write_text("path,text,split\na.wav,a,train\nb.wav,b,train\ngone.wav,c,train\n")
    with pytest.raises(EarsightError, match="2 of 3 clips left out .b: .*line 3.*; gone: .*line 4"):
        prepare("csv", tmp_path / "t.csv", tmp_path / "out", progress=False)
    assert ids(read_manifest(tmp_path / "out" / "train.jsonl.gz")) == {"a"}


def test_a_table_may_name_frames_of_an4s_kind(tmp_path):
    (tmp_path / "a.mfc").write_bytes(struct.pack(">i", 26) + np.arange(26, dtype=">f4").tobytes())
    (tmp_path / "t.csv").write_text("path,text,split,start,duration,frame_shift\na.mfc,a,train,0.5,0.5,0.5\n")
    cuts = read_all(prepare("csv", tmp_path / "t.csv", tmp_path / "out", progress=False))
    np.testing.assert_array_equal(cuts["train"][0].load_frames(), [np.arange(13, 26)])
    assert cuts["train"][0].duration == 0.5


def test_sound_that_soundfile_cannot_read_is_converted(tmp_path):
    import av

    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000)).astype(np.float32)
    with av.open(str(tmp_path / "a.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate = 16000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    rows = "a.m4a,whole,train,,\na.m4a,part,dev,0.5,0.25\n"
    (tmp_path / "t.csv").write_text("path,text,split,start,duration\n" + rows)
    cuts = read_all(prepare("csv", tmp_path / "t.csv", tmp_path / "out", progress=False))
    (whole,), (part,) = cuts["train"], cuts["dev"]
    assert Path(whole.recording.sources[0].source).suffix == ".flac"
    assert whole.duration == pytest.approx(2.0, abs=0.15) and part.num_samples == 4000
    assert text_of(part) == "part" and part.supervisions[0].duration == 0.25
    for cut in (whole, part):
        spectrum = np.abs(np.fft.rfft(cut.load_audio()[0][:4000]))
        assert np.argmax(spectrum) * 16000 / 4000 == 440


def test_a_folder_is_divided_by_clips(tmp_path):
    for label in ("no", "yes"):
        for i in range(10):
            sound(tmp_path / "words" / label / f"{label}{i}.wav")
    cuts = read_all(prepare("folder", tmp_path / "words", tmp_path / "out", progress=False, test_share="0.2"))
    assert {split: len(found) for split, found in cuts.items()} == {"train": 14, "dev": 2, "test": 4}
    assert {label_of(cut) for found in cuts.values() for cut in found} == {"no", "yes"}
    again = read_all(prepare("folder", tmp_path / "words", tmp_path / "two", progress=False, test_share=0.2))
    assert {split: ids(found) for split, found in again.items()} == {
        split: ids(found) for split, found in cuts.items()
    }


def test_dividing_never_splits_a_group_or_a_speaker(tmp_path):
    path = sound(tmp_path / "a.wav", 1.0)
    cuts = [
        recording_cut(f"c{i}", path, sample_rate=8000, num_samples=8000, text="a", speaker=f"s{i % 7}",
                      group=f"g{i % 5}" if with_groups else None)
        for with_groups in (False, True) for i in range(70)
    ]  # fmt: skip
    for part, key, by in (
        (cuts[:70], speaker_of, "auto"), (cuts[70:], group_of, "auto"), (cuts[70:], speaker_of, "speaker")
    ):  # fmt: skip
        for seed in range(5):
            chosen = divide(part, {"test": 0.2, "dev": 0.1}, by=by, seed=seed)
            assert set(chosen.values()) == {"train", "dev", "test"}
            for unit in set(map(key, part)):
                assert len({chosen[cut.id] for cut in part if key(cut) == unit}) == 1
    two = [cut for cut in cuts[:70] if speaker_of(cut) in ("s0", "s1")]
    with pytest.raises(EarsightError, match="cannot be divided into 3 splits"):
        divide(two, {"test": 0.2, "dev": 0.1})
    with pytest.raises(EarsightError, match="clip c0 has no group"):
        divide(two, {"test": 0.2}, by="group")


# Mistakes


def test_unknown_names(tmp_path):
    for name, message in [
        ("gird", "unknown corpus 'gird'; did you mean grid"),
        ("aishel", "did you mean lhotse:aishell"),
        ("lhotse:yesnoo", "did you mean lhotse:yesno"),
        ("qqqqqq", "known: an4, grid, fsdd, librispeech, csv, folder, lhotse:NAME"),
    ]:
        with pytest.raises(EarsightError, match=message):
            prepare(name, tmp_path, tmp_path / "out")
    with pytest.raises(EarsightError, match="fsdd has no option 'holdout'; did you mean hold_out"):
        prepare("fsdd", tmp_path, tmp_path / "out", holdout="x")
    with pytest.raises(EarsightError, match="gone: not there"):
        prepare("fsdd", tmp_path / "gone", tmp_path / "out")
    with pytest.raises(EarsightError, match="no usable clip of fsdd found"):
        prepare("fsdd", tmp_path, tmp_path / "out")
    with pytest.raises(EarsightError, match="an4_train.fileids: No such file"):
        prepare("an4", tmp_path, tmp_path / "out")
    with pytest.raises(EarsightError, match="option dev_share is 'x'; it is a number"):
        prepare("folder", tmp_path, tmp_path / "out", dev_share="x")
    assert not (tmp_path / "out").exists()
