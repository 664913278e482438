"""Commands about neither sound nor picture in particular: each takes the parsed arguments and returns the status.

What a command needs is imported when it runs.
"""

import argparse

from common.errors import require


def train_command(args: argparse.Namespace) -> int:
    require("pytorch_lightning", "train")
    from common.training import run_training

    return run_training(args.arguments)


def tune_command(args: argparse.Namespace) -> int:
    require("pytorch_lightning", "train")
    if args.find == "lr":
        from common.learning_rate_finder import find_learning_rate

        find_learning_rate(args.others)
    elif args.find == "batch":
        from common.batch_finder import find_batch

        find_batch(args.others, args.memory)
    else:
        require("optuna", "train")
        from common.tuning import tune

        tune(args.others, args.trials, args.space, args.study, args.storage, args.seed, args.prune)
    return 0


def lm_command(args: argparse.Namespace) -> int:
    from common.ngram import make_model

    print(make_model(args.texts, args.order, args.output, args.characters))
    return 0


def models_command(args: argparse.Namespace) -> int:
    from common.model_folder import describe_models

    print(describe_models())
    return 0


def doctor_command(args: argparse.Namespace) -> int:
    from common.doctor import examine, report

    findings = examine()
    print(report(findings))
    return 1 if any(finding.mend for finding in findings) else 0
