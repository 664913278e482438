"""`earsight transcribe` with a model that reads films: lips, alone or with their sound."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...common.batch_run import run_command, share_cores
from ...common.formats.transcripts import demand_files, transcript_header, written_transcript
from ...common.paths import expand, output_names
from ..reading import VIDEO_SUFFIXES
from .reader import FilmReader


def transcribe_films(inputs: Sequence[str], reader: Callable[[int], FilmReader], form: str, output: Path | None,
                     jobs: int | None, least: float | None, mark: bool, options: Any = None) -> int:
    """Read films for the command line; print the results, or write a file for each.

    Args:
        inputs: files, folders and globs.
        reader: threads for one film -> the reader.
        form: see `common.formats.transcripts`.
        output: folder of the outputs; None prints them.
        jobs: films at a time; None for as many as suit the cores.
        least: confidence below which words are left out, or with `mark` marked; None for neither.
        options: see `FilmReader.rows`.

    Returns:
        The exit status: 0 if every film was done, else 1.
    """
    paths, refused = expand(inputs, VIDEO_SUFFIXES)
    if not output:
        demand_files(form, len(paths))
    jobs, threads = share_cores(jobs, len(paths))
    read = reader(threads)

    write = partial(written_transcript, form=form, names=output_names(paths, ""), alone=bool(output))

    def work(path: Path) -> str:
        transcript = read.transcribe(path, options=options)
        return write(transcript.doubting(least, mark) if least else transcript)

    return run_command(paths, refused, work, f".{form}", output, jobs, transcript_header(form))
