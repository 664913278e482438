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
