"""Whether a file has pictures, told from its content; OpenCV is not loaded for it."""

import os
import re
from pathlib import Path

from ..common.containers import chunk_at, is_mp4, is_mpeg
from .reading import VIDEO_SUFFIXES
from .reading.with_libav import DEMUXERS

SOUND_HEADS = (b"fLaC", b"FORM", b"RF64", b"riff", b".snd", b"caff", b"#!AMR", b"NIST_1A", b"wvpk", b"MAC ", b"TTA1")
FRAMES_HEAD = b"\x93NUMPY"
LARGEST_INDEX = 1 << 26  # bytes of a list of tracks and their frames
THEORA = b"\x80theora"  # begins the first packet of pictures in Ogg; the first packets of all tracks come first


def has_pictures(path: str | Path) -> bool:
    """Whether a file is a video; one whose content does not tell, or cannot be read, is what its name says.

    A cover is no picture of a film. Most sound is told by its first bytes, and other files by their list of tracks.
    """
    by_name = Path(path).suffix.lower() in VIDEO_SUFFIXES
    try:
        if not os.path.isfile(path):  # before opening: a pipe would wait for its writer
            return by_name
        with open(path, "rb") as file:
            head = file.read(4096)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return by_name
    if head.startswith((*SOUND_HEADS, FRAMES_HEAD)) or head[:4] + head[8:12] == b"RIFFWAVE" or is_mpeg(head):
        return False
    if head.startswith(b"OggS"):
        return THEORA in head
    if head.startswith(b"GIF8"):
        return True
    found = _track_of_mp4(path) if is_mp4(head) else None
    if found is None:
        found = _picture_track(path)
    return by_name if found is None else found


def _track_of_mp4(path: str | Path) -> bool | None:
    """Whether a track of an MP4 has pictures, told without libav, which takes longer to load than to ask.

    A track's `hdlr` box names its kind (ISO 14496-12): its size, its name, eight bytes of no use here, then `vide`.
    """
    with open(path, "rb") as file:
        size, place = os.fstat(file.fileno()).st_size, 0
        while place + 8 <= size:
            name, length = chunk_at(file, place, caf=False)
            if name == b"moov" and 8 <= length <= LARGEST_INDEX:
                file.seek(place)
                return re.search(rb"hdlr.{8}vide", file.read(length), re.DOTALL) is not None
            if length < 8:
                return None
            place += length
    return None


def _picture_track(path: str | Path) -> bool | None:
    """Whether one of the tracks has pictures; None where there is no list of tracks."""
    import av
    from av.error import FFmpegError
    from av.stream import Disposition

    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", container_options=options, metadata_errors="ignore") as container:
            if not len(container.streams):
                return None
            return any(not stream.disposition & Disposition.attached_pic for stream in container.streams.video)
    except (FFmpegError, ValueError):  # ValueError: a name that is not UTF-8
        return None
