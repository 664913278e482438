"""`earsight transcribe`: files in, transcripts in one of the formats out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ...common.ahead import meanwhile
from ...common.batch_run import Spread, run_command, run_forked, share_cores, text_of
from ...common.data.manifest_files import with_manifests
from ...common.errors import EarsightError
from ...common.formats.transcripts import demand_files, transcript_header, written_transcript
from ...common.inference.recognition import Transcript
from ...common.paths import channel_path, expand, output_names
from ...common.steps import Steps, is_small
from ..reading import FRAME_SUFFIXES, SOUND_SUFFIXES, WHOLE, ReadingOptions, each_channel, load_readers
from .long_files import Clip, LongFiles
from .recogniser import SpeechRecogniser


def transcribe_files(inputs: Sequence[str], recogniser: Callable[[int], SpeechRecogniser], form: str,
                     output: Path | None, jobs: int | None, least: float | None, mark: bool,
                     options: ReadingOptions = WHOLE, spread: Spread | None = None, job: str = "") -> int:
    """Transcribe files for the command line; print the results, or write a file for each.

    Args:
        inputs: files, folders and globs; of a manifest, the files that it names.
        recogniser: threads for one file -> the recogniser; made once for the same threads.
        form: see `common.formats.transcripts`.
        output: folder of the outputs; None prints them.
        jobs: files at a time; None for as many as suit the cores.
        least: confidence below which words are left out, or with `mark` marked; None for neither.
        options: what of a sound file is read. Of one that is split, each channel gets a transcript.
        spread: what has other processes, which `recogniser` can be sent to, work through the clips; None for threads.
        job: see `common.batch_run.run_command`.

    Returns:
        The exit status: 0 if every file was done, else 1.
    """
    paths, refused = expand(inputs, SOUND_SUFFIXES | FRAME_SUFFIXES)
    clips: dict[Path, Clip] = {}
    for path in with_manifests(paths, refused):
        try:
            clips |= _clips(path, options)
        except EarsightError as error:
            refused.append(error)
    paths = list(clips)
    if not output:
        demand_files(form, len(paths))
    finish = partial(_finished, least, mark)
    write = partial(written_transcript, form=form, names=output_names(paths, ""), alone=bool(output))
    if spread:
        work = partial(_transcribed, recogniser, finish)
        return run_command(paths, refused, partial(text_of, work, write), f".{form}", output, jobs or 0,
                           transcript_header(form), spread=partial(_spread_clips, spread, clips), job=job)
    jobs, threads = share_cores(jobs, len(paths))
    with meanwhile(partial(load_readers, [clip.path for clip in clips.values()])):
        read = recogniser(threads)
        if any(clip.path.suffix.lower() in SOUND_SUFFIXES for clip in clips.values()):
            with suppress(EarsightError):  # who reads sound says what is wrong
                read.load_frontend()  # before there are forks, each of which would load its own
    as_ready = write if len(paths) == 1 and form == "txt" and not output else None
    with LongFiles(clips, output, f".{form}", finish, as_ready) as files:
        def steps(path: Path) -> Steps[str | None]:
            transcript = yield from files.transcribing(read, path)
            return None if as_ready else write(transcript)

        def short(path: Path) -> bool:
            return is_small(clips[path].path)

        return run_command(paths, refused, steps, f".{form}", output, jobs, transcript_header(form),
                           spread=partial(run_forked, short=short))


def _finished(least: float | None, mark: bool, transcript: Transcript) -> Transcript:
    return transcript.doubting(least, mark) if least else transcript


def _transcribed(recogniser: Callable[[int], SpeechRecogniser], finish: Callable[[Transcript], Transcript], clip: Clip
                 ) -> Transcript:
    """In one of many processes, each of which has a core."""
    return finish(recogniser(1).transcribe(clip.path, options=clip.options))


def _spread_clips(spread: Spread, clips: dict[Path, Clip], names: Sequence[Path], work: Callable[[Clip], str],
                  jobs: int) -> Iterator[tuple[Path, Any]]:
    """Clips go out in the place of their names."""
    name_of = {clips[name]: name for name in names}
    for clip, result in spread(list(name_of), work, jobs):
        yield name_of[clip], result


def _clips(path: Path, options: ReadingOptions) -> dict[Path, Clip]:
    """What is read of a file, by name: all of it, or a channel or each."""
    if path.suffix.lower() in FRAME_SUFFIXES:
        return {path: Clip(path, WHOLE)}
    every = each_channel(path, options) if options.channels == "split" else [options]
    return {channel_path(path, one.channel): Clip(path, one) for one in every}
