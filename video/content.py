"""Whether a file has pictures, told from its content; OpenCV is not loaded for it."""

import os
from pathlib import Path

from ..common.containers import is_mpeg
from .reading import VIDEO_SUFFIXES
from .reading.with_libav import DEMUXERS

SOUND_HEADS = (b"fLaC", b"FORM", b"RF64", b"riff", b".snd", b"caff", b"#!AMR", b"NIST_1A", b"wvpk", b"MAC ", b"TTA1")
FRAMES_HEAD = b"\x93NUMPY"
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
    found = _picture_track(path)
    return by_name if found is None else found


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
