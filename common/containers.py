"""Files of sound and picture looked at from outside: what they are, by their content, and whether they are whole."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from .errors import EarsightError

UNKNOWN_SIZE = 0x7FFFF000  # from here on, a 32-bit size is what writers to a pipe put for "not known"
UNKNOWN_LONG = 1 << 62  # the same of 64 bits
SLACK = 64  # bytes by which the sizes in healthy wav, aiff and avi files are off: padding, or their own header
MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # what MP4 and older QuickTime files begin with
# The boxes and chunks that stand at the top level of MP4 and its kin (ISO 14496-12, QuickTime) and of CAF. Other names
# are what cameras, players and tag editors leave behind the end.
KNOWN_CHUNKS = frozenset(
    b"ftyp styp pdin moov moof mfra mdat free skip wide meta udta uuid sidx ssix prft emsg bloc pnot PICT junk "
    b"desc data chan cook pakt strg mark regn inst midi ovvw peak edct info umid kuki".split()
)
TS_PACKET = 188  # bytes; each begins with 0x47
MATROSKA = b"\x1a\x45\xdf\xa3"
SEGMENT = b"\x18\x53\x80\x67"  # the element that holds all of a Matroska file but its header
ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the header object with the size


def inspect(path: Path, kind: str, cut: Callable[[str], None] | None = None) -> bytes:
    """The first bytes of a file that exists, may be read, and is as long as its own header says.

    Args:
        path: the file.
        kind: what it should be, for the message: "sound" or "video".
        cut: is told how much is missing, where a file that is cut short is to be read as far as it goes.

    Raises:
        EarsightError: it is none of this, or empty.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # before opening: a pipe would wait for its writer
            what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise EarsightError(f"{path}: is {what}; name a {kind} file")
        with open(path, "rb") as file:
            head = file.read(4096)
            size = os.fstat(file.fileno()).st_size
            announced = _announced_size(file, head, size)
    except FileNotFoundError as error:
        raise EarsightError(f"{path}: no such file; check the path") from error
    except PermissionError as error:
        raise EarsightError(f"{path}: no permission to read it; change its permissions") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise EarsightError(f"{path}: cannot be read ({reason}); check the path and the disk") from error
    if not head:
        raise EarsightError(f"{path}: the file is empty (0 bytes); copy or record it again")
    if announced > size:
        how = f"its header announces {announced} bytes and {size} are there, {announced - size} too few"
        if cut is None:
            raise cut_short(path, how, skip=kind == "sound")
        cut(how)
    return head


def cut_short(path: Path, how: str, skip: bool = False) -> EarsightError:
    """The error for a file that is not whole; `skip`: it may be read as far as it goes."""
    rest = ", or read what is there with --damaged skip" if skip else ""
    return EarsightError(f"{path}: cut short or damaged: {how}; copy it again from its source{rest}")


def is_mp4(head: bytes) -> bool:
    """MP4 and its kin, and older QuickTime files."""
    return head[4:8] in MP4_BOXES


def is_matroska(head: bytes) -> bool:
    """Matroska and WebM."""
    return head.startswith(MATROSKA)


def is_avi(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"AVI "


def is_plain_wave(head: bytes, size: int) -> bool:
    """A WAV as nearly all are: its one RIFF chunk and, last in it, its data end with the file, as its first bytes tell.

    Such a file needs no closer look: no other was joined to it, and its header lacks nothing.
    """
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE" or 8 + int.from_bytes(head[4:8], "little") != size:
        return False
    place = 12
    while place + 8 <= len(head):
        length = int.from_bytes(head[place + 4:place + 8], "little")
        if head[place:place + 4] == b"data":
            return 0 <= size - place - 8 - length <= length % 2
        place += 8 + length + length % 2
    return False


def is_mpeg(head: bytes) -> bool:
    """mp3, mp2 or raw aac: an ID3 tag, or the eleven ones that begin a frame."""
    return head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0")


def is_transport(head: bytes) -> bool:
    """MPEG-TS."""
    return head[:1] == head[TS_PACKET : TS_PACKET + 1] == head[2 * TS_PACKET : 2 * TS_PACKET + 1] == b"\x47"


def tag_size(data: bytes) -> int:
    """Bytes of the tag that data begin with: ID3v2, ID3v1, APE, Lyrics3; 0 where they begin with none.

    Of Lyrics3 it is only told that it is there: no sound is found in its text.
    """
    if data[:3] == b"ID3":  # four bytes of seven bits
        return 10 + sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(data[6:10]))
    if data[:8] == b"APETAGEX":
        return 32 + int.from_bytes(data[12:16], "little")
    if data[:3] == b"TAG":
        return 128
    return 1 if data[:11] == b"LYRICSBEGIN" else 0


