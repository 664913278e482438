"""Earsight's front door: the command line, and `transcribe` and `classify` for Python.

Only parses and dispatches; a command's work lives in the package it is about, and is imported when it runs.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from common.command_line import parser
from common.commands import doctor_command, lm_command, models_command, train_command, tune_command
from common.errors import EarsightError, report_errors, require

if TYPE_CHECKING:
    from common.recognition import Classification, Transcript

DEFAULT_TRANSCRIBER = "en-small"
DEFAULT_CLASSIFIERS = {"sound": "digits", "video": "actions-10"}


def transcribe(path: str | Path, model: str | Path = DEFAULT_TRANSCRIBER, **decoding) -> "Transcript":
    """Read the speech in a sound file, a video's sound track, or stored frames.

    Args:
        decoding: what differs from the model's own: `decoder`, `lm`, `lexicon`, `n_best`, `hotwords` (a sequence, each
            as on the command line), and the other fields of `common.decoding_options.DecodingOptions`.

    Raises:
        EarsightError: the file or the model cannot be read; the message says what to do.
    """
    from common.decoding_options import given_options

    return _recogniser(model, "ctc", _cores(), **given_options(**decoding)).transcribe(path)


def classify(path: str | Path, model: str | Path | None = None) -> "Classification":
    """Classify a video, a sound file or stored frames, with a model of the package unless one is named.

    Raises:
        EarsightError: the file or the model cannot be read; the message says what to do.
    """
    return _recogniser(model or _default_classifier(path), "classification", _cores()).classify(path)


def _cores() -> int:
    from common.batch_run import default_jobs

    return default_jobs()


def _is_video(path: str | Path) -> bool:
    from video.reading import VIDEO_SUFFIXES

    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def _default_classifier(path: str | Path) -> str:
    return DEFAULT_CLASSIFIERS["video" if _is_video(path) else "sound"]


@lru_cache
def _recogniser(model: str | Path, task: str, threads: int, **decoding):
    from common.model_folder import medium_of

    if medium_of(model) == "video" and task == "classification":
        from video.recognising import ActionRecogniser

        return ActionRecogniser(model, threads)
    from audio.recognising import SpeechRecogniser

    return SpeechRecogniser(model, task, threads, decoding)


def _transcribe_command(args: argparse.Namespace) -> int:
    from audio.transcribing import transcribe_command

    make = partial(_recogniser, args.model, "ctc", **_decoding(args))
    return transcribe_command(args.paths, make, args.format, args.output, args.jobs, args.min_confidence,
                              args.doubtful == "mark")


def _classify_command(args: argparse.Namespace) -> int:
    from audio.reading import FRAME_SUFFIXES, SOUND_SUFFIXES
    from common.batch_run import share_cores
    from common.paths import expand
    from video.classifying import classify_command
    from video.reading import VIDEO_SUFFIXES

    paths, refused = expand(args.paths, SOUND_SUFFIXES | FRAME_SUFFIXES | VIDEO_SUFFIXES)
    jobs, threads = share_cores(args.jobs, len(paths))
    of_model = {model: _recogniser(model, "classification", threads)
                for model in {args.model or _default_classifier(path) for path in paths}}
    return classify_command(paths, refused, lambda path: of_model[args.model or _default_classifier(path)],
                            args.format, args.output, jobs, args.top, args.timeline, args.plot)


def _decoding(args: argparse.Namespace) -> dict:
    from common.decoding_options import given_options

    return given_options(args.hotwords, **{name: getattr(args, name, None)
                                           for name in ("decoder", "lm", "lexicon", "n_best")})


def _explain_command(args: argparse.Namespace) -> int:
    from common.explain_figure import check_output, write_figure
    from common.explaining import Choice

    check_output(args.output)
    model = args.model or (DEFAULT_CLASSIFIERS["video"] if _is_video(args.clip) else DEFAULT_TRANSCRIBER)
    explain = _package_of(model, "explaining").explain
    write_figure(explain(args.clip, model, Choice(args.layer, args.direction, tuple(args.units))), args.output)
    return 0


def _align_command(args: argparse.Namespace) -> int:
    from audio.aligning import Aligner, align_command

    jobs = args.jobs or _cores()
    aligner = Aligner(args.model, args.lexicon, _cores() if args.text is not None else max(1, _cores() // jobs))
    return align_command(aligner, args.clip, args.text, args.format, args.output, jobs)


def _openers():
    from audio import corpora as speech
    from common.openers import both_media
    from video import corpora as pictures

    return both_media(speech.OPENERS, pictures.OPENERS)


def _prepare_command(args: argparse.Namespace) -> int:
    from audio import corpora as speech
    from common.corpora import parse_options, prepare
    from common.corpus_own import own_corpora
    from common.corpus_shards import prepare_shards
    from common.manifest import describe
    from video import corpora as pictures

    importers = {**speech.CORPORA, **pictures.CORPORA, **own_corpora(_openers()), "shards": prepare_shards}
    options = parse_options(args.option)
    written = prepare(importers, args.corpus, args.source, args.destination, recipes=speech.recipes, **options)
    for split, path in written.items():
        print(f"{split}: {path}: {describe(path)}")
    return 0


def _check_command(args: argparse.Namespace) -> int:
    require("lhotse", "train")
    from audio.checking import SoundCheck
    from common.checking import check_files, model_options
    from video.checking import VideoCheck

    checks = {"sound": SoundCheck(args.sample_rate), "video": VideoCheck()}
    options = model_options(args.model) if args.model else {}
    reports = check_files(args.manifests, _openers(), checks, shared_speakers=args.shared_speakers, **options)
    for path, report in reports.items():
        print(f"{path}: {report.text()}")
    return 0 if all(report.ok for report in reports.values()) else 1


def _evaluate_command(args: argparse.Namespace) -> int:
    require("lhotse", "train")
    from common.evaluation import tell
    from common.report_page import check_folder

    if args.report:
        check_folder(args.report)
    evaluate = _package_of(args.model, "evaluating").evaluate_model
    report, errors = evaluate(args.model, args.manifest, args.worst, _decoding(args), args.report)
    tell(report, args.json, args.plot)
    return report_errors(errors)


def _predict_command(args: argparse.Namespace) -> int:
    require("pytorch_lightning", "train")
    from common.manifest import read_manifest
    from common.predicting import predict, trainer_options

    trainer = trainer_options(args.others)
    model = _package_of(args.model, "model").load_model(args.model)
    return report_errors(predict(model, read_manifest(args.manifest, _openers()), args.output, trainer, args.workers))


def _package_of(model: str | Path, module: str):
    """A module of the package that a model's medium belongs to; stored frames are read by `audio`."""
    from common.model_folder import medium_of

    return importlib.import_module(f"{'video' if medium_of(model) == 'video' else 'audio'}.{module}")


