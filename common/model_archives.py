"""Models to share: a folder packed into one file, and such a file, or one at an address, installed under a name.

An archive is a zip or a tar of a model folder's files, which stand at its top or in one folder. Nothing of it is
written but those files, into a folder that becomes the model's when all of it is there and right.
"""

import hashlib
import json
import os
import re
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import IO, cast
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request, urlopen

from tqdm import tqdm

from .errors import EarsightError, first_line
from .files import whole_file, whole_folder
from .model_folder import ENCODER, ORIGIN, find_model, models_home, package_models, pulled_models, read_config
from .paths import ADDRESS, keep_inputs

LARGEST = 4e9  # bytes of a model's files, and of what is fetched
MOST_FILES = 100
CHUNK = 1 << 20  # bytes
MISSING = (403, 404, 410)  # what servers answer for a file that is not there
PATIENCE = 60  # seconds without a byte
EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip file's earliest
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
CHECKSUM = re.compile(r"[0-9a-f]{64}")


def pack(model: str | Path, output: Path) -> str:
    """Write a model folder's files into a zip; the same files, the same bytes. Returns its checksum (SHA-256, hex).

    The files are stored as they are, since what compresses them differs from system to system.
    """
    folder = find_model(model)
    _demand_model(folder)
    paths = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path.name != ORIGIN]
    if folders := [path for path in paths if not path.is_file()]:
        raise EarsightError(f"{folders[0]}: is no file, and a model is files in one folder; move it away")
    if output.suffix.lower() != ".zip":
        raise EarsightError(f"{output}: the archive is a zip; name it {output.name}.zip")
    keep_inputs(output, paths, "OUTPUT")
    if output.resolve().parent == folder.resolve():
        raise EarsightError(f"{output}: would be a part of the model; choose another folder for it")
    with whole_file(output) as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            for path in paths:
                entry = zipfile.ZipInfo(path.name, EPOCH)
                entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16  # as Unix writes it
                with open(path, "rb") as source, archive.open(entry, "w", force_zip64=True) as file:
                    shutil.copyfileobj(source, file, CHUNK)
        with open(temporary, "rb") as file:
            return _checksum(file)


