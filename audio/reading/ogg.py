"""Ogg seen from outside (RFC 3533): the streams that are chained in a file, and the pages that are damaged or lacking.

libsndfile reads the first of chained streams and passes over damaged pages, and says nothing of either.
"""

import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ...common.containers import tag_size
from ...common.parts import Part

CAPTURE = b"OggS"
HEADER = 27  # bytes of a page's header before its table of segments
FIRST, LAST = 2, 4  # flags: the first page of a stream, the last
NO_TIME = 0xFFFFFFFFFFFFFFFF  # of a page on which no packet ends
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
OPUS_RATE = 48000  # Hz, of all times of Opus (RFC 7845)


class Hole(NamedTuple):
    """A stretch of a file that holds no page, or lacks some: seconds, about."""

    place: float
    seconds: float


@dataclass
class Chain:
    """What is in a file.

    Attributes:
        parts: the streams, one behind another; those that are heard at once are one.
        holes: damage.
        cut: the last page lacks its end.
    """

    parts: list[Part] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    cut: bool = False


class Page(NamedTuple):
    """A page's header, and whether its checksum is right."""

    flags: int
    time: int
    serial: int
    number: int
    end: int
    whole: bool
    payload: bytes


def look_through(path: Path) -> Chain:
    """All pages of an Ogg file, from its first to its last."""
    chain, starts, begun = Chain(), [], False
    rates: dict[int, int] = {}  # Hz, by serial number, as `numbers` and `times`
    numbers: dict[int, int] = {}
    times: dict[int, int] = {}
    before = 0.0  # seconds of the parts before this one
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        place, ended, hit = 0, False, False
        while place < size:
            page = _page(file, place, size)
            if page is None or not page.whole:
                place, behind = _next_page(file, place + 1, size), place
                if place == size:
                    file.seek(behind)
                    if page is not None and page.end > size:
                        chain.cut = True
                    elif not ended and not _is_decoration(file.read()):
                        hit = True
                else:
                    hit = True
                continue
            if page.flags & FIRST:
                if not starts or begun:  # streams that are heard at once begin one behind another
                    starts.append(place)
                    before += max((times[serial] / rates[serial] for serial in times), default=0.0)
                    rates, numbers, times, begun = {}, {}, {}, False
                if rate := _rate(page.payload):
                    rates[page.serial] = rate
            else:
                begun = True
            serial = page.serial
            if serial in rates:
                lacking = page.number - numbers.get(serial, page.number - 1) - 1
                if lacking > 0 or hit:
                    last = times.get(serial, 0)
                    span = (page.time - last) / rates[serial] if page.time != NO_TIME else 0.0
                    lacking = max(lacking, 1)
                    chain.holes.append(Hole(before + last / rates[serial], max(span, 0) * lacking / (lacking + 1)))
                hit = False
                numbers[serial] = page.number
                if page.time != NO_TIME:
                    times[serial] = page.time
            ended, place = bool(page.flags & LAST), page.end
        if hit:
            chain.holes.append(Hole(before + max((times[s] / rates[s] for s in times), default=0.0), 0.0))
    chain.parts = [Part(start, end) for start, end in zip(starts, [*starts[1:], None])] or [Part()]
    return chain


def _page(file: BinaryIO, place: int, size: int) -> Page | None:
    file.seek(place)
    header = file.read(HEADER)
    if len(header) < HEADER or header[:4] != CAPTURE or header[4]:
        return None
    table = file.read(header[26])
    end = place + HEADER + header[26] + sum(table)
    if end > size:
        return Page(0, 0, 0, 0, end, False, b"")
    payload = file.read(sum(table))
    found = _checksum(header[:22] + bytes(4) + header[26:] + table + payload)
    return Page(header[5], int.from_bytes(header[6:14], "little"), int.from_bytes(header[14:18], "little"),
                int.from_bytes(header[18:22], "little"), end, found == int.from_bytes(header[22:26], "little"), payload)


def _checksum(data: bytes) -> int:
    """RFC 3533's CRC: zlib's polynomial with the bits the other way round, from 0, not inverted."""
    backwards = zlib.crc32(data.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(backwards.to_bytes(4, "little").translate(REVERSED), "big")


def _next_page(file: BinaryIO, place: int, size: int) -> int:
    """Where the next page begins from `place` on; the file's end if there is none."""
    file.seek(place)
    kept = b""
    while block := file.read(1 << 16):
        found = (kept + block).find(CAPTURE)
        if found >= 0:
            return place - len(kept) + found
        place += len(block)
        kept = (kept + block)[-3:]
    return size


def _rate(payload: bytes) -> int:
    """Units a second of a sound stream's times, by its first packet; 0 for pictures and others."""
    if payload[:7] == b"\1vorbis":
        return int.from_bytes(payload[12:16], "little")
    if payload[:8] == b"OpusHead":
        return OPUS_RATE
    if payload[:5] == b"\x7fFLAC":
        return int.from_bytes(payload[27:30], "big") >> 4
    return int.from_bytes(payload[36:40], "little") if payload[:8] == b"Speex   " else 0


def _is_decoration(behind: bytes) -> bool:
    """Whether what comes behind the last page is a tag, or filled up with zeros."""
    return tag_size(behind) > 0 or not behind.strip(b"\0")
