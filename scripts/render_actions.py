"""People doing exercises, drawn by the project itself: training and example clips for `actions-10`.

    python scripts/render_actions.py clips DEST [--clips 400] [--seed 1] [--size 320x240] [--seconds 4 8] [--jobs 1]
    python scripts/render_actions.py examples [DEST]

`clips` writes DEST/CLASS/render_CLASS_gNNN_c01.mp4, as many of each of UCF101's ten classes as of any other, and
DEST/clips.csv (path,label,group); every clip has its own person, place and camera, and is its own group. Seed and
number settle all of a clip. `examples` renders the videos in scripts/films/, which no training seed makes.
"""

from __future__ import annotations

import argparse
import csv
import io
import multiprocessing
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from drawn_films import HABITS, Habit, film, perform, perform_in_turn
from drawn_video import x264_options
from exercise_poses import EXERCISES
from tqdm import tqdm

from earsight.common.errors import EarsightError
from earsight.common.files import whole_file, write_whole

EXAMPLES = Path(__file__).resolve().parent / "films"
RATES = Fraction(25), Fraction(30000, 1001), Fraction(30)  # frames a second


# Clips


@dataclass(frozen=True)
class Clip:
    """One clip of the set: its label, its place in the set, and its seed."""

    label: str
    number: int
    seed: int

    @property
    def group(self) -> str:
        return f"render_{self.label}_g{self.number:03d}"

    @property
    def path(self) -> str:
        return f"{self.label}/{self.group}_c01.mp4"


@dataclass(frozen=True)
class Video:
    """Frames uint8 RGB (height, width, 3), their rate in Hz, and how hard x264 compresses them (crf)."""

    frames: Iterator[np.ndarray]
    rate: Fraction
    crf: int


def draw_clip(clip: Clip, size: tuple[int, int], seconds: tuple[float, float]) -> Video:
    """The clip, drawn as its frames are taken; `size` is (width, height)."""
    rng = np.random.default_rng((clip.seed, list(EXERCISES).index(clip.label), clip.number))
    rate = RATES[rng.integers(len(RATES))]
    count = max(round(rng.uniform(*seconds) * rate), 2)
    act = perform(clip.label, count, float(rate), rng)
    return Video(film(act, HABITS[clip.label], size, rng), rate, int(rng.integers(23, 33)))


