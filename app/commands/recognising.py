"""Commands that apply a model to clips: transcribe, classify, explain, align."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from ...common.errors import EarsightError, require
from ...common.paths import expand, keep_inputs
from ..command_line import version
from ..recognisers import (
    DEFAULT_CLASSIFIERS,
    DEFAULT_TRANSCRIBER,
    as_it_is,
    classifier,
    classifier_of,
    default_classifier,
    reads_films,
    transcriber,
)


def transcribe_command(args: argparse.Namespace) -> int:
    from ...audio.reading import ReadingOptions
    from ...audio.recognition.transcribing import transcribe_files

    reading = ReadingOptions(args.track, args.channels, args.damaged)
    make: Any = partial(transcriber, args.model, **decoding(args))
    if reads_films(args.model, reading):
        from ...video.lips.transcribing import transcribe_films

        if args.ray:
            raise EarsightError("--ray: models of films read on this machine alone; leave --ray out")
        return transcribe_films(args.paths, make, args.format, args.output, args.jobs, args.min_confidence,
                                args.doubtful == "mark", reading)
    elsewhere = _elsewhere(args, [args.model]) if args.ray else {}
    return transcribe_files(args.paths, make, args.format, args.output, args.jobs, args.min_confidence,
                            args.doubtful == "mark", reading, **elsewhere)


def classify_command(args: argparse.Namespace) -> int:
    from ...audio.reading import FRAME_SUFFIXES, SOUND_SUFFIXES
    from ...common.batch_run import share_cores
    from ...common.data.manifest_files import with_manifests
    from ...common.model_folder import medium_of
    from ...video.reading import VIDEO_SUFFIXES
    from ...video.recognition.classifying import classify_files

    tables = bool(args.model) and medium_of(args.model) == "series"
    if args.ray and (tables or args.plot):
        raise EarsightError(f"--ray: {'tables of series are classified' if tables else '--plot draws'} on this machine "
                            "alone; leave --ray out")
    if tables:
        return _classify_tables(args)
    paths, refused = expand(args.paths, SOUND_SUFFIXES | FRAME_SUFFIXES | VIDEO_SUFFIXES)
    paths = with_manifests(paths, refused)
    if args.ray:
        models = [args.model] if args.model else list(DEFAULT_CLASSIFIERS.values())
        return classify_files(paths, refused, partial(classifier_of, args.model, 1), args.format, args.output,
                              args.jobs or 0, args.top, args.timeline, None, **_elsewhere(args, models))
    jobs, threads = share_cores(args.jobs, len(paths))
    models = {path: args.model or default_classifier(path) for path in paths}
    of_model = {model: classifier(model, threads) for model in dict.fromkeys(models.values())}
    return classify_files(paths, refused, lambda path: of_model[models[path]], args.format, args.output, jobs, args.top,
                          args.timeline, args.plot)


def _elsewhere(args: argparse.Namespace, models: list[str]) -> dict[str, Any]:
    """What has a Ray cluster do the work, and says what the work is."""
    from ..cluster import run_on_ray

    further = [Path(path) for name in ("lm", "lexicon") if (path := getattr(args, name, None))]
    files = [as_it_is(model, *further) for model in models]  # one that is not there is told before anything begins
    options = {name: value for name, value in vars(args).items() if name not in ("paths", "output", "jobs", "ray")}
    return {"spread": partial(run_on_ray, args.ray), "job": repr((version(), sorted(options.items()), files))}


def _classify_tables(args: argparse.Namespace) -> int:
    from ...common.batch_run import share_cores
    from ...common.series.reading import SERIES_SUFFIXES
    from ...common.series.recognition import OneSeries, SeriesRecogniser
    from ...video.recognition.classifying import classify_files

    tables, refused = expand(args.paths, SERIES_SUFFIXES | {".npy"})
    jobs, threads = share_cores(args.jobs, len(tables))
    recogniser = classifier(args.model, threads)
    assert isinstance(recogniser, SeriesRecogniser)
    series: dict[Path, OneSeries] = {}
    for path in tables:
        try:
            series |= {one.path: one for one in recogniser.read(path, refused)}
        except EarsightError as error:
            refused.append(error)
    return classify_files(list(series), refused, series.__getitem__, args.format, args.output, jobs, args.top,
                          args.timeline, args.plot)


def explain_command(args: argparse.Namespace) -> int:
    from ...common.explain.explaining import Choice
    from ...common.explain.figure import check_output, write_figure
    from ...common.model_folder import medium_of
    from ...video.content import has_pictures

    check_output(args.output)
    keep_inputs(args.output, (args.clip,))
    model = args.model or (DEFAULT_CLASSIFIERS["video"] if has_pictures(args.clip) else DEFAULT_TRANSCRIBER)
    if (medium := medium_of(model)) == "video":
        from ...video.explaining import explain
    elif medium == "series":
        from ...common.series.explaining import explain
    elif medium == "lips":
        from ...video.lips.explaining import explain
    elif medium == "audiovisual":
        from ...audiovisual.explaining import explain
    else:
        from ...audio.explaining import explain
    write_figure(explain(args.clip, model, Choice(args.layer, args.direction, tuple(args.units))), args.output)
    return 0


def align_command(args: argparse.Namespace) -> int:
    from ...audio.recognition.aligning import Aligner, align_clips, read_text
    from ...common.batch_run import default_jobs

    jobs = args.jobs or default_jobs()
    if args.text is not None:
        aligner = Aligner(args.model, args.lexicon, default_jobs(), args.numbers)
        clips = {args.clip: partial(aligner.align, args.clip, read_text(args.text))}
    else:
        require("lhotse", "train")
        from ...audio.aligning_manifests import manifest_clips

        threads = max(1, default_jobs() // jobs)
        clips = manifest_clips(Aligner(args.model, args.lexicon, threads, args.numbers), args.clip)
    return align_clips(clips, args.format, args.output, jobs, (args.clip, args.text, args.lexicon))


def decoding(args: argparse.Namespace) -> dict:
    """The options of decoding that the command line gives."""
    from ...common.decoding.options import given_options

    return given_options(args.hotwords, **{name: getattr(args, name, None)
                                           for name in ("decoder", "lm", "lexicon", "n_best")})
