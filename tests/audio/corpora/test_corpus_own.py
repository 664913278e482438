"""Tables and folders of one's own, and their division into splits."""

import struct
from pathlib import Path

import numpy as np
import pytest
from small_corpora import ids, read_all, sound

from earsight.audio.corpora.importers import prepare
from earsight.common.data.cuts import label_of, text_of
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError


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


@pytest.mark.parametrize("path, reason", [
    ("wav/missing.wav", "line 2: .*wav/missing.wav, which is not there; correct the path"),
    (r"my clips\a.wav", r"line 2: my clips\\a.wav: no such file or folder; folders are parted by /"),
    ("https://example.com/a.wav", "line 2: https://example.com/a.wav: an address, .*; download it"),
    ("-", "line 2: -: standard input is not read"),
    ("folder", "line 2: .*folder, which is a folder; name a file"),
    ("link.wav", "line 2: .*link.wav, a link to gone.wav, which is not there; fetch it"),
])  # fmt: skip
def test_why_no_clip_can_be_used(tmp_path, path, reason):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.wav").symlink_to("gone.wav")
    (tmp_path / "t.csv").write_text(f"path,text\n{path},one\n")
    with pytest.raises(EarsightError, match=f"t.csv: none of 1 clips of csv can be used .*{reason}"):
        prepare("csv", tmp_path / "t.csv", tmp_path / "out", progress=False)


def test_why_too_few_clips_are_left_to_divide(tmp_path):
    sound(tmp_path / "a.wav")
    (tmp_path / "t.csv").write_text("path,text\na.wav,one\ngone.wav,two\n")
    message = "1 clip cannot be divided into 3 splits; .*dev_share=0 test_share=0.*; left out: gone: .*line 3"
    with pytest.raises(EarsightError, match=message):
        prepare("csv", tmp_path / "t.csv", tmp_path / "out", progress=False)
    for label in ("yes", "no"):
        sound(tmp_path / "classes" / label / f"{label}.wav")
    (tmp_path / "classes/no/no.wav").write_text("no sound")
    with pytest.raises(EarsightError, match="one class only, yes; .*; left out: no: .*no.wav: "):
        prepare("folder", tmp_path / "classes", tmp_path / "out", dev_share=0, test_share=0, progress=False)


def test_a_path_with_backslashes_is_found_where_its_file_is(tmp_path):
    sound(tmp_path / "my clips/a.wav")
    (tmp_path / "t.csv").write_text("path,text\nmy clips\\a.wav,one\n")
    cuts = read_all(prepare("csv", tmp_path / "t.csv", tmp_path / "out", dev_share=0, test_share=0, progress=False))
    assert ids(cuts["train"]) == {"a"}


def test_texts_in_the_form_that_is_asked_for(tmp_path):
    sound(tmp_path / "a.wav")
    (tmp_path / "t.csv").write_text('path,text\na.wav,"It\u2019s 21, cafe\u0301!"\n')

    def text(**options) -> str | None:
        shares = {"dev_share": 0, "test_share": 0, "progress": False}
        (cut,) = read_manifest(prepare("csv", tmp_path / "t.csv", tmp_path / "out", **shares, **options)["train"])
        return text_of(cut)

    assert text() == "it\u2019s 21, caf\u00e9!"
    assert text(case="keep") == "It\u2019s 21, caf\u00e9!"
    assert text(case="upper", punctuation="drop", numbers="words") == "IT'S TWENTY ONE CAF\u00c9"
    with pytest.raises(EarsightError, match="option punctuation is 'none'; it is one of keep, drop"):
        text(punctuation="none")
    (tmp_path / "t.csv").write_text("path,text\na.wav,\u0130STANBUL ILIK\n")
    with pytest.raises(EarsightError, match="t.csv: clip a: the case of '\u0130' depends on the language"):
        text()
    assert text(language="tr") == "istanbul \u0131l\u0131k"


def test_folders_as_they_are(tmp_path):
    """Hidden folders are left out, linked ones searched, a folder is no clip, and each clip has an id of its own."""
    far = sound(tmp_path / "far/y.wav").parent
    for name in ("yes/a.wav", "yes/.ipynb_checkpoints/a.wav", "yes/.b.wav", "yes/x.wav", "yes/x.flac", "no/n.wav",
                 "yes/b-c/z.wav", "yes-b/c/z.wav", "cafe\u0301/1.wav", "caf\u00e9/2.wav"):  # fmt: skip
        sound(tmp_path / "classes" / name)
    (tmp_path / "classes/no/clip.mp4").mkdir()
    (tmp_path / "classes/yes/spk1").symlink_to(far, target_is_directory=True)
    (tmp_path / "classes/no/blob.wav").symlink_to(sound(tmp_path / "far/0a1b.wav").rename(tmp_path / "far/0a1b"))
    paths = prepare("folder", tmp_path / "classes", tmp_path / "out", dev_share=0, test_share=0, progress=False)
    found = {cut.id: label_of(cut) for cut in read_manifest(paths["train"])}
    assert found == {
        "a": "yes", "yes-x.wav": "yes", "yes-x.flac": "yes", "n": "no", "blob": "no", "y": "yes",
        "yes-b-c-z.wav": "yes", "yes-b-c-z.wav-2": "yes-b", "1": "caf\u00e9", "2": "caf\u00e9",
    }  # fmt: skip
    assert not (tmp_path / "out/audio").exists()  # a link to a file without suffix is read by the link's


def test_a_corpus_that_is_moved_with_its_sound_is_found(tmp_path):
    for name in ("a", "b"):
        sound(tmp_path / "here/wav" / f"{name}.wav")
    (tmp_path / "here/t.csv").write_text("path,text\nwav/a.wav,one\nwav/b.wav,two\n")
    made = prepare("csv", tmp_path / "here/t.csv", tmp_path / "here/data", dev_share=0, test_share=0, progress=False)
    there = tmp_path / "on/there"
    there.parent.mkdir()
    (tmp_path / "here").rename(there)
    moved = there / made["train"].relative_to(tmp_path / "here")
    sources = [Path(cut.recording.sources[0].source) for cut in read_manifest(moved)]
    assert sources == [there / "wav/a.wav", there / "wav/b.wav"]
    # A manifest that is moved alone goes on naming what is where it was: now `there` is the place it was read at.
    alone = tmp_path / "alone.jsonl.gz"
    (there).rename(tmp_path / "here")
    alone.write_bytes(made["train"].read_bytes())
    assert [Path(cut.recording.sources[0].source) for cut in read_manifest(alone)] == [
        tmp_path / "here/wav/a.wav", tmp_path / "here/wav/b.wav"]  # fmt: skip
