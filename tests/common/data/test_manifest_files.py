"""The files that manifests name, read without lhotse."""

import gzip
import json
from pathlib import Path

import numpy as np

from conftest import tone, write_wav
from earsight.app.main import main
from earsight.common.data.manifest_files import with_manifests


def test_manifests_give_their_files_once_and_parts_are_told(tmp_path, capsys):
    """Manifests as `prepare` writes them: of sound, of stored frames, and of a stretch of a recording."""
    whole, long = write_wav(tmp_path / "whole.wav", tone(300, 1.0)), write_wav(tmp_path / "long.wav", tone(300, 3.0))
    np.save(tmp_path / "frames.npy", np.zeros((120, 13), np.float32))
    table = tmp_path / "clips.csv"
    table.write_text("path,text,split,start,duration,frame_shift\nwhole.wav,a,train,,,\nlong.wav,b,train,1,1.5,\n"
                     "frames.npy,c,dev,,,0.01\n")
    assert main(["prepare", "csv", str(table), str(tmp_path / "data")]) == 0
    manifests = [tmp_path / "data" / f"{split}.jsonl.gz" for split in ("train", "dev")]
    refused = []
    files = with_manifests([*manifests, whole, manifests[0]], refused)
    assert files == [whole, tmp_path / "frames.npy"]
    assert len(refused) == 2 and f"is a part of {long}" in str(refused[0])


def test_a_film_is_its_video_and_what_is_no_manifest_is_told(tmp_path):
    film = {"id": "film", "start": 0.0, "duration": 5.0,
            "custom": {"video": {"path": "/films/a.mp4", "size": [320, 240], "frame_rate": 25.0, "num_frames": 125,
                                 "duration": 5.0}}}
    (tmp_path / "films.jsonl").write_text(json.dumps(film) + "\n\n{}\nnot JSON\n[]\n")
    (tmp_path / "damaged.jsonl.gz").write_bytes(gzip.compress(json.dumps(film).encode())[:-9])
    (tmp_path / "text.jsonl.gz").write_text("text")
    refused = []
    paths = [tmp_path / name for name in ("films.jsonl", "damaged.jsonl.gz", "text.jsonl.gz", "missing.jsonl")]
    assert with_manifests(paths, refused) == [Path("/films/a.mp4")]
    told = [str(error) for error in refused]
    assert [f"line {number}" in error for number, error in zip((3, 4, 5), told)] == [True] * 3
    assert all(f"{path}: not a manifest that can be read" in error for path, error in zip(paths[1:], told[3:]))
    assert len(told) == 6


def test_transcribe_takes_a_manifest(tmp_path, capsys):
    clip = write_wav(tmp_path / "quiet.wav", 1e-4 * tone(300, 0.5))
    (tmp_path / "clips.csv").write_text("path,text,split\nquiet.wav,a,test\n")
    assert main(["prepare", "csv", str(tmp_path / "clips.csv"), str(tmp_path / "data")]) == 0
    assert main(["transcribe", str(tmp_path / "data" / "test.jsonl.gz"), "--model", "en-small", "--output",
                 str(tmp_path / "out")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{clip.stem}.txt"]


def test_a_part_without_a_name(tmp_path):
    sound = {"sources": [{"type": "file", "source": "/a.wav"}], "duration": 5.0}
    (tmp_path / "a.jsonl").write_text(json.dumps({"start": 1.0, "duration": 2.0, "recording": sound}) + "\n")
    refused = []
    assert with_manifests([tmp_path / "a.jsonl"], refused) == []
    assert "a.jsonl, line 1: not a cut of one file" in str(refused[0])


def test_a_name_that_no_file_can_have_is_told_and_the_rest_goes_on(tmp_path, capsys):
    write_wav(tmp_path / "quiet.wav", 1e-4 * tone(300, 0.5))
    cuts = [{"id": name, "start": 0.0, "duration": 0.5,
             "recording": {"sources": [{"type": "file", "source": str(tmp_path / name)}], "duration": 0.5}}
            for name in ("a\0b.wav", "\ud800.wav", "quiet.wav")]
    (tmp_path / "clips.jsonl").write_text("\n".join(map(json.dumps, cuts)) + "\n")
    assert main(["transcribe", str(tmp_path / "clips.jsonl"), "--model", "en-small", "--output",
                 str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert "line 1: a\0b.wav is of" in told and "line 2:" in told and told.count("which no file can be called") == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["quiet.txt"]
