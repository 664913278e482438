"""Files of sound and picture looked at from outside: what they are, by their content, and whether they are whole."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from .errors import EarsightError

UNKNOWN_SIZE = 0x7FFFF000  # from here on, a 32-bit size is what writers to a pipe put for "not known"
SLACK = 64  # bytes by which the sizes in healthy wav, aiff and avi files are off: padding, or their own header
MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # what MP4 and older QuickTime files begin with
MATROSKA = b"\x1a\x45\xdf\xa3"
ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the header object with the size


def inspect(path: Path, kind: str) -> bytes:
    """The first bytes of a file that exists, may be read, and is as long as its own header says.

    Args:
        path: the file.
        kind: what it should be, for the message: "sound" or "video".

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
        raise cut_short(path, f"its header announces more than the {size} bytes that are there")
    return head


def cut_short(path: Path, how: str) -> EarsightError:
    return EarsightError(f"{path}: cut short or damaged: {how}; copy it again from its source")


def is_mp4(head: bytes) -> bool:
    """MP4 and its kin, and older QuickTime files."""
    return head[4:8] in MP4_BOXES


def is_matroska(head: bytes) -> bool:
    """Matroska and WebM."""
    return head.startswith(MATROSKA)


def is_mpeg(head: bytes) -> bool:
    """mp3, mp2 or raw aac: an ID3 tag, or the eleven ones that begin a frame."""
    return head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0")


def _announced_size(file: BinaryIO, head: bytes, size: int) -> int:
    """Bytes that the container's own header gives the whole file; 0 where it gives none."""
    kind = head[:4]
    if kind == b"RIFF":  # wav and avi
        return _end_of_riffs(file, size)
    if kind == b"FORM":  # aiff
        announced = int.from_bytes(head[4:8], "big")
        return 8 + announced - SLACK if announced < UNKNOWN_SIZE else 0
    if kind == b"RF64":  # wav of over 4 GB, EBU Tech 3306: ds64 comes first, with the size
        return 8 + int.from_bytes(head[20:28], "little")
    if kind == b"riff":  # w64
        return int.from_bytes(head[16:24], "little")
    if kind == b".snd":
        announced = int.from_bytes(head[8:12], "big")
        return int.from_bytes(head[4:8], "big") + announced if announced < UNKNOWN_SIZE else 0
    if kind == b"caff":
        return _end_of_chunks(file, size, caf=True)
    if is_mp4(head):
        return _end_of_chunks(file, size, caf=False)
    if is_matroska(head):
        return _end_of_segment(head)
    if (place := head.find(ASF_FILE_PROPERTIES)) >= 0:  # wma and wmv
        return int.from_bytes(head[place + 40 : place + 48], "little")
    return 0


def _end_of_chunks(file: BinaryIO, size: int, *, caf: bool) -> int:
    """Where the last of a file's top-level chunks says that it ends: MP4 boxes (ISO 14496-12), CAF chunks.

    A box begins with its size, which counts all of it; a CAF chunk with its name and the size of the rest.
    """
    start = 8 if caf else 0
    while start + (12 if caf else 8) <= size:
        file.seek(start)
        header = file.read(16)
        if caf:
            name, length = header[:4], 12 + int.from_bytes(header[4:12], "big", signed=True)
        else:
            name, length = header[4:8], int.from_bytes(header[:4], "big")
            if length == 1:  # 64 bits of size come after the name
                length = int.from_bytes(header[8:16], "big")
        # A box of size 0 and a chunk of size -1 go to the end of the file; what has no name is padding.
        if length < (12 if caf else 8) or not name.isascii() or not name.strip().isalnum():
            return 0
        start += length
    return start


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


def _end_of_segment(head: bytes) -> int:
    """Where a Matroska file ends (RFC 8794): the EBML header, then one Segment that holds the rest."""
    length, place = _ebml_size(head, 4)
    place += length
    if head[place : place + 4] != b"\x18\x53\x80\x67":
        return 0
    length, place = _ebml_size(head, place + 4)
    return place + length if length else 0


def _ebml_size(head: bytes, place: int) -> tuple[int, int]:
    """A variable-length size at `place` (0 for "not known"), and the place after it."""
    if place >= len(head) or head[place] == 0:
        return 0, place
    width = 9 - head[place].bit_length()
    value = int.from_bytes(head[place : place + width], "big") & ((1 << 7 * width) - 1)
    return (0 if value == (1 << 7 * width) - 1 else value), place + width
