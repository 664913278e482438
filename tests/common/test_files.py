"""Files are written whole or not at all; a missing package is named with the line that installs it."""

import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from earsight.common.errors import EarsightError, MissingExtra, require
from earsight.common.files import whole_file, whole_folder, write_whole


def test_text_and_bytes_are_written(tmp_path):
    write_whole(tmp_path / "text", "grün")
    write_whole(tmp_path / "bytes", b"\x00\xff")
    assert (tmp_path / "text").read_text(encoding="utf-8") == "grün"
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"


def test_what_is_no_file_is_written_into_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit((tmp_path / "pipe").read_text)
        write_whole(tmp_path / "pipe", "here")
        assert read.result(timeout=30) == "here"
    assert (tmp_path / "pipe").is_fifo() and os.listdir(tmp_path) == ["pipe"]
    write_whole("/dev/null", "gone")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(EarsightError, match="is a folder, and a file is to be written"):
        write_whole(tmp_path, "there")


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    for name in ("old", "new"):
        (tmp_path / "disk" / name).mkdir(parents=True)
    (tmp_path / "disk" / "file").write_text("before")
    (tmp_path / "link").symlink_to("disk/file")
    (tmp_path / "dangling").symlink_to("disk/second")
    (tmp_path / "folder").symlink_to("disk/old")
    write_whole(tmp_path / "link", "after")
    write_whole(tmp_path / "dangling", "first")
    with whole_folder(tmp_path / "folder") as folder:
        (folder / "in").touch()
    assert all((tmp_path / name).is_symlink() for name in ("link", "dangling", "folder"))
    assert ((tmp_path / "disk" / "file").read_text(), (tmp_path / "disk" / "second").read_text()) == ("after", "first")
    assert [path.name for path in (tmp_path / "disk" / "old").iterdir()] == ["in"]


def test_missing_folders_are_made(tmp_path):
    write_whole(tmp_path / "new" / "deep" / "file.txt", "here")
    assert (tmp_path / "new" / "deep" / "file.txt").read_text() == "here"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("before")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half of it")
        raise RuntimeError
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["result.txt"]


def test_the_file_appears_only_at_the_end(tmp_path):
    path = tmp_path / "result.wav"
    with whole_file(path) as temporary:
        temporary.write_bytes(b"sound")
        assert not path.exists()
        # Writers that go by the suffix need the same one, and a rename is atomic only within a folder.
        assert temporary.suffix == ".wav" and temporary.parent == tmp_path
    assert path.read_bytes() == b"sound"
    assert os.listdir(tmp_path) == ["result.wav"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "file", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_file_in_place_of_a_folder_is_an_error_that_names_the_output(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(EarsightError, match=r"taken/out.txt: cannot be written"):
        write_whole(tmp_path / "taken" / "out.txt", "text")


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "a" * 300])
def test_a_name_that_no_file_can_have(tmp_path, name):
    with pytest.raises(EarsightError, match="cannot be written"):
        write_whole(tmp_path / name, "text")
    with pytest.raises(EarsightError, match="cannot be written"), whole_folder(tmp_path / name):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_in_place_of_a_file(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(EarsightError, match="taken: is a folder, and a file is to be written"):
        write_whole(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_require_gives_the_module():
    assert require("json", "train") is sys.modules["json"]


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(MissingExtra, match=r"no_such_package.*pip install 'earsight\[train\]'"):
        require("no_such_package.part", "train")


@pytest.mark.parametrize("code, reason", [
    ("import no_such_package", "No module named 'no_such_package'"),
    ("raise OSError('libtorch.so: undefined symbol: x')", "libtorch.so: undefined symbol: x"),
])
def test_what_cannot_be_loaded_is_not_blamed_on_the_extra(code, reason, tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EarsightError, match="half_installed is installed and cannot be loaded") as caught:
        require("half_installed", "train")
    assert reason in str(caught.value) and not isinstance(caught.value, MissingExtra)
