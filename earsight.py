"""Earsight's front door: the command line, and `transcribe` and `classify` for Python.

Only parses and dispatches; a command's work lives in the package it is about, and is imported when it runs.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import EarsightError, require

if TYPE_CHECKING:
    from common.recognition import Classification, Transcript

DEFAULT_TRANSCRIBER = "en-small"
DEFAULT_CLASSIFIER = "digits"


def transcribe(path: str | Path, model: str | Path = DEFAULT_TRANSCRIBER) -> "Transcript":
    """Read the speech in a sound file, a video's sound track, or stored frames.

    Raises:
        EarsightError: the file or the model cannot be read; the message says what to do.
    """
    return _recogniser(model, "ctc").transcribe(path)


def classify(path: str | Path, model: str | Path = DEFAULT_CLASSIFIER) -> "Classification":
    """Classify a sound file or stored frames.

    Raises:
        EarsightError: the file or the model cannot be read; the message says what to do.
    """
    return _recogniser(model, "classification").classify(path)


def _recogniser(model: str | Path, task: str, threads: int | None = None):
    from audio.recognising import SpeechRecogniser
    from common.batch_run import default_jobs

    return SpeechRecogniser(model, task, threads or default_jobs())


def _recognise_command(args: argparse.Namespace) -> int:
    from audio.reading import FRAME_SUFFIXES, SOUND_SUFFIXES
    from common.batch_run import default_jobs, run_command
    from common.paths import expand
    from common.recognition import as_json, as_text

    paths, refused = expand(args.paths, SOUND_SUFFIXES | FRAME_SUFFIXES)
    jobs = min(args.jobs or default_jobs(), max(len(paths), 1))
    # Many clips: one thread each. One clip: all threads for it.
    recogniser = _recogniser(args.model, args.task, max(1, default_jobs() // jobs))
    work = recogniser.transcribe if args.task == "ctc" else recogniser.classify
    top = getattr(args, "top", 1)
    write = as_json if args.format == "json" else lambda result: as_text(result, top)
    return run_command(paths, refused, work, write, f".{args.format}", args.output, jobs)


def _prepare_command(args: argparse.Namespace) -> int:
    from audio.corpora import prepare
    from common.manifest import describe

    options = dict(option.split("=", 1) for option in args.option)
    written = prepare(args.corpus, args.source, args.destination, **options)
    for split, path in written.items():
        print(f"{split}: {path}: {describe(path)}")
    return 0


def _check_command(args: argparse.Namespace) -> int:
    require("lhotse", "train")
    from audio.checking import check_files, model_options

    options = model_options(args.model) if args.model else {}
    reports = check_files(args.manifests, sample_rate=args.sample_rate, shared_speakers=args.shared_speakers, **options)
    for path, report in reports.items():
        print(f"{path}: {report.text()}")
    return 0 if all(report.ok for report in reports.values()) else 1


def _train_command(args: argparse.Namespace) -> int:
    require("pytorch_lightning", "train")
    from common.training import run_training

    return run_training(args.arguments)


def _evaluate_command(args: argparse.Namespace) -> int:
    require("lhotse", "train")
    from audio.evaluating import evaluate_model
    from common.files import write_whole

    report, errors = evaluate_model(args.model, args.manifest, args.worst)
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    if args.json:
        write_whole(args.json, report.json())
    if args.plot:
        if not hasattr(report, "plot"):
            raise EarsightError("--plot draws a confusion matrix, and this model writes text; leave --plot out")
        report.plot(args.plot)
    print(report.text())
    return 1 if errors else 0


def _export_command(args: argparse.Namespace) -> int:
    require("torch", "train")
    require("onnx", "train")
    from audio.model import export_checkpoint

    print(export_checkpoint(args.checkpoint, args.destination, args.int8, args.card))
    return 0


def _models_command(args: argparse.Namespace) -> int:
    from common.model_folder import describe_models

    print(describe_models())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="earsight", description="Recognise sequences in speech and video.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        sub.set_defaults(run=run)
        return sub

    for name, task, model, what in (("transcribe", "ctc", DEFAULT_TRANSCRIBER, "write what is said in clips"),
                                    ("classify", "classification", DEFAULT_CLASSIFIER, "name the class of clips")):
        sub = command(name, _recognise_command, what)
        sub.set_defaults(task=task)
        sub.add_argument("paths", nargs="+", metavar="PATHS", help="files, folders or globs: sound, videos with "
                         "sound, or frames (.npy, .mfc)")
        sub.add_argument("--model", default=model, help=f"model folder or installed model (default: {model})")
        sub.add_argument("--format", choices=("txt", "json"), default="txt", help="json: one line a clip")
        sub.add_argument("--output", type=Path, metavar="DIR", help="write one file a clip into DIR")
        sub.add_argument("--jobs", type=_positive, help="clips at a time (default: the number of cores)")
        if name == "classify":
            sub.add_argument("--top", type=_positive, default=1, help="how many classes to print (default: 1)")

    sub = command("prepare", _prepare_command, "turn a corpus into manifests")
    sub.add_argument("corpus", help="an4, grid, fsdd, librispeech, csv, folder, or lhotse:NAME for lhotse's recipes")
    sub.add_argument("source", type=Path)
    sub.add_argument("destination", type=Path)
    sub.add_argument("option", nargs="*", metavar="NAME=VALUE", help="options of the corpus, e.g. hold_out=theo")

    sub = command("check", _check_command, "look for what spoils training in manifests")
    sub.add_argument("manifests", nargs="+", type=Path, metavar="MANIFEST",
                     help="several are taken for the splits of one corpus")
    sub.add_argument("--model", help="model folder or installed model whose alphabet and frames the clips must fit")
    sub.add_argument("--sample-rate", type=_positive, help="Hz that every recording should have")

    sub.add_argument("--shared-speakers", action="store_true", help="a speaker may be in several splits")

    sub = command("train", _train_command, "train under Lightning: fit, validate or test")
    sub.add_argument("arguments", nargs=argparse.REMAINDER, metavar="fit --config RECIPE.yaml ...",
                     help="LightningCLI's; `earsight train fit --help` lists them")

    sub = command("evaluate", _evaluate_command, "measure a checkpoint or a model folder on a manifest")
    sub.add_argument("model", metavar="MODEL", help="checkpoint, model folder or installed model")
    sub.add_argument("manifest", type=Path, metavar="MANIFEST")
    sub.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    sub.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the confusion matrix (classification)")
    sub.add_argument("--worst", type=_positive, default=10, help="how many of the worst clips to show (default: 10)")

    sub = command("export", _export_command, "turn a checkpoint into a model folder")
    sub.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    sub.add_argument("destination", type=Path, metavar="DIR")
    sub.add_argument("--int8", action="store_true", help="8-bit weights: a quarter of the size, faster")
    sub.add_argument("--card", type=Path, metavar="FILE.json",
                     help="what `earsight models` tells: description, trained_on, licence, figures")

    command("models", _models_command, "list the installed models")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 if all went well, 1 for an error that is reported in one line, 2 for wrong usage."""
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
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
