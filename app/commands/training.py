"""Commands that make and measure a model: learn, train, tune, evaluate, predict, export, tune-decoder, calibrate."""

import argparse
from typing import Any

from ...common.errors import EarsightError, report_errors, require
from ...common.paths import keep_inputs
from ..media import name_classes, openers, package_of
from .recognising import decoding


def learn_command(args: argparse.Namespace) -> int:
    require("pytorch_lightning", "train")
    from ..learning.learning import learn

    learn(args.sources, args.output, args.minutes, args.add, args.task)
    return 0


def train_command(args: argparse.Namespace) -> int:
    require("pytorch_lightning", "train")
    from ...common.training.running import run_training

    name_classes()
    return run_training(args.arguments)


def tune_command(args: argparse.Namespace) -> int:
    require("pytorch_lightning", "train")
    name_classes()
    if args.find == "lr":
        from ...common.tuning.learning_rate_finder import find_learning_rate

        find_learning_rate(args.others)
    elif args.find == "batch":
        from ...common.tuning.batch_finder import find_batch

        find_batch(args.others, args.memory)
    else:
        require("optuna", "train")
        from ...common.tuning.study import tune

        tune(args.others, args.trials, args.space, args.study, args.storage, args.seed, args.prune)
    return 0


def evaluate_command(args: argparse.Namespace) -> int:
    require("lhotse", "train")
    from ...common.reports.evaluation import tell
    from ...common.reports.pages.page import check_folder

    for option, output in (("--json", args.json), ("--plot", args.plot)):
        if output:
            keep_inputs(output, (args.manifest, args.model, args.lm, args.lexicon, *args.other_clips), option)
    if args.report:
        keep_inputs(args.report / "index.html", (args.manifest,), "--report")
        check_folder(args.report)
    if args.noise:
        return _evaluate_noise(args)
    evaluate = package_of(args.model, "evaluating").evaluate_model
    report, errors = evaluate(args.model, args.manifest, args.worst, decoding(args), args.report, args.other_clips)
    tell(report, args.json, args.plot)
    return report_errors(errors)


def _evaluate_noise(args: argparse.Namespace) -> int:
    from ...common.files import write_whole
    from ...common.reports.noise import parse_ratios

    if args.report or args.other_clips:
        raise EarsightError("evaluate --noise: writes a table (--json, --plot), and no page; leave --report and "
                            "--others out")
    measure = getattr(package_of(args.model, "evaluating"), "evaluate_noise", None)
    if measure is None:
        raise EarsightError(f"model {args.model} hears nothing that noise could disturb; leave --noise out")
    table, errors = measure(args.model, args.manifest, args.noise, parse_ratios(args.snr), decoding(args))
    if args.json:
        write_whole(args.json, table.json())
    if args.plot:
        table.plot(args.plot)
    print(table.text())
    return report_errors(errors)


def predict_command(args: argparse.Namespace) -> int:
    require("pytorch_lightning", "train")
    from ...common.data.manifest import read_manifest
    from ...common.training.predicting import predict, trainer_options

    keep_inputs(args.output, (args.manifest, args.model))
    trainer = trainer_options(args.others)
    model = package_of(args.model, "model").load_model(args.model)
    return report_errors(predict(model, read_manifest(args.manifest, openers()), args.output, trainer, args.workers))


def export_command(args: argparse.Namespace) -> int:
    require("torch", "train")
    require("onnx", "train")
    if args.destination.resolve() in args.checkpoint.resolve().parents:
        raise EarsightError(f"{args.destination}: {args.checkpoint} is in it, and would be lost; choose another DIR")
    package = package_of(args.checkpoint, "model")
    further = {}
    if args.frontend:
        from ...common.checkpoint import read_checkpoint

        if read_checkpoint(args.checkpoint)["earsight"]["medium"] != "frames":
            raise EarsightError(f"{args.checkpoint}: is no model of stored frames, and has its own frontend or none; "
                                "leave --frontend out")
        further = {"frontend_of": args.frontend}
    print(package.export_checkpoint(args.checkpoint, args.destination, args.int8, args.card, **further))
    return 0


def tune_decoder_command(args: argparse.Namespace) -> int:
    require("lhotse", "train")
    from ...audio.decoder_tuning import tune_decoder
    from ...common.model_folder import medium_of

    options: dict[str, Any] = {}
    if medium_of(args.model) in ("lips", "audiovisual"):
        options = {"openers": openers(), "readers": package_of(args.model, "data").frames_readers}
    report, errors = tune_decoder(args.model, args.manifests, args.lm, args.lexicon, args.output, **options)
    print(report)
    return report_errors(errors)


def calibrate_command(args: argparse.Namespace) -> int:
    require("lhotse", "train")
    from ...common.inference.runtime import Runtime
    from ...common.tuning.calibrating import take_over

    if args.like and (args.manifests or args.other_clips):
        raise EarsightError("--like takes over what was fitted elsewhere; leave manifests and --others out, or --like")
    if args.like:
        print(take_over(Runtime(args.model), args.like, args.output))
        return 0
    if not args.manifests:
        raise EarsightError("calibrate: give held-out clips of the classes (DEV_MANIFEST), or --like MODEL")
    calibrate = package_of(args.model, "calibrating").calibrate_model
    report, errors = calibrate(args.model, args.manifests, args.other_clips, args.keep, args.output, args.score)
    print(report)
    return report_errors(errors)