def pull(name: str, source: str, sha256: str | None = None) -> str:
    """Install an archive, a file or one at an http address, as the model `name`; returns what was installed.

    Args:
        sha256: the archive's checksum in hex; else that in a file beside the archive is taken, where there is one:
            the archive's name with .sha256 behind it.

    Raises:
        EarsightError: a name that is taken, an archive that cannot be had, is not what its checksum says, or holds
            something else than a model; nothing is installed then.
    """
    _demand_free(name)
    if sha256 is not None and not CHECKSUM.fullmatch(sha256.strip().lower()):
        raise EarsightError(f"--sha256 {sha256!r:.80}: no checksum, which is 64 digits and letters from a to f")
    address = bool(ADDRESS.match(source))
    if not address and Path(source).is_dir():
        raise EarsightError(f"{source}: a folder, which --model takes as it is; `earsight models pack` packs it")
    with whole_folder(models_home() / name) as folder:
        if address:
            path = folder.parent / "archive"
            _fetch(source, path)
        else:
            path = Path(source).expanduser()
        with _opened(path, source) as file:
            expected = sha256.strip().lower() if sha256 else _checksum_beside(source, address)
            found = _checksum(file)
            if expected and found != expected:
                raise EarsightError(f"{source}: not what it should be: its checksum is {found}, and {expected} was "
                                    "expected; get it anew, from where you trust it")
            file.seek(0)
            _extract(file, source, folder)
        try:
            _demand_model(folder)
        except EarsightError as error:
            raise EarsightError(f"{source}: holds no model that this version reads "
                                f"({str(error).removeprefix(f'{folder}').lstrip('/: ')})") from error
        origin = {"source": _public(source) if address else str(Path(source).expanduser().resolve()), "sha256": found}
        (folder / ORIGIN).write_text(json.dumps(origin, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    checked = "as it should be" if expected else "compared with nothing"
    return f"{name}: installed in {models_home() / name}, sha256 {found} ({checked})"


def remove(name: str) -> str:
    """Remove a model that `pull` installed; returns what was done."""
    folder = pulled_models().get(name)
    if folder is None:
        if name in package_models():
            raise EarsightError(f"{name}: comes with the package, and stays")
        raise EarsightError(f"{name}: no model of that name was pulled; pulled are "
                            f"{', '.join(pulled_models()) or 'none'}")
    aside = folder.with_name(f".{name}.removed")  # so that it is there whole, or not at all
    try:
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise EarsightError(f"{folder}: cannot be removed ({error.strerror}); check who may write there") from error
    return f"{name}: removed"


def _demand_free(name: str) -> None:
    if not NAME.fullmatch(name):
        raise EarsightError(f"{name!r:.60}: no name for a model; take letters, digits, dots, - and _")
    if name in package_models():
        raise EarsightError(f"{name}: a model of that name comes with the package; choose another name")
    if (models_home() / name).exists():
        raise EarsightError(f"{name}: is installed; `earsight models remove {name}` first, or choose another name")


def _demand_model(folder: Path) -> None:
    """Raise EarsightError where a folder lacks what `config.json` counts on."""
    config = read_config(folder)
    for file in (ENCODER, *(config.decoding.get(name) for name in ("lm", "lexicon"))):
        if file and not (isinstance(file, str) and Path(file).name == file and os.path.isfile(folder / file)):
            raise EarsightError(f"{folder}: {file} is missing; export the model again")


# --- archives

@dataclass(frozen=True)
class Member:
    """A file in an archive: its path there, and what opens it."""

    path: str
    open: Callable[[], IO[bytes]]


def _extract(file: IO[bytes], source: str, folder: Path) -> None:
    """Write an archive's files into an empty folder, without folders of their own.

    Raises:
        EarsightError: something else than files in one folder, or more than a model has.
    """
    left, top = LARGEST, None
    try:
        for count, member in enumerate(_members(file, source)):
            *folders, name = _parts(member.path, source)
            if count and folders != top or len(folders) > 1:
                raise EarsightError(f"{source}: {member.path!r:.100} is in another folder than other files; a model is "
                                    "files in one folder")
            top = folders
            if count == MOST_FILES or (folder / name).exists():
                what = "more files than a model has" if count == MOST_FILES else f"{name!r:.100} twice"
                raise EarsightError(f"{source}: holds {what}; pack it again with `earsight models pack`")
            with member.open() as content, open(folder / name, "xb") as file_out:
                while block := content.read(CHUNK):
                    if (left := left - len(block)) < 0:
                        raise EarsightError(f"{source}: larger than {LARGEST / 1e9:g} GB when unpacked; no model is")
                    file_out.write(block)
    except EarsightError:
        raise
    except Exception as error:  # what zip, gzip, bz2 and xz say of damage has nothing in common
        if isinstance(error, OSError) and error.errno is not None:  # of writing
            raise
        raise EarsightError(f"{source}: a damaged archive ({first_line(error)}); get it anew") from error


def _members(file: IO[bytes], source: str) -> Iterator[Member]:
    """The files of a zip or a tar; what a Mac adds is passed over."""
    if file.read(2) == b"PK":
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                mode = entry.external_attr >> 16
                if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise _no_file(entry.filename, source)
                if entry.flag_bits & 1:
                    raise EarsightError(f"{source}: needs a password; unpack it, and pack it without")
                if not entry.is_dir() and not _of_a_mac(entry.filename):
                    yield Member(entry.filename, lambda entry=entry: archive.open(entry))
        return
    file.seek(0)
    try:
        archive = tarfile.open(fileobj=file, mode="r:*")
    except tarfile.ReadError:
        raise EarsightError(f"{source}: neither zip nor tar; `earsight models pack` makes an archive") from None
    with archive:
        for entry in archive:
            if not (entry.isfile() or entry.isdir()):
                raise _no_file(entry.name, source)
            if entry.isfile() and not _of_a_mac(entry.name):
                yield Member(entry.name, lambda entry=entry: cast(IO[bytes], archive.extractfile(entry)))


def _no_file(path: str, source: str) -> EarsightError:
    return EarsightError(f"{source}: {path!r:.100} is a link or a device, and a model is files; pack them themselves")


def _parts(path: str, source: str) -> list[str]:
    """A path's folders and name, none of which leads out of where it is put."""
    parts = [part for part in PurePosixPath(path).parts if part != "."]
    if not parts or path.startswith("/") or ".." in parts or re.search(r'[\\:\0]', path):
        raise EarsightError(f"{source}: {path!r:.100} leads out of the model's folder; take an archive that you trust")
    return parts


def _of_a_mac(path: str) -> bool:
    return path.startswith("__MACOSX/") or PurePosixPath(path).name == ".DS_Store" or "/._" in f"/{path}"


# --- where archives come from

@contextmanager
def _opened(path: Path, source: str) -> Iterator[BufferedReader]:
    try:
        file = open(path, "rb")
    except OSError as error:
        raise EarsightError(f"{source}: cannot be read ({error.strerror}); check the path") from error
    with file:
        yield file


def _checksum(file: BufferedReader) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum_beside(source: str, address: bool) -> str | None:
    """The checksum in the file beside the archive: alone, or as sha256sum writes it, with the archive's name."""
    if address:
        parts = urlsplit(source)
        place = urlunsplit(parts._replace(path=f"{parts.path}.sha256", fragment=""))
        name = PurePosixPath(parts.path).name
        try:
            content = b"".join(_blocks(place))
        except EarsightError as error:
            if isinstance(error.__cause__, HTTPError) and error.__cause__.code in MISSING:
                return None
            raise
    else:
        place, name = f"{source}.sha256", Path(source).name
        path = Path(place).expanduser()
        if not path.is_file():
            return None
        with _opened(path, place) as file:
            content = file.read(CHUNK)
    lines = [line.split() for line in content.decode("utf-8", "replace").splitlines() if line.strip()]
    named = [line for line in lines if len(line) > 1 and PurePosixPath(line[-1].lstrip("*")).name == name]
    chosen = named or lines
    if len(chosen) != 1 or not CHECKSUM.fullmatch(chosen[0][0].lower()):
        raise EarsightError(f"{place}: no checksum of {name}; give it with --sha256")
    return chosen[0][0].lower()


def _fetch(address: str, path: Path) -> None:
    with open(path, "wb") as file:
        for block in _blocks(address):
            if file.tell() + len(block) > LARGEST:
                raise EarsightError(f"{address}: larger than {LARGEST / 1e9:g} GB; no model is")
            file.write(block)


def _blocks(address: str) -> Iterator[bytes]:
    """What is at an http address, to its end; shows how much of it has come."""
    if not address.lower().startswith(("http://", "https://")):
        raise EarsightError(f"{address}: neither a file nor an http address; download it, and name the file")
    try:
        with urlopen(Request(address, headers={"User-Agent": "earsight"}), timeout=PATIENCE) as answer:
            length = answer.headers["Content-Length"] or ""
            total = int(length) if length.isdecimal() else None
            hidden = None if total is None or total > CHUNK else True
            with tqdm(desc="fetching", total=total, unit="B", unit_scale=True, disable=hidden) as bar:
                received = 0
                while block := answer.read(CHUNK):
                    bar.update(len(block))
                    received += len(block)
                    yield block
            if total is not None and received < total:
                raise EarsightError(f"{address}: ended after {received} of {total} bytes; try again")
    except HTTPError as error:
        raise EarsightError(f"{address}: the server says {error.code} {error.reason}; check the address") from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or first_line(error)
        raise EarsightError(f"{address}: cannot be fetched ({reason}); check the address and the connection, or "
                            "download it otherwise, and name the file") from error


def _public(address: str) -> str:
    """An address without what may be secret in it."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
