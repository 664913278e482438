"""`earsight classify`: clips of either medium in, classifications or timelines out, in one of the formats."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...common.batch_run import Spread, run_as_ready, run_command, text_of
from ...common.errors import EarsightError
from ...common.inference.recognition import Classification, Timeline, header, written
from ...common.paths import output_names


def classify_files(paths: Sequence[Path], refused: Sequence[EarsightError], recogniser: Callable[[Path], Any],
                     form: str, output: Path | None, jobs: int, top: int, timeline: bool, plot: Path | None,
                     spread: Spread = run_as_ready, job: str = "") -> int:
    """Classify files for the command line; print the results, or write a file for each.

    Args:
        paths: the files.
        refused: errors that were met while the files were looked up.
        recogniser: file -> what classifies it: `classify`, `timeline` and `thumbnails`.
        form: txt, json, csv or srt.
        output: folder of the outputs; None prints them.
        jobs: files at a time.
        top: how many classes to tell.
        timeline: what is done when, instead of what the whole clip is.
        plot: folder of pictures of the timelines; None draws none.
        spread, job: see `common.batch_run.run_command`. Other processes draw nothing, and `recogniser` is sent to them.

    Returns:
        The exit status: 0 if every file was done, and drawn if that was asked for, else 1.
    """
    plots = output_names(paths, ".png") if plot else {}

    def work_and_draw(path: Path) -> Classification | Timeline:
        assert plot
        own, result = recogniser(path), work(path)
        try:
            draw(own, result, path, plot / plots[path])
        except EarsightError as error:  # the answer is there, and is told
            print(f"error: {path}: not drawn: {error}", file=sys.stderr, flush=True)
            undrawn.append(path)
        return result

    def draw(own: Any, result: Classification | Timeline, path: Path, picture: Path) -> None:
        from .plotting import plot_timeline

        drawn = result if isinstance(result, Timeline) else own.timeline(path)
        plot_timeline(drawn, own.thumbnails(drawn), picture)

    work = partial(_classified, recogniser, timeline)
    undrawn: list[Path] = []
    write = partial(written, form=form, top=top, alone=bool(output))
    status = run_command(paths, refused, partial(text_of, work_and_draw if plot else work, write), f".{form}", output,
                         jobs, header(form, timeline), spread=spread, job=job)
    return status or int(bool(undrawn))


def _classified(recogniser: Callable[[Path], Any], timeline: bool, path: Path) -> Classification | Timeline:
    own = recogniser(path)
    return own.timeline(path) if timeline else own.classify(path)
