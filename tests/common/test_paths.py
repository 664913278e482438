"""Files, folders and globs are expanded in order, each file once; outputs never overwrite one another."""

from pathlib import Path

import pytest

from earsight.common.errors import EarsightError
from earsight.common.paths import expand, keep_inputs, output_names

SOUND = {".wav", ".flac"}


@pytest.fixture
def clips(tmp_path, monkeypatch):
    """A folder tree of empty files, and the working directory in it."""
    visible = ("b.wav", "a.wav", "A.FLAC", "notes.txt", "take.dat", "deep/er/c.wav")
    for name in (*visible, ".hidden.wav", ".git/d.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(paths, folder=None):
    files, errors = expand(paths, SOUND)
    assert errors == []
    return [str(file.relative_to(folder) if folder else file) for file in files]


def test_named_files_keep_their_order_and_need_no_known_suffix(clips):
    assert names(["notes.txt", "b.wav", "a.wav"]) == ["notes.txt", "b.wav", "a.wav"]


def test_a_file_named_twice_comes_once(clips):
    assert names(["b.wav", "./b.wav", str(clips / "b.wav"), "deep/../b.wav", "*.wav"]) == ["b.wav", "a.wav"]


def test_a_folder_gives_its_sounds_sorted_with_those_of_its_folders(clips):
    assert names([str(clips)], clips) == ["A.FLAC", "a.wav", "b.wav", "deep/er/c.wav"]


def test_globs(clips):
    assert names(["?.wav"]) == ["a.wav", "b.wav"]
    assert names(["*"]) == ["A.FLAC", "a.wav", "b.wav", "deep/er/c.wav"]
    assert names(["**/*.wav"]) == ["a.wav", "b.wav", "deep/er/c.wav"]
    assert names(["*.dat"]) == ["take.dat"]


def test_a_name_that_looks_like_a_glob_is_a_name_first(clips):
    (clips / "[ab].wav").touch()
    assert names(["[ab].wav"]) == ["[ab].wav"]


def test_tilde_is_the_home_folder(clips, monkeypatch):
    monkeypatch.setenv("HOME", str(clips))
    assert names(["~/a.wav", "~/deep"], clips) == ["a.wav", "deep/er/c.wav"]


def test_each_path_that_gives_nothing_is_an_error_and_the_rest_goes_on(clips):
    (clips / "empty folder").mkdir()
    files, errors = expand(["missing.wav", "a.wav", "*.mp3", "empty folder", "", "b.wav"], SOUND)
    assert [file.name for file in files] == ["a.wav", "b.wav"]
    for error, start in zip(
        errors, ("missing.wav: no such", "*.mp3: matches no", "empty folder: holds no", "'': no such")
    ):
        assert str(error).startswith(start)
        assert "\n" not in str(error)
    assert len(errors) == 4


def test_unicode_and_spaces(clips):
    (clips / "größe 1 语音.wav").touch()
    assert names(["größe 1 语音.wav"]) == ["größe 1 语音.wav"]
    assert "größe 1 语音.wav" in names(["."])


def test_an_output_takes_its_input_s_stem():
    assert output_names([Path("x/a.wav"), Path("y/b.c.flac")], ".txt") == {
        Path("x/a.wav"): "a.txt",
        Path("y/b.c.flac"): "b.c.txt",
    }


def test_inputs_that_differ_in_their_suffix_keep_it():
    assert list(output_names([Path("a.wav"), Path("a.flac"), Path("b.wav")], ".json").values()) == [
        "a.wav.json",
        "a.flac.json",
        "b.json",
    ]


def test_inputs_of_several_folders_get_as_many_in_front_as_it_takes():
    paths = [Path("/x/train/1/a.wav"), Path("/x/test/1/a.wav"), Path("/x/test/2/a.wav"), Path("a.flac")]
    assert list(output_names(paths, ".txt").values()) == [
        "train-1-a.wav.txt",
        "test-1-a.wav.txt",
        "2-a.wav.txt",
        "a.flac.txt",
    ]


@pytest.mark.parametrize(
    "paths",
    [
        ["a.wav", "A.wav"],  # one file, where the file system ignores case
        ["x-y/a.wav", "x/y-a.wav", "x/y/a.wav", "q/y-a.wav"],
        ["a.wav", "a.flac", "a.wav.mp3", "a.flac.mp3"],
        ["../a.wav", "a.wav", "/a.wav"],
        ["d/a.wav", "e/a.wav", "d-a.wav.wav", "e-a.wav.wav"],
        [f"s{speaker}/{take}.{kind}" for speaker in range(3) for take in range(3) for kind in ("wav", "mp3")],
    ],
)
def test_names_are_distinct_plain_and_repeatable(paths):
    paths = [Path(path) for path in paths]
    result = output_names(paths, ".txt")
    assert list(result) == paths
    assert len({name.casefold() for name in result.values()}) == len(paths)
    assert all(name == Path(name).name and name.endswith(".txt") for name in result.values())
    assert output_names(paths, ".txt") == result


def test_no_input_no_names():
    assert output_names([], ".txt") == {}


def test_linked_folders_are_searched_and_loops_end(clips):
    far = clips.parent / f"{clips.name}-far"
    (far / "in").mkdir(parents=True)
    (far / "in/f.wav").touch()
    (clips / "deep/link").symlink_to(far, target_is_directory=True)
    (clips / "deep/loop").symlink_to(clips, target_is_directory=True)
    (far / "back").symlink_to(clips / "deep", target_is_directory=True)
    assert names(["deep"]) == ["deep/er/c.wav", "deep/link/in/f.wav"]


@pytest.mark.parametrize("path, reason", [
    ("-", "standard input is not read; write it to a file"),
    ("https://example.com/a.wav?x=1", "an address, and nothing is fetched; download it"),
    ("s3://bucket/*.wav", "an address, and nothing is fetched"),
    ("file:///tmp/a.wav", "an address; leave file:// out"),
    ("deep\\er\\c.wav", r"folders are parted by /, not by \\"),
    ("C:\\clips\\a.wav", "a path of Windows"),
    ("gone.wav", "no such file or folder; check the path"),
])  # fmt: skip
def test_what_is_no_path_is_told(clips, path, reason):
    files, (error,) = expand([path], SOUND)
    assert files == [] and reason.replace("\\\\", "\\") in str(error) and str(error).startswith(f"{path}: ")


def test_what_is_read_is_not_written_over(tmp_path):
    (tmp_path / "text").touch()
    (tmp_path / "link").symlink_to(tmp_path / "text")
    keep_inputs(tmp_path / "other", [tmp_path / "text", None, "a\0b"])
    with pytest.raises(EarsightError, match="link: this command reads it.*choose another --plot"):
        keep_inputs(tmp_path / "link", [None, tmp_path / "text"], "--plot")


@pytest.mark.parametrize("name", ["a\0b", "", "a" * 300, "\ud800"])
def test_no_output_has_a_name_that_no_file_can_have(name):
    with pytest.raises(EarsightError, match="names no file; choose another --output"):
        keep_inputs(name, ["text"])
