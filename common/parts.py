"""What of a file is read as one: several that were joined, headers that lack sizes, what comes behind the end."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .containers import (
    SLACK,
    TS_PACKET,
    UNKNOWN_LONG,
    UNKNOWN_SIZE,
    chunk_at,
    is_avi,
    is_matroska,
    is_mp4,
    is_mpeg,
    is_plain_wave,
    is_transport,
    matroska_files,
    wave_data,
)

FLAC_START = b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22"  # with the header of STREAMINFO, 34 bytes, which comes first
SCANNED = 1 << 20  # bytes at once of what is looked through: all of it would count as this process's memory
TS_TAIL = 1 << 20  # bytes at the end of a transport stream that may be something else


class Part(NamedTuple):
    """Where in a file one of several lies that were joined to it: bytes; `end` None is the file's end.

    `plain`: it is all of a file whose header is known to lack nothing.
    """

    start: int = 0
    end: int | None = None
    plain: bool = False

    @property
    def is_file(self) -> bool:
        """Whether it is all of its file."""
        return self.start == 0 and self.end is None

    def url(self, path: Path) -> str:
        """The name by which libav opens it."""
        # "file:" keeps a name with a colon from being taken for a protocol.
        if self.is_file:
            return f"file:{path}"
        return f"subfile,,start,{self.start},end,{self.end or 0},,:file:{path}"  # 0: the file's end


def parts(path: Path, head: bytes) -> list[Part]:
    """The files that were joined to this one (WAV, FLAC, MP4, AVI, Matroska), one behind another; nearly always one.

    Where what comes behind a transport stream is none, the one part ends before it.
    """
    if is_mpeg(head):  # frames behind frames, whoever joined them
        return [Part()]
    if is_plain_wave(head, os.stat(path).st_size):
        return [Part(plain=True)]
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            starts = _joined_waves(file, size)
        elif head.startswith(FLAC_START):
            starts = _flac_starts(file)
        elif is_mp4(head):
            starts = _joined_mp4(file, size)
        elif is_avi(head):
            starts = _joined_avi(file, size)
        elif is_matroska(head):
            starts = [start for start, _ in matroska_files(file, size)]
        elif is_transport(head):
            return [Part(0, _end_of_transport(file, size))]
        elif head[:4] == b"riff":  # libsndfile reads a w64 to the file's end, whatever is there
            announced = int.from_bytes(head[16:24], "little")
            return [Part(0, announced if SLACK < announced < size else None)]
        else:
            return [Part()]
    ends = [*starts[1:], None]
    return [Part(start, end) for start, end in zip(starts, ends)]


def mended_sizes(path: Path, head: bytes, part: Part) -> dict[int, bytes]:
    """What the header of a WAV, RF64 or AU lacks whose writer was stopped: bytes, by their place in the part.

    The size of the data is then given as not known, by which readers go on to the end.
    """
    if part.plain or head[:4] not in (b"RIFF", b"RF64", b"BW64", b".snd"):
        return {}
    unknown = b"\xff" * 4
    with open(path, "rb") as file:
        size = (part.end or os.fstat(file.fileno()).st_size) - part.start
        file.seek(part.start)
        kind = file.read(4)
        if kind in (b"RF64", b"BW64"):
            data = wave_data(file, part.start, size)
            known = int.from_bytes(head[28:36], "little")
            if head[12:16] != b"ds64" or data is None or 0 < known < UNKNOWN_LONG:
                return {}
            there = size - data[0]
            return {20: (size - 8).to_bytes(8, "little"), 28: there.to_bytes(8, "little"), 36: bytes(8)}
        if kind == b".snd":
            return {8: unknown} if head[8:12] == bytes(4) and size > int.from_bytes(head[4:8], "big") else {}
        if kind != b"RIFF" or (data := wave_data(file, part.start, size)) is None:
            return {}
        place, length = data
        whole = length or place == size or _ends_in_chunks(file, part.start + place, part.start + size)
        return {} if whole else {4: unknown, place - 4: unknown}


def unread_tail(path: Path, head: bytes, part: Part) -> int:
    """Bytes behind the data of a WAV that are no chunks, as where its header is older than its sound; else 0."""
    if part.plain or head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return 0
    with open(path, "rb") as file:
        size = (part.end or os.fstat(file.fileno()).st_size) - part.start
        if (data := wave_data(file, part.start, size)) is None or not 0 < data[1] < UNKNOWN_SIZE:
            return 0
        end = sum(data) + data[1] % 2
        return 0 if _ends_in_chunks(file, part.start + end, part.start + size) else max(size - end, 0)


def oversized_data(path: Path, head: bytes, part: Part) -> Part | None:
    """Where the data of a WAV are that has more than 4 GiB of them, which its 32 bits begin to count from 0 again."""
    if part.plain or head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < 1 << 32 or (data := wave_data(file, 0, size)) is None:
            return None
    place, length = data
    return Part(place) if size - place > length and (size - place - length) % (1 << 32) <= SLACK else None


def container_start(path: Path, demuxers: str, part: Part = Part()) -> float:
    """Seconds at which the first of a file's tracks begins, by its own clock: from there players count; 0 if unknown.

    Args:
        path: the file, which libav can open.
        demuxers: those that it may use.
    """
    import av
    import av.error

    options = {"format_whitelist": demuxers, "protocol_whitelist": "file,subfile"}
    try:
        with av.open(part.url(path), container_options=options, metadata_errors="ignore") as container:
            return (container.start_time or 0) / av.time_base
    except (av.error.FFmpegError, IndexError):
        return 0.0


def _joined_mp4(file: BinaryIO, size: int) -> list[int]:
    """Where files begin: their first boxes are `ftyp`, and each has its `moov`."""
    starts, start, complete = [0], 0, False
    while start + 8 <= size:
        name, length = chunk_at(file, start, caf=False)
        if length < 8 or start + length > size:
            break
        if name == b"ftyp" and complete:
            starts.append(start)
            complete = False
        complete |= name == b"moov"
        start += length
    return starts if complete else starts[:-1] or [0]


def _joined_waves(file: BinaryIO, size: int) -> list[int]:
    starts, place = [], 0
    while place + 12 <= size:
        file.seek(place)
        header = file.read(12)
        length = int.from_bytes(header[4:8], "little")
        if header[:4] != b"RIFF" or header[8:] != b"WAVE":
            break
        starts.append(place)
        place += 8 + length + length % 2
    return starts or [0]


def _joined_avi(file: BinaryIO, size: int) -> list[int]:
    """Where RIFF chunks of the form AVI begin; what a film has beyond its first gigabyte is of the form AVIX."""
    starts, place = [], 0
    while place + 12 <= size:
        file.seek(place)
        header = file.read(12)
        length = int.from_bytes(header[4:8], "little")
        if header[:4] != b"RIFF" or not length:
            break
        if is_avi(header):
            starts.append(place)
        place += 8 + length + length % 2
    return starts or [0]


def _flac_starts(file: BinaryIO) -> list[int]:
    starts, place, held = [], 0, b""
    file.seek(0)
    while block := file.read(SCANNED):
        held += block
        starts += [place + found for found in _found(held, FLAC_START[0][:4])
                   if held[found:found + len(FLAC_START[0])] in FLAC_START]
        kept = held[-len(FLAC_START[0]) + 1:]  # too short to hold one
        place, held = place + len(held) - len(kept), kept
    return starts


def _found(content: bytes, wanted: bytes) -> Iterator[int]:
    """Where it stands, again and again."""
    place = content.find(wanted)
    while place >= 0:
        yield place
        place = content.find(wanted, place + 1)


def _end_of_transport(file: BinaryIO, size: int) -> int | None:
    """Where the last packet of a transport stream ends, if something else comes behind it."""
    first = max(0, size - TS_TAIL)
    file.seek(first)
    tail = file.read()
    place = tail.rfind(b"\x47")
    while place >= 2 * TS_PACKET:
        if tail[place - TS_PACKET] == tail[place - 2 * TS_PACKET] == 0x47:
            end = first + place + TS_PACKET
            return end if end < size else None
        place = tail.rfind(b"\x47", 0, place)
    return None


def _ends_in_chunks(file: BinaryIO, place: int, end: int) -> bool:
    """Whether RIFF chunks fill a file from `place` to its end."""
    while place + 8 <= end:
        file.seek(place)
        name, length = file.read(4), int.from_bytes(file.read(4), "little")
        if not name.isascii() or not name.strip().isalnum():
            return False
        place += 8 + length + length % 2
    return abs(place - end) <= 1