def _export_command(args: argparse.Namespace) -> int:
    require("torch", "train")
    require("onnx", "train")
    export = _package_of(args.checkpoint, "model").export_checkpoint
    print(export(args.checkpoint, args.destination, args.int8, args.card))
    return 0


def _tune_decoder_command(args: argparse.Namespace) -> int:
    require("lhotse", "train")
    from audio.decoder_tuning import tune_decoder

    report, errors = tune_decoder(args.model, args.manifests, args.lm, args.lexicon)
    print(report)
    return report_errors(errors)


COMMANDS = {
    "transcribe": _transcribe_command,
    "classify": _classify_command,
    "explain": _explain_command,
    "align": _align_command,
    "prepare": _prepare_command,
    "check": _check_command,
    "train": train_command,
    "tune": tune_command,
    "evaluate": _evaluate_command,
    "predict": _predict_command,
    "export": _export_command,
    "lm": lm_command,
    "tune-decoder": _tune_decoder_command,
    "models": models_command,
    "doctor": doctor_command,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 if all went well, 1 for an error that is reported in one line, 2 for wrong usage."""
    known = parser(DEFAULT_TRANSCRIBER, DEFAULT_CLASSIFIERS)
    args, args.others = known.parse_known_args(argv)
    passed_on = {"predict": "--trainer.", "tune": "--"}.get(args.command)
    if args.others and not (passed_on and args.others[0].startswith(passed_on)):
        known.error(f"unrecognized arguments: {' '.join(args.others)}")
    try:
        return COMMANDS[args.command](args)
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `earsight models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