def render(
    destination: str | Path, *, clips: int = 400, seed: int = 1, size: tuple[int, int] = (320, 240),
    seconds: tuple[float, float] = (4.0, 8.0), jobs: int = 1, progress: bool = True
) -> Path:
    """Render the clips, and write and return their table, destination/clips.csv."""
    if clips < 1 or seed < 0 or jobs < 1:
        raise EarsightError(f"{clips} clips, seed {seed}, {jobs} jobs: give 1, 0 and 1 or more")
    if min(size) < 16 or any(each % 2 for each in size):
        raise EarsightError(f"size {size[0]}x{size[1]}: the video's sides must be even and 16 or more")
    if not 0 < seconds[0] <= seconds[1]:
        raise EarsightError(f"seconds {seconds[0]:g} to {seconds[1]:g}: give the shortest, above 0, then the longest")
    destination = Path(destination)
    labels = list(EXERCISES)
    wanted = [Clip(labels[k % len(labels)], k // len(labels) + 1, seed) for k in range(clips)]
    work = partial(_render_one, destination, size, seconds)
    bar = tqdm(total=clips, desc="rendering", unit="clip", disable=None if progress else True)
    if jobs == 1:
        for clip in wanted:
            work(clip)
            bar.update()
    else:
        with multiprocessing.get_context("spawn").Pool(jobs) as pool:
            for _ in pool.imap_unordered(work, wanted):
                bar.update()
    bar.close()
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["path", "label", "group"])
    rows.writerows((clip.path, clip.label, clip.group) for clip in sorted(wanted, key=lambda each: each.path))
    write_whole(destination / "clips.csv", table.getvalue())
    return destination / "clips.csv"


def _render_one(destination: Path, size: tuple[int, int], seconds: tuple[float, float], clip: Clip) -> None:
    cv2.setNumThreads(1)
    write_video(destination / clip.path, draw_clip(clip, size, seconds), size)


def write_video(path: Path, video: Video, size: tuple[int, int], preset: str = "veryfast") -> None:
    """Write H.264 in mp4, whole or not at all."""
    import av

    options = x264_options(video.crf, preset)
    with whole_file(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=video.rate, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for frame in video.frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


# Examples


EXAMPLE_SEED = 20261  # no training seed comes near
EXAMPLE_SIZE, EXAMPLE_RATE, EXAMPLE_CRF = (320, 240), Fraction(25), 28
EXAMPLE_CLIPS = {  # file: label, number of the draw, seconds
    "jumping-jacks.mp4": ("JumpingJack", 1, 4.0),
    "push-ups.mp4": ("PushUps", 3, 5.0),
    "pull-ups.mp4": ("PullUps", 5, 5.0),
    "trampoline.mp4": ("TrampolineJumping", 1, 4.0),
    "handstand-walk.mp4": ("HandstandWalking", 1, 5.0),
}
IN_TURN = ("JumpingJack", "BodyWeightSquats", "PushUps")  # in three-exercises.mp4


def render_examples(destination: str | Path = EXAMPLES) -> list[Path]:
    """Render the example clips and what is known of them, and return the clips' paths."""
    cv2.setNumThreads(1)
    return [*_short_examples(Path(destination)), _long_example(Path(destination))]


def _short_examples(destination: Path) -> list[Path]:
    """One exercise each; actions.csv (path,label) lists them."""
    table = ["path,label"]
    for name, (label, number, seconds) in EXAMPLE_CLIPS.items():
        rng = np.random.default_rng((EXAMPLE_SEED, list(EXERCISES).index(label), number))
        act = perform(label, round(seconds * EXAMPLE_RATE), float(EXAMPLE_RATE), rng)
        frames = film(act, HABITS[label], EXAMPLE_SIZE, rng, still=True)
        write_video(destination / name, Video(frames, EXAMPLE_RATE, EXAMPLE_CRF), EXAMPLE_SIZE, "slow")
        table.append(f"{name},{label}")
    write_whole(destination / "actions.csv", "\n".join(table) + "\n")
    return [destination / name for name in EXAMPLE_CLIPS]


def _long_example(destination: Path) -> Path:
    """Three exercises in a row; three-exercises.txt holds start, end (seconds) and label of each, tab-separated."""
    rng = np.random.default_rng((EXAMPLE_SEED, 4))
    act, starts = perform_in_turn(IN_TURN, 192, float(EXAMPLE_RATE), rng)
    habit = Habit(around=((40, 5, 1.0),), height=(1.0, 1.2), fill=(0.8, 0.85), indoors=1.0, company=0.0)
    path = destination / "three-exercises.mp4"
    frames = film(act, habit, EXAMPLE_SIZE, rng, still=True)
    write_video(path, Video(frames, EXAMPLE_RATE, EXAMPLE_CRF), EXAMPLE_SIZE, "slow")
    edges = [float(edge / EXAMPLE_RATE) for edge in (0, *starts, len(act.span) // act.sub_frames)]
    spans = zip(edges[:-1], edges[1:], IN_TURN, strict=True)
    write_whole(path.with_suffix(".txt"), "".join(f"{start:.2f}\t{end:.2f}\t{label}\n" for start, end, label in spans))
    return path


# Command line


def _size(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="People doing exercises, drawn by the project itself.")
    commands = parser.add_subparsers(dest="command", required=True)
    clips = commands.add_parser("clips", help="clips and their table to train on")
    clips.add_argument("destination", type=Path)
    clips.add_argument("--clips", type=int, default=400, help="in all (default: 400)")
    clips.add_argument("--seed", type=int, default=1)
    clips.add_argument("--size", type=_size, default=(320, 240), metavar="WIDTHxHEIGHT", help="default: 320x240")
    clips.add_argument("--seconds", type=float, nargs=2, default=(4.0, 8.0), metavar=("SHORTEST", "LONGEST"))
    clips.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    examples = commands.add_parser("examples", help="the clips that the demo classifies")
    examples.add_argument("destination", type=Path, nargs="?", default=EXAMPLES)
    given = parser.parse_args(arguments)
    try:
        if given.command == "examples":
            print(*render_examples(given.destination), sep="\n")
            return 0
        table = render(
            given.destination, clips=given.clips, seed=given.seed, size=given.size, seconds=tuple(given.seconds),
            jobs=given.jobs
        )
        print(table)
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
