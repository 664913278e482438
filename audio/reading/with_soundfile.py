"""Sound that libsndfile reads: wav, flac, ogg, opus, aiff and their kind."""

import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ...common.containers import cut_short
from ...common.parts import Part, mended_sizes, oversized_data
from .options import ReadingOptions
from .pieces import BLOCK, Piece

if TYPE_CHECKING:
    import soundfile
    from _typeshed import WriteableBuffer

# What soundfile reads. Not mp3: libsndfile guesses its length from the first bit rate and stops there, takes
# any file of that name for one, and prints to the terminal.
SOUNDFILE_STARTS = (b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"fLaC", b"OggS", b"caff", b".snd", b"NIST")

PLAIN = {"PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE"}


def open_soundfile(path: Path, head: bytes, part: Part) -> "soundfile.SoundFile | None":
    """The file opened, or None where libav must read it."""
    if not head.startswith(SOUNDFILE_STARTS):
        return None
    import soundfile

    sizes = mended_sizes(path, head, part)
    whole = part.is_file and not sizes
    try:
        # A name as bytes, which its types do not mention: it may be no UTF-8.
        file = soundfile.SoundFile(cast(Path, os.fsencode(path)) if whole
                                   else io.BufferedReader(_View(path, part, sizes)))
    except (soundfile.SoundFileError, OSError):
        return None
    if (data := oversized_data(path, head, part)) is not None and file.subtype in PLAIN:
        kind = {"samplerate": file.samplerate, "channels": file.channels, "subtype": file.subtype}
        file.close()
        return soundfile.SoundFile(io.BufferedReader(_View(path, data, {})), format="RAW", endian="LITTLE", **kind)
    # A flac that was written to a pipe, whose end libsndfile does not find; an mp3 in a wav, whose length it guesses.
    if file.frames >= 1 << 62 or file.subtype.startswith("MPEG"):
        file.close()
        return None
    return file


class Unread(Exception):
    """libsndfile does not go on; `frames` have been read."""

    def __init__(self, frames: int):
        self.frames = frames


def soundfile_pieces(path: Path, file: "soundfile.SoundFile", options: ReadingOptions) -> Iterator[Piece]:
    """The file in order. What is damaged in the middle raises Unread where it may be skipped, else EarsightError."""
    import soundfile

    with file:
        rate, channels, left = file.samplerate, file.channels, file.frames
        while left:
            block = np.empty((min(max(1, BLOCK // channels), left), channels), np.float32)
            try:
                # As bytes: so soundfile looks up neither how much is left nor the type of an array.
                block = block[:file.buffer_read_into(block, "float32")]
            except soundfile.SoundFileError as error:
                if options.skip:
                    raise Unread(file.frames - left) from error
                how = f"its header announces {file.frames} samples and they do not all decode"
                raise cut_short(path, how, skip=True) from error
            if not len(block):
                how = (f"its header announces {file.frames} samples and {file.frames - left} are there, "
                       f"{left / rate:.2f} s too few")
                if not options.skip:
                    raise cut_short(path, how, skip=True)
                options.warn(path, f"{how}; what is there is read")
                return
            left -= len(block)
            yield Piece(block.T, rate)


class _View(io.RawIOBase):
    """A part of a file, with some of its bytes replaced."""

    def __init__(self, path: Path, part: Part, replaced: Mapping[int, bytes]):
        self._file = open(path, "rb")
        self._part, self._replaced = part, replaced
        self._size = (part.end or self._file.seek(0, io.SEEK_END)) - part.start
        self._file.seek(part.start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell() - self._part.start

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}[whence]
        return self._file.seek(self._part.start + max(base + offset, 0)) - self._part.start

    def readinto(self, buffer: "WriteableBuffer") -> int:
        target, place = memoryview(buffer).cast("B"), self.tell()
        count = self._file.readinto(target[:max(self._size - place, 0)])
        for start, new in self._replaced.items():
            for number, byte in enumerate(new, start - place):
                if 0 <= number < count:
                    target[number] = byte
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
