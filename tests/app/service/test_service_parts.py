"""Parts of the service by themselves: folders, pipes, models that are damaged."""

import asyncio
import fcntl
import os
import shutil
from types import SimpleNamespace

import pytest

from earsight.app.service.connections import is_local, listen
from earsight.app.service.folders import LOCK, PREFIX, upload_folder
from earsight.app.service.processes import Worker
from earsight.app.service.service import Service
from earsight.app.service.settings import Settings
from earsight.common.errors import EarsightError
from earsight.common.model_folder import package_models
from earsight.common.workers import packed


def left(place, name):
    """What a service that was killed left."""
    folder = place / f"{PREFIX}{name}"
    folder.mkdir()
    (folder / LOCK).touch()
    (folder / "upload").touch()
    return folder


def test_what_a_dead_service_left_is_removed_and_a_living_ones_kept(tmp_path):
    dead, living = left(tmp_path, "dead"), left(tmp_path, "living")
    with open(living / LOCK) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with upload_folder(tmp_path) as folder, upload_folder(tmp_path) as second:
            assert folder.is_dir() and second.is_dir() and not dead.exists()
            assert folder.stat().st_mode & 0o777 == 0o700 and os.listdir(folder) == [LOCK]
            assert (living / "upload").is_file()
    assert sorted(os.listdir(tmp_path)) == [living.name]


def test_what_others_put_there_is_not_followed(tmp_path):
    """The system's folder for temporary files is everybody's."""
    home, place = tmp_path / "home", tmp_path / "place"
    home.mkdir()
    place.mkdir()
    kept = left(home, "kept")
    (place / f"{PREFIX}link").symlink_to(kept)
    odd = left(place, "odd")
    (odd / LOCK).unlink()
    (odd / LOCK).symlink_to(kept / "upload")
    with upload_folder(place):
        pass
    assert (kept / "upload").is_file() and (odd / "upload").is_file()


def test_what_another_user_left_is_his(tmp_path):
    if os.getuid():
        pytest.skip("needs another user's folder, which root alone can make")
    folder = left(tmp_path, "other")
    os.chown(folder, 12345, 12345)
    with upload_folder(tmp_path):
        pass
    assert (folder / "upload").is_file()


def test_who_leaves_within_a_message_loses_nothing_of_it():
    async def talk():
        reader = asyncio.StreamReader()
        worker = Worker(SimpleNamespace(stdout=reader))
        data = packed({"first": 1}) + packed({"second": 2})
        for byte in data[:-1]:  # who waits leaves after each byte
            reader.feed_data(bytes([byte]))
            try:
                async with asyncio.timeout(0):
                    told.append(await worker.receive())
            except TimeoutError:
                pass
        reader.feed_data(data[-1:])
        reader.feed_eof()
        return [await worker.receive(), await worker.receive()]

    told = []
    rest = asyncio.run(talk())
    assert [*told, *rest] == [{"first": 1}, {"second": 2}, None]


def test_a_damaged_model_is_left_out_and_the_others_served(tmp_path, monkeypatch):
    shutil.copytree(package_models()["en-small"], tmp_path / "mine")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    monkeypatch.setenv("EARSIGHT_MODELS", str(tmp_path))
    service = Service(Settings(), None, None, tmp_path, frozenset())
    assert {"mine", "en", "en-small"} <= service.models().keys() and "broken" not in service.models()
    assert service.transcriber("mine") == "mine"


@pytest.mark.parametrize("host", ["a" * 300, os.fsdecode(b"\x80"), "a..b"])
def test_hosts_of_letters_that_no_name_has(host):
    assert not is_local(host)
    with pytest.raises(EarsightError, match="cannot be listened at"):
        listen(host, 0)