def _announced_size(file: BinaryIO, head: bytes, size: int) -> int:
    """Bytes that the container's own header gives the whole file; 0 where it gives none."""
    kind = head[:4]
    if is_plain_wave(head, size):
        return size
    if kind == b"RIFF":  # wav and avi
        return max(_end_of_riffs(file, size), _end_of_wave_data(file, size) if head[8:12] == b"WAVE" else 0)
    if kind == b"FORM":  # aiff
        announced = int.from_bytes(head[4:8], "big")
        return 8 + announced - SLACK if announced < UNKNOWN_SIZE else 0
    if kind in (b"RF64", b"BW64"):  # wav of over 4 GB, EBU Tech 3306: ds64 comes first, with the size
        announced = int.from_bytes(head[20:28], "little")
        return 8 + announced if announced < UNKNOWN_LONG else 0
    if kind == b"riff":  # w64
        announced = int.from_bytes(head[16:24], "little")
        return announced if announced < UNKNOWN_LONG else 0
    if kind == b".snd":
        announced = int.from_bytes(head[8:12], "big")
        return int.from_bytes(head[4:8], "big") + announced if announced < UNKNOWN_SIZE else 0
    if kind == b"caff":
        return _end_of_chunks(file, size, caf=True)
    if is_mp4(head):
        return _end_of_chunks(file, size, caf=False)
    if is_matroska(head):
        return matroska_files(file, size)[-1][1]
    if (place := head.find(ASF_FILE_PROPERTIES)) >= 0:  # wma and wmv
        return int.from_bytes(head[place + 40 : place + 48], "little")
    return 0


def _end_of_chunks(file: BinaryIO, size: int, *, caf: bool) -> int:
    """Where the last of a file's top-level chunks says that it ends: MP4 boxes (ISO 14496-12), CAF chunks.

    A box begins with its size, which counts all of it; a CAF chunk with its name and the size of the rest.
    """
    start = 8 if caf else 0
    while start + (12 if caf else 8) <= size:
        name, length = chunk_at(file, start, caf)
        # A box of size 0 and a chunk of size -1 go to the end of the file; what has no name is padding.
        if length < (12 if caf else 8) or not name.isascii() or not name.strip().isalnum():
            return 0
        if start + length > size and name not in KNOWN_CHUNKS:
            return start
        start += length
    return start


def chunk_at(file: BinaryIO, start: int, caf: bool) -> tuple[bytes, int]:
    """The name of the chunk or box at `start`, and its bytes with all of its header."""
    file.seek(start)
    header = file.read(16)
    if caf:
        return header[:4], 12 + int.from_bytes(header[4:12], "big", signed=True)
    name, length = header[4:8], int.from_bytes(header[:4], "big")
    return name, int.from_bytes(header[8:16], "big") if length == 1 else length  # 1: 64 bits of size come after


def _end_of_riffs(file: BinaryIO, size: int) -> int:
    """Where a WAV or AVI file ends: a RIFF chunk, and in AVI more of them after the first gigabyte."""
    end = 0
    while end + 12 <= size:
        file.seek(end)
        name, length = file.read(4), int.from_bytes(file.read(4), "little")
        if name != b"RIFF" or not 0 < length < UNKNOWN_SIZE:
            break
        end += 8 + length
    return end - SLACK


def _end_of_wave_data(file: BinaryIO, size: int) -> int:
    data = wave_data(file, 0, size)
    return sum(data) - SLACK if data and data[1] < UNKNOWN_SIZE else 0


def wave_data(file: BinaryIO, start: int, size: int) -> tuple[int, int] | None:
    """The place in a WAV file, which begins at `start`, of its data, and the bytes of them that are announced."""
    place = 12
    while place + 8 <= size:
        file.seek(start + place)
        name, length = file.read(4), int.from_bytes(file.read(4), "little")
        place += 8
        if name == b"data":
            return place, length
        place += length + length % 2
    return None


def matroska_files(file: BinaryIO, size: int) -> list[tuple[int, int]]:
    """Where the Matroska files begin that were joined to one, and where each says that it ends (0: not known).

    Each is an EBML header, then one Segment that holds the rest (RFC 8794).
    """
    found, place = [], 0
    while place < size:
        file.seek(place)
        head = file.read(4096)
        if found and not is_matroska(head):
            break
        length, end = _ebml_size(head, 4)
        end += length
        length, end = _ebml_size(head, end + 4) if head[end:end + 4] == SEGMENT else (0, end)
        found.append((place, place + end + length if length else 0))
        if not length:
            break
        place += end + length
    return found


def _ebml_size(head: bytes, place: int) -> tuple[int, int]:
    """A variable-length size at `place` (0 for "not known"), and the place after it."""
    if place >= len(head) or head[place] == 0:
        return 0, place
    width = 9 - head[place].bit_length()
    value = int.from_bytes(head[place : place + width], "big") & ((1 << 7 * width) - 1)
    return (0 if value == (1 << 7 * width) - 1 else value), place + width
