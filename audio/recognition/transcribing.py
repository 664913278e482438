"""`earsight transcribe`: files in, transcripts in one of the formats out."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ...common.batch_run import run_command, share_cores
from ...common.errors import EarsightError
from ...common.formats.transcripts import demand_files, transcript_header, written_transcript
from ...common.inference.recognition import Transcript
from ...common.paths import channel_path, expand, output_names
from ..reading import FRAME_SUFFIXES, SOUND_SUFFIXES, WHOLE, ReadingOptions, each_channel
from .long_files import Clip, LongFiles
from .recogniser import SpeechRecogniser


def transcribe_files(inputs: Sequence[str], recogniser: Callable[[int], SpeechRecogniser], form: str,
                     output: Path | None, jobs: int | None, least: float | None, mark: bool,
                     options: ReadingOptions = WHOLE) -> int:
    """Transcribe files for the command line; print the results, or write a file for each.

    Args:
        inputs: files, folders and globs.
        recogniser: threads for one file -> the recogniser.
        form: see `common.formats.transcripts`.
        output: folder of the outputs; None prints them.
        jobs: files at a time; None for as many as suit the cores.
        least: confidence below which words are left out, or with `mark` marked; None for neither.
        options: what of a sound file is read. Of one that is split, each channel gets a transcript.

    Returns:
        The exit status: 0 if every file was done, else 1.
    """
    paths, refused = expand(inputs, SOUND_SUFFIXES | FRAME_SUFFIXES)
    clips: dict[Path, Clip] = {}
    for path in paths:
        try:
            clips |= _clips(path, options)
        except EarsightError as error:
            refused.append(error)
    paths = list(clips)
    if not output:
        demand_files(form, len(paths))
    jobs, threads = share_cores(jobs, len(paths))
    read = recogniser(threads)

    def finish(transcript: Transcript) -> Transcript:
        return transcript.doubting(least, mark) if least else transcript

    write = partial(written_transcript, form=form, names=output_names(paths, ""), alone=bool(output))
    as_ready = write if len(paths) == 1 and form == "txt" and not output else None
    with LongFiles(clips, output, f".{form}", finish, as_ready) as files:
        return run_command(paths, refused, lambda path: files.transcribe(read, path), None if as_ready else write,
                           f".{form}", output, jobs, transcript_header(form), forks=True)


def _clips(path: Path, options: ReadingOptions) -> dict[Path, Clip]:
    """What is read of a file, by name: all of it, or a channel or each."""
    if path.suffix.lower() in FRAME_SUFFIXES:
        return {path: Clip(path, WHOLE)}
    every = each_channel(path, options) if options.channels == "split" else [options]
    return {channel_path(path, one.channel): Clip(path, one) for one in every}
