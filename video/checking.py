"""What is wrong with the pictures of a clip: unreadable, cut short, too few, of another size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..common.data.checking import Note
from ..common.data.cuts import video_of
from ..common.errors import EarsightError
from . import reading

MIN_FRAMES = 2
ROUNDING = 1e-3  # seconds, of times in manifests


class VideoCheck:
    """Decodes the videos of clips to their end, the last one once for all the clips that are parts of it."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._decoded: tuple[np.ndarray, tuple[int, int]] | EarsightError | None = None

    def __call__(self, cut: Any, note: Note, frame_shift: float | None) -> int | None:
        """Note what is wrong with a clip's pictures; how many the model sees, one every `frame_shift` seconds.

        Without a model all of them are counted.
        """
        video = video_of(cut)
        if video is None:
            raise EarsightError("the manifest gives it no pictures")
        times, size = self._decode(Path(video["path"]))
        stated = video["width"], video["height"]
        if size != stated:
            note("wrong size", "the file has {}x{} pixels, the manifest says {}x{}".format(*size, *stated))
        end = cut.start + cut.duration
        inside = int(np.count_nonzero((times > cut.start - ROUNDING) & (times < end)))
        if inside == 0:
            note("empty", f"no picture between {cut.start:.2f} s and {end:.2f} s")
            return 0
        # A picture lasts till the next one: how long the last does is not told.
        lasting = float(np.diff(times).max()) if len(times) > 1 else cut.duration
        if times[-1] + 2 * lasting < end:
            note("cut short", f"the pictures end at {times[-1]:.2f} s, the clip at {end:.2f} s")
        seen = inside if frame_shift is None else min(inside, 1 + int(cut.duration / frame_shift))
        if seen < MIN_FRAMES:
            every = "" if frame_shift is None else f", one every {frame_shift:g} s"
            note("too few frames", f"{seen} of at least {MIN_FRAMES}: {cut.duration:.2f} s, {inside} pictures{every}")
        return inside if frame_shift is None else 1 + int(cut.duration / frame_shift)

    def _decode(self, path: Path) -> tuple[np.ndarray, tuple[int, int]]:
        """The times of a file's frames in seconds, and their width and height; or EarsightError."""
        if self._decoded is None or path != self._path:
            self._path, self._decoded = path, None
            times, size = [], (0, 0)
            try:
                for frame in reading.read_frames(path):
                    times.append(frame.time)
                    size = frame.image.shape[1], frame.image.shape[0]
                self._decoded = np.asarray(times), size
            except EarsightError as error:
                self._decoded = error
        if isinstance(self._decoded, EarsightError):
            raise self._decoded
        return self._decoded
