"""Sound that libsndfile reads: wav, flac, ogg, opus, aiff and their kind."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ...common.containers import cut_short
from .pieces import BLOCK, Piece

if TYPE_CHECKING:
    import soundfile

# What soundfile reads. Not mp3: libsndfile guesses its length from the first bit rate and stops there, takes
# any file of that name for one, and prints to the terminal.
SOUNDFILE_STARTS = (b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"fLaC", b"OggS", b"caff", b".snd", b"NIST")


def open_soundfile(path: Path, head: bytes) -> "soundfile.SoundFile | None":
    """The file opened, or None where libav must read it."""
    if not head.startswith(SOUNDFILE_STARTS):
        return None
    import soundfile

    try:
        # Bytes, which its types do not mention: a name may be no UTF-8.
        file = soundfile.SoundFile(cast(Path, os.fsencode(path)))
    except (soundfile.SoundFileError, OSError):
        return None
    if file.frames >= 1 << 62:  # a flac that was written to a pipe, whose end libsndfile does not find
        file.close()
        return None
    return file


def soundfile_pieces(path: Path, file: "soundfile.SoundFile") -> Iterator[Piece]:
    import soundfile

    with file:
        rate, channels, left = file.samplerate, file.channels, file.frames
        while left:
            try:
                block = file.read(max(1, BLOCK // channels), dtype="float32")
            except soundfile.SoundFileError as error:
                how = f"its header announces {file.frames} samples and they do not all decode"
                raise cut_short(path, how) from error
            if not len(block):
                there = file.frames - left
                raise cut_short(path, f"its header announces {file.frames} samples and {there} are there")
            left -= len(block)
            yield Piece(block if block.ndim == 1 else block.mean(axis=1, dtype=np.float32), rate, channels)
