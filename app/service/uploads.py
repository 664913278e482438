"""A multipart body, streamed to disk: one file and a few short fields, of whatever a client sends."""

import asyncio
import errno
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from .errors import ApiError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

TEXT = 1 << 16  # bytes of all fields that are no file
FIELDS = 64
NAME = 200  # letters of a file's name, which only ever comes back to who sent it
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DRAIN = 2.0  # seconds for which the rest of a refused body is read: who sends it looks for the answer only then


@dataclass
class Upload:
    """What was sent.

    Attributes:
        path: where the file is, under a name of the server's.
        name: what the client calls it, without folders.
        fields: name -> values, in order.
    """

    path: Path
    name: str
    fields: dict[str, list[str]] = field(default_factory=dict)

    def remove(self) -> None:
        """Delete the file, where it still is."""
        with suppress(OSError):
            self.path.unlink()


@asynccontextmanager
async def receive_upload(request: Request, folder: Path, max_bytes: float, seconds: float, idle: float,
                         known: Mapping[str, str]) -> AsyncIterator[Upload]:
    """Receive a body; its file is deleted at the end, whatever happens.

    Args:
        folder: for the file.
        max_bytes: of the body.
        seconds, idle: in which all of it has to be there, and its next part.
        known: names of the fields, and of the file, with what they are; others are refused.

    Raises:
        ApiError: the body is not what it should be.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise ApiError(415, "the body has to be multipart/form-data, with the sound or video as `file`", "bad_body")
    try:
        file = tempfile.NamedTemporaryFile(dir=folder, delete=False)
    except OSError as error:
        raise _no_room(error) from error
    path = Path(file.name)
    try:
        try:
            with file:
                form = _Form(file.file, known)
                await _receive(request, form, options[b"boundary"], max_bytes, seconds, idle)
        except OSError as error:  # a disk may tell that it is full when the file is closed
            raise _no_room(error) from error
        yield Upload(path, form.name, form.fields)
    finally:
        with suppress(OSError):
            path.unlink()


async def _receive(request: Request, form: "_Form", boundary: bytes, max_bytes: float, seconds: float, idle: float
                   ) -> None:
    try:
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > max_bytes:
            raise _too_large(max_bytes)
        async with asyncio.timeout(seconds):
            await _parse(request, form, boundary, max_bytes, idle)
        if not form.ended:
            raise ApiError(400, "the body ends before its last part does; send it again", "bad_body")
        if not form.files:
            raise ApiError(400, "there is no file; send one as `file`, with a filename", "missing_file", "file")
    except TimeoutError:
        raise ApiError(408, f"the body has to come within {seconds:g} s, without pauses of {idle:g} s", "timeout",
                       headers={"Connection": "close"}) from None
    except FormParserError as error:
        await _drain(request)
        raise ApiError(400, f"the body is no multipart/form-data ({error})", "bad_body") from error
    except ApiError as error:
        if not await _drain(request):
            error.headers["Connection"] = "close"
        raise


async def _parse(request: Request, form: "_Form", boundary: bytes, max_bytes: float, idle: float) -> None:
    size, parser, stream = 0, MultipartParser(boundary, form.callbacks()), request.stream()
    while True:
        async with asyncio.timeout(idle):
            chunk = await anext(stream, None)
        if chunk is None:
            parser.finalize()
            return
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        parser.write(chunk)


class _Form:
    """What the parser finds, part by part."""

    def __init__(self, file: IO[bytes], known: Mapping[str, str]):
        self.name, self.fields, self.files, self.ended = "", {}, 0, False
        self._file, self._known = file, known
        self._headers: dict[bytes, bytes] = {}
        self._header, self._value, self._field, self._in_file = b"", b"", "", False
        self._text, self._texts = bytearray(), 0

    def callbacks(self) -> "MultipartCallbacks":
        return {"on_part_begin": self._begin, "on_part_data": self._data, "on_part_end": self._end,
                "on_header_field": self._header_name, "on_header_value": self._header_value,
                "on_header_end": self._header_end, "on_headers_finished": self._headers_finished,
                "on_end": self._finish}

    def _begin(self) -> None:
        self._headers = {}
        self._text = bytearray()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._field = options.get(b"name", b"").decode(errors="replace")
        self._in_file = b"filename" in options
        if self._field not in self._known:
            raise ApiError(400, f"field {self._field[:NAME]!r} is unknown; known are {', '.join(self._known)}",
                           "unknown_field", self._field[:NAME])
        if self._in_file != (self._field == "file"):
            raise ApiError(400, f"`{self._field}` has to be {self._known[self._field]}", "wrong_type", self._field)
        if self._in_file:
            self.files += 1
            if self.files > 1:
                raise ApiError(400, "there is more than one file; send each in a request of its own", "many_files",
                               "file")
            name = options[b"filename"].decode(errors="replace").replace("\\", "/").rpartition("/")[2]
            self.name = "".join(letter for letter in name if letter.isprintable())[:NAME] or "file"

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._file.write(data[start:end])
            return
        self._text += data[start:end]
        self._texts += end - start
        if self._texts > TEXT:
            raise ApiError(413, f"with `{self._field}` the fields are longer than {TEXT} bytes", "too_large",
                           self._field)

    def _end(self) -> None:
        if self._in_file:
            return
        try:
            text = self._text.decode()
        except UnicodeDecodeError:
            raise ApiError(400, f"`{self._field}` is not UTF-8", "wrong_type", self._field) from None
        self.fields.setdefault(self._field, []).append(text)
        if sum(map(len, self.fields.values())) > FIELDS:
            raise ApiError(400, f"more than {FIELDS} fields", "bad_body")

    def _finish(self) -> None:
        self.ended = True


async def _drain(request: Request) -> bool:
    """Read the rest of a body, for a while; whether that was all of it."""
    with suppress(RuntimeError):  # it had been read to its end
        try:
            async with asyncio.timeout(DRAIN):
                async for _ in request.stream():
                    pass
        except TimeoutError:
            return False
    return True


def _too_large(max_bytes: float) -> ApiError:
    return ApiError(413, f"the body is larger than {max_bytes / 1e6:g} MB; send a part, or compressed sound",
                    "too_large", "file")


def _no_room(error: OSError) -> ApiError:
    if error.errno in FULL:
        return ApiError(507, "the server has no room for the file now; try again later", "no_room")
    return ApiError(500, "the server cannot keep the file", "internal_error")
