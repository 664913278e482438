"""Models packed, pulled from files and addresses, and removed; and archives that are no models, or worse."""

import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
import threading
import zipfile
from contextlib import nullcontext
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

import earsight
from earsight.app.main import main
from earsight.common import model_archives
from earsight.common.errors import EarsightError
from earsight.common.model_archives import pack, pull, remove
from earsight.common.model_folder import demand_own, describe_models, find_model

EXAMPLE = os.path.join(os.path.dirname(earsight.__file__), "scripts/examples/grid-sentence.wav")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EARSIGHT_MODELS", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def archive(tmp_path, home):
    """en-small as a zip, the quickest model to read."""
    pack("en-small", tmp_path / "made.zip")
    return tmp_path / "made.zip"


@pytest.fixture
def server(tmp_path):
    """The address of a folder's files, and that folder."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            if not self.path.startswith("/cut/"):
                return super().do_GET()
            if self.path.endswith(".sha256"):
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"PK")

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}", folder
        serving.shutdown()


def zipped(path, entries):
    """A zip of (name or ZipInfo, content)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
    return path


def test_packed_and_pulled_it_is_the_same_model(archive, home, capsys):
    original = find_model("en-small")
    assert "compared with nothing" in pull("mine", str(archive))
    for path in original.iterdir():
        assert (home / "mine" / path.name).read_bytes() == path.read_bytes()
    assert find_model("mine") == home / "mine"
    assert earsight.transcribe(EXAMPLE, model="mine").text == earsight.transcribe(EXAMPLE, model="en-small").text
    told = describe_models().split("\n\n")
    [of_mine] = [part.splitlines() for part in told if part.startswith("mine\n")]
    assert of_mine[1] == f"  from: {archive}"
    assert of_mine[2] == f"  sha256: {hashlib.sha256(archive.read_bytes()).hexdigest()}"
    with pytest.raises(EarsightError, match="an installed model, which stays as it is"):
        demand_own(home / "mine")
    assert pack("mine", archive.with_name("again.zip")) == hashlib.sha256(archive.read_bytes()).hexdigest()

    assert remove("mine") == "mine: removed"
    assert not any(home.iterdir())
    with pytest.raises(EarsightError, match="none of that name is installed"):
        find_model("mine")


def test_the_same_files_give_the_same_bytes(tmp_path, archive):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in sorted(find_model("en-small").iterdir(), reverse=True):
        shutil.copyfile(path, copy / path.name)
        os.utime(copy / path.name, (1, 1))
        (copy / path.name).chmod(0o600)
    (copy / ".hidden").write_text("of an editor")
    assert pack(copy, tmp_path / "copy.zip") == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert (tmp_path / "copy.zip").read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("mode, prefix", [("w", ""), ("w:gz", "en/"), ("w:bz2", "./"), ("w:xz", "./en/")])
def test_tars_too_and_models_in_a_folder_of_their_own(mode, prefix, tmp_path, home):
    with tarfile.open(tmp_path / "made.tar", mode) as file:
        for path in find_model("en-small").iterdir():
            file.add(path, f"{prefix}{path.name}")
            file.addfile(tarfile.TarInfo(f"{prefix}._{path.name}"))  # as a Mac does
    pull("mine", str(tmp_path / "made.tar"))
    assert ({path.name for path in (home / "mine").iterdir()}
            == {path.name for path in find_model("en-small").iterdir()} | {"origin.json"})


def test_from_an_address(archive, home, server):
    address, served = server
    shutil.copy(archive, served / "made.zip")
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert "compared with nothing" in pull("a", f"{address}/made.zip?key=secret")
    assert json.loads((home / "a/origin.json").read_text()) == {"source": f"{address}/made.zip", "sha256": checksum}
    (served / "made.zip.sha256").write_text(f"{'0' * 64} *other.zip\n{checksum.upper()}  made.zip\n")
    assert "as it should be" in pull("b", f"{address}/made.zip")
    (served / "made.zip.sha256").write_text("0" * 64)
    with pytest.raises(EarsightError, match=f"made.zip: not what it should be: its checksum is {checksum}, and 0000"):
        pull("c", f"{address}/made.zip")
    assert "as it should be" in pull("c", f"{address}/made.zip", checksum)  # what is given goes before
    with pytest.raises(EarsightError, match="nowhere.zip: the server says 404"):
        pull("d", f"{address}/nowhere.zip")
    with pytest.raises(EarsightError, match="made.zip: ended after 2 of 1000 bytes; try again"):
        pull("d", f"{address}/cut/made.zip")
    with pytest.raises(EarsightError, match=r"^http://127.0.0.1:9/made.zip: cannot be fetched \(.*refused"):
        pull("d", "http://127.0.0.1:9/made.zip")
    with pytest.raises(EarsightError, match=r"^http://\[::1: cannot be fetched"):
        pull("d", "http://[::1")
    with pytest.raises(EarsightError, match="ftp://x/made.zip: neither a file nor an http address"):
        pull("d", "ftp://x/made.zip")
    assert sorted(path.name for path in home.iterdir()) == ["a", "b", "c"]


def test_checksums_of_files(archive, home):
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(EarsightError, match="not what it should be"):
        pull("a", str(archive), "1" * 64)
    with pytest.raises(EarsightError, match="--sha256 'abc': no checksum"):
        pull("a", str(archive), "abc")
    beside = archive.with_name("made.zip.sha256")
    beside.write_text(f"{checksum}  made.zip\n")
    assert "as it should be" in pull("a", str(archive))
    beside.write_text("<html>")
    with pytest.raises(EarsightError, match="made.zip.sha256: no checksum of made.zip; give it with --sha256"):
        pull("b", str(archive))
    assert [path.name for path in home.iterdir()] == ["a"]


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


