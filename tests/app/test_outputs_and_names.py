"""Terminals of few letters, full disks, file names that are no UTF-8, and files that are read and written."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import REPOSITORY, tone, write_wav
from earsight.app.main import main
from earsight.common.errors import EarsightError
from earsight.common.escaping import ESCAPED, printable
from earsight.common.files import whole_folder

STRANGE = os.fsdecode(b"b\xe9")


def run(*arguments, stdout=subprocess.PIPE, **environment):
    done = subprocess.run([sys.executable, "-m", "earsight", *map(str, arguments)], cwd=REPOSITORY, stdout=stdout,
                          stderr=subprocess.PIPE, env={**os.environ, **environment}, timeout=120)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


def lines(done):
    return done.stderr.decode().splitlines()


@pytest.fixture
def clips(tmp_path):
    """Three clips; one name has bytes that are no UTF-8, one has letters that ASCII lacks."""
    return [write_wav(tmp_path / "clips" / f"{name}.wav", tone(440, 0.5)) for name in ("a", STRANGE, "c你é")]


def test_escapes_are_json():
    text = "é你\U0001f600" + STRANGE
    assert json.loads(b'"' + text.encode("ascii", ESCAPED) + b'"') == text
    assert printable(STRANGE) == "b\\udce9" and printable("é") == "é"


@pytest.mark.parametrize("form", ["txt", "json", "csv"])
def test_an_ascii_terminal(form, clips):
    done = run("classify", *clips, "--format", form, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0",
               PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode("ascii").splitlines()
    assert len(said) == 3 + (form == "csv")
    if form == "json":
        for line in said:
            json.loads(line)


@pytest.mark.parametrize("form", ["txt", "json", "jsonl", "srt", "vtt", "ctm", "stm", "TextGrid", "tsv"])
def test_names_that_are_no_utf8_in_every_format(form, clips, tmp_path):
    done = run("transcribe", *clips, "--model", "en-small", "--format", form, "--output", tmp_path / "out")
    assert done.returncode == 0 and not lines(done)
    assert sorted(os.listdir(tmp_path / "out")) == sorted(f"{clip.stem}.{form}" for clip in clips)
    text = (tmp_path / "out" / f"{STRANGE}.{form}").read_text(encoding="utf-8")
    if form == "json":
        assert os.fsencode(json.loads(text)["path"]) == os.fsencode(clips[1])


def test_names_that_are_no_utf8_elsewhere(clips, tmp_path):
    assert run("explain", clips[1], "--model", "en-small", "--output", tmp_path / f"{STRANGE}.png").returncode == 0
    assert run("classify", "--timeline", "--plot", tmp_path / STRANGE, *clips).returncode == 0
    done = run("transcribe", clips[0], "--model", tmp_path / STRANGE)
    assert done.returncode == 1 and len(lines(done)) == 1 and "b\\udce9" in lines(done)[0]
    for label in ("yes", "no"):
        for clip in clips[:2]:
            (tmp_path / "set" / label).mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, tmp_path / "set" / label / f"{label}-{clip.name}")
    done = run("prepare", "folder", tmp_path / "set", tmp_path / "out", "dev_share=0", "test_share=0")
    assert done.returncode == 1 and len(lines(done)) == 1 and "not UTF-8; rename the file" in lines(done)[0]
    assert (tmp_path / "out/train.jsonl.gz").is_file()


def test_a_full_disk_is_one_line(clips):
    for arguments in (["transcribe", *clips, "--model", "en-small"], ["classify", clips[0]], ["models"]):
        with open("/dev/full", "w") as full:
            done = run(*arguments, stdout=full)
        assert done.returncode == 1 and len(lines(done)) == 1, done.stderr
        assert "cannot be written (No space left on device)" in lines(done)[0]


def test_a_binary_file_is_no_language_model(clips, tmp_path):
    rng = np.random.default_rng(1)
    for number in range(5):
        (tmp_path / "junk.arpa").write_bytes(rng.bytes(1000))
        done = run("transcribe", clips[0], "--model", "en-small", "--lm", tmp_path / "junk.arpa")
        assert done.returncode == 1 and len(lines(done)) == 1 and "no n-gram model" in lines(done)[0], done.stderr


def test_nothing_is_written_over_what_is_read(clips, tmp_path, capsys):
    clip, text = clips[0], clips[0].with_suffix(".txt")
    text.write_text("one two\n")
    table = tmp_path / "table.csv"
    table.write_text(f"path,text\n{clip},one two\n")
    sound = shutil.copy(clip, tmp_path / "clips" / "sound.txt")
    for arguments in (["align", clip, text, "--format", "txt", "--output", clip.parent],
                      ["transcribe", sound, "--output", clip.parent],
                      ["lm", text, "--output", text],
                      ["evaluate", "en-small", table, "--json", table],
                      ["predict", "--model", "en-small", table, "--output", table]):
        before = {path: path.read_bytes() for path in (clip, text, table, Path(sound))}
        assert main([*map(str, arguments)]) == 1
        assert "would write over it; choose another" in capsys.readouterr().err.splitlines()[0]
        assert before == {path: path.read_bytes() for path in before}


@pytest.mark.parametrize("command", [
    ["transcribe", "LONG", "--model", "en-small"],
    ["align", "LONG", "a"],
    ["align", "LONG"],
    ["listen", "LONG", "--model", "en-small"],
    ["prepare", "csv", "LONG", "out"],
    ["prepare", "series", "LONG", "out"],
    ["check", "LONG"],
    ["evaluate", "LONG", "a.jsonl"],
    ["evaluate", "en-small", "LONG"],
    ["predict", "LONG", "--model", "a.ckpt", "--output", "out.jsonl"],
    ["predict", "a.jsonl", "--model", "LONG", "--output", "out.jsonl"],
    ["export", "LONG", "out"],
    ["lm", "LONG", "--output", "out.arpa"],
    ["calibrate", "digits", "--like", "LONG", "--output", "out"],
    ["models", "pull", "n", "LONG"],
    ["models", "pack", "LONG", "out.zip"],
    ["learn", "LONG", "--output", "out", "--minutes", "0.001"],
    ["train", "fit", "--config", "LONG"],
])
def test_names_that_are_too_long(command, tmp_path, monkeypatch, capsys):
    """Of more than 255 bytes: what asks whether such a file is there fails."""
    monkeypatch.chdir(tmp_path)
    assert main([word.replace("LONG", "a" * 300) for word in command]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m/old").write_text("old")
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "m") as folder:
        (folder / "new").write_text("half")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.rglob("*")] == ["m", "old"]
    with whole_folder(tmp_path / "m") as folder:
        (folder / "new").write_text("new")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["m", "new"]
    with pytest.raises(EarsightError, match="old|is a file"), whole_folder(tmp_path / "m/new"):
        pass
    with pytest.raises(EarsightError, match="cannot be written"), whole_folder(tmp_path / "m/new/deeper"):
        pass
