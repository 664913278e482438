"""How fast Earsight's video is beside what else there is: times, ratios, and whether they meet the aims.

    python scripts/bench_video.py [--model MODEL] [--rows ROW...] [--clips N] [--json FILE]

The rows:
- classify: `earsight classify` of UCF101 test clips, the whole process, beside r3d_18's forward on 16 x 112 x 112.
- one-clip: `earsight classify` of one example clip beside `python -c "import torch"`; median times.
- hour: `earsight classify --timeline` of one hour of 320 x 240: times real time, and the peak memory.
- overlap: the pipeline beside the slower of decoding (with pictures) alone and the CNN alone.

What is compared runs in one call of this script, on two cores. Needs the extra train, and UCF101 clips in
../shared/data/ufc10. A row that lacks something says so and is left out.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench_speech import CORES, EARSIGHT, REPOSITORY, Row, as_json, as_table, keep_compiled

from earsight.common.errors import EarsightError
from earsight.common.files import write_whole

CLIPS = REPOSITORY.parent / "shared" / "data" / "ufc10" / "videos"
FILMS = REPOSITORY / "scripts" / "films"
ONE_CLIP, LONG_CLIP = FILMS / "jumping-jacks.mp4", FILMS / "three-exercises.mp4"
HOUR = 3600  # seconds


class Bench:
    """The rows' functions."""

    def __init__(self, args: argparse.Namespace):
        self.args = args

    def classify(self) -> list[Row]:
        """Clips a second, and beside a 3-D CNN that sees 16 frames of each."""
        clips = [str(clip) for clip in sorted(CLIPS.glob("*/*_g0[1-4]_*.mp4"))][: self.args.clips]
        if not clips:
            raise EarsightError(f"{CLIPS}: no clips there")
        seconds = min(self._earsight("classify", *clips) for _ in range(2))
        theirs = r3d_seconds(16) / 16 * len(clips)
        return [
            Row(f"classify {len(clips)} UCF101 clips", len(clips) / seconds, "clips/s", 8, 12,
                detail=f"{seconds:.1f} s, the whole process"),
            Row("against r3d_18's forward", theirs / seconds, "x", 3, detail=f"{theirs / len(clips):.2f} s a clip"),
        ]

    def one_clip(self) -> list[Row]:
        """The whole process for one clip beside the time that `import torch` takes."""
        ours, theirs = [], []
        for _ in range(5):
            ours.append(self._earsight("classify", str(ONE_CLIP)))
            theirs.append(run([sys.executable, "-c", "import torch"]))
        return [Row("one clip against import torch", median(ours) / median(theirs), "x", 0.5, smaller_is_better=True,
                    detail=f"{median(ours):.2f} and {median(theirs):.2f} s")]

    def hour(self) -> list[Row]:
        """A timeline of an hour."""
        with tempfile.TemporaryDirectory() as folder:
            film = repeat(LONG_CLIP, Path(folder) / "hour.mp4", HOUR)
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            seconds = self._earsight("classify", str(film), "--timeline")
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        note = "" if peak * 1024 > before else ", at most: an earlier row took as much"
        return [
            Row("timeline of an hour", HOUR / seconds, "x real time", 40, 100, detail=f"{seconds:.0f} s"),
            Row("its peak memory", peak, "MB", 600, smaller_is_better=True, detail=f"the whole process{note}"),
        ]

    def overlap(self) -> list[Row]:
        """How much the pipeline costs over its slower part."""
        from earsight.video.frontends.embedding import embed_block, moment_blocks
        from earsight.video.frontends.pictures import pictures
        from earsight.video.recognition.recogniser import ActionRecogniser

        recogniser = ActionRecogniser(self.args.model, CORES - 1)
        with tempfile.TemporaryDirectory() as folder:
            film = repeat(LONG_CLIP, Path(folder) / "film.mp4", 120)
            decoding, blocks = timed(lambda: list(moment_blocks(pictures(film, recogniser.pictures))))
            held: dict = {}
            cnn, _ = timed(lambda: [embed_block(block, recogniser.pictures, recogniser.runtime.frames, held)
                                    for block in blocks])
            together, _ = timed(lambda: list(recogniser.blocks(film)))
        return [Row("pipeline against its slower part", together / max(decoding, cnn), "x", 1.2, 1.05,
                    smaller_is_better=True, detail=f"decoding {decoding:.1f} s, CNN {cnn:.1f} s, both {together:.1f}")]

    def _earsight(self, *arguments: str) -> float:
        return run([EARSIGHT, *arguments, "--model", str(self.args.model)])


def run(command: list[str]) -> float:
    """Seconds that a process takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def timed(work):
    """Seconds that a call takes, and what it returns."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def r3d_seconds(clips: int) -> float:
    """Seconds that torchvision's r3d_18 takes for `clips` clips of 16 x 112 x 112, in batches of four."""
    import torch
    import torchvision

    torch.set_num_threads(CORES)
    model = torchvision.models.video.r3d_18().eval()
    batch = torch.zeros(4, 3, 16, 112, 112)
    with torch.inference_mode():
        model(batch)
        return timed(lambda: [model(batch) for _ in range(clips // 4)])[0]


def repeat(clip: Path, film: Path, seconds: float) -> Path:
    """Write a clip's packets again and again until the film is so long; nothing is encoded anew."""
    import av

    with av.open(str(film), "w") as output:
        stream, offset = None, 0
        while stream is None or offset * stream.time_base < seconds:
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                stream = stream or output.add_stream_from_template(video)
                end = 0
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    end = max(end, packet.pts + packet.duration)
                    output.mux(packet)
                offset = end
    return film


def main() -> int:
    """Measure the rows that were asked for; 0 even if some of them are left out."""
    names = ("one-clip", "hour", "overlap", "classify")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="actions-10", help="model folder or installed model (default: actions-10)")
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="ROW",
                        help=f"only these of {', '.join(names)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    parser.add_argument("--clips", type=int, help="only so many of the test clips (default: all)")
    args = parser.parse_args()
    keep_compiled()
    if hasattr(os, "sched_setaffinity"):  # children inherit it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    rows: list[Row] = []
    for name in (name for name in names if name in args.rows):
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            rows += getattr(Bench(args), name.replace("-", "_"))()
        except EarsightError as error:
            rows.append(Row(name, None, "", detail=f"left out: {error}"))
    print(as_table(rows))
    if args.json:
        write_whole(args.json, as_json(rows, str(args.model)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