BAD_ZIPS = {
    "leads out of the model's folder": ["../evil", "/tmp/evil", "a/../../evil", "C:evil", "..\\evil"],
    "is a link or a device": [link("evil")],
    "in another folder than other files": ["one/evil", "one/two/evil"],
    "'config.json' twice": ["config.json"],
    "no config.json": [],
}


@pytest.mark.parametrize("complaint, name", [(c, name) for c, names in BAD_ZIPS.items() for name in names or [None]])
def test_zips_that_are_no_models(complaint, name, tmp_path, home):
    entries = [(path.name, path.read_bytes()) for path in sorted(find_model("en-small").iterdir())]
    bad = [*entries, (name, "/etc/passwd")] if name else entries[1:]
    assert name or entries[0][0] == "config.json"
    with pytest.warns(UserWarning) if name == "config.json" else nullcontext():
        path = zipped(tmp_path / "bad.zip", bad)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(EarsightError, match=f"bad.zip: .*{complaint}"):
        pull("mine", str(path))
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before] == [home]
    assert not any(home.iterdir())


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_tars_with_more_than_files(kind, tmp_path, home):
    with tarfile.open(tmp_path / "bad.tar", "w") as file:
        entry = tarfile.TarInfo("config.json")
        entry.type, entry.linkname = kind, "/etc/passwd"
        file.addfile(entry)
    with pytest.raises(EarsightError, match="'config.json' is a link or a device"):
        pull("mine", str(tmp_path / "bad.tar"))
    assert not any(home.iterdir())


def test_whatever_is_wrong_in_an_archive_is_one_line(tmp_path, home, archive):
    """Archives cut and changed at many places: each is refused, or is still the same model."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as file:
        file.add(find_model("en-small") / "config.json", "config.json")
    small = zipped(tmp_path / "small.zip", [("config.json", (find_model("en-small") / "config.json").read_bytes())])
    refused = 0
    for whole in (small.read_bytes(), packed.getvalue()):
        for place in range(0, len(whole), max(1, len(whole) // 40)):
            changed = bytearray(whole)
            changed[place] ^= 0xFF
            for content in (whole[:place], changed):
                (tmp_path / "bad").write_bytes(content)
                with pytest.raises(EarsightError) as error:  # encoder.onnx is missing even where nothing else is wrong
                    pull("mine", str(tmp_path / "bad"))
                assert "\n" not in str(error.value) and str(error.value).startswith(f"{tmp_path / 'bad'}: ")
                refused += 1
    assert refused > 100 and not any(home.iterdir())


def test_sizes_have_limits(tmp_path, home, archive, monkeypatch):
    monkeypatch.setattr(model_archives, "LARGEST", 100_000)
    with pytest.raises(EarsightError, match="made.zip: larger than 0.0001 GB when unpacked"):
        pull("mine", str(archive))
    with pytest.raises(EarsightError, match="holds more files than a model has"):
        pull("mine", str(zipped(tmp_path / "many.zip", [(f"{i}", "") for i in range(101)])))
    assert not any(home.iterdir())


def test_a_full_disk_is_one_line_and_leaves_nothing(archive, home, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_archives, "_extract", full)
    with pytest.raises(EarsightError, match="mine: cannot be written .No space left on device"):
        pull("mine", str(archive))
    assert not any(home.iterdir())


def test_names(archive, home):
    for name in ("../mine", "", ".hidden", "a/b", "x" * 101):
        with pytest.raises(EarsightError, match="no name for a model"):
            pull(name, str(archive))
    with pytest.raises(EarsightError, match="en-small: a model of that name comes with the package"):
        pull("en-small", str(archive))
    with pytest.raises(EarsightError, match="en-small: comes with the package, and stays"):
        remove("en-small")
    pull("mine", str(archive))
    with pytest.raises(EarsightError, match="mine: is installed; `earsight models remove mine` first"):
        pull("mine", str(archive))
    with pytest.raises(EarsightError, match="yours: no model of that name was pulled; pulled are mine"):
        remove("yours")


def test_a_model_that_cannot_be_read_does_not_hide_the_others(archive, home):
    pull("mine", str(archive))
    (home / "mine/config.json").write_text("{}")
    told = describe_models()
    assert "unusable" in told and "en-small\n" in told
    remove("mine")


def test_what_is_not_packed(tmp_path, home):
    with pytest.raises(EarsightError, match="no config.json, so this is no model folder"):
        pack(tmp_path, tmp_path / "a.zip")
    copy = shutil.copytree(find_model("en-small"), tmp_path / "m")
    with pytest.raises(EarsightError, match="would be a part of the model"):
        pack(copy, copy / "a.zip")
    with pytest.raises(EarsightError, match="name it a.tar.zip"):
        pack(copy, tmp_path / "a.tar")
    (copy / "encoder.onnx").unlink()
    with pytest.raises(EarsightError, match="encoder.onnx is missing"):
        pack(copy, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_the_commands(tmp_path, home, capsys):
    assert main(["models", "pack", "en-small", str(tmp_path / "made.zip")]) == 0
    told = capsys.readouterr().out
    assert told == f"{hashlib.sha256((tmp_path / 'made.zip').read_bytes()).hexdigest()}  made.zip\n"
    (tmp_path / "made.zip.sha256").write_text(told)
    assert main(["models", "pull", "mine", str(tmp_path / "made.zip")]) == 0
    assert main(["models"]) == 0 and f"mine\n  from: {tmp_path / 'made.zip'}\n" in capsys.readouterr().out
    assert main(["models", "remove", "mine"]) == 0
    assert main(["models", "remove", "mine"]) == 1
    assert capsys.readouterr().err == "error: mine: no model of that name was pulled; pulled are none\n"
