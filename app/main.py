"""The command line: parses, runs one command, and turns errors into a line and an exit status."""

import os
import sys
from collections.abc import Sequence

from ..common.errors import EarsightError
from .command_line import parser, version
from .commands import data, installation, recognising, training
from .examples import OVERVIEW
from .recognisers import DEFAULT_CLASSIFIERS, DEFAULT_TRANSCRIBER

COMMANDS = {
    "transcribe": recognising.transcribe_command,
    "classify": recognising.classify_command,
    "explain": recognising.explain_command,
    "align": recognising.align_command,
    "prepare": data.prepare_command,
    "check": data.check_command,
    "train": training.train_command,
    "tune": training.tune_command,
    "evaluate": training.evaluate_command,
    "predict": training.predict_command,
    "export": training.export_command,
    "lm": data.lm_command,
    "tune-decoder": training.tune_decoder_command,
    "models": installation.models_command,
    "doctor": installation.doctor_command,
    "completion": installation.completion_command,
}
PASSED_ON = {"predict": "--trainer.", "tune": "--"}  # how options begin that a command hands on to Lightning


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 if all went well, 1 for an error that is reported in one line, 2 for wrong usage."""
    known = parser(DEFAULT_TRANSCRIBER, DEFAULT_CLASSIFIERS)
    args, args.others = known.parse_known_args(argv)
    if args.command is None:
        print(OVERVIEW.format(version=version()), end="")
        return 0
    prefix = PASSED_ON.get(args.command)
    if args.others and not (prefix and args.others[0].startswith(prefix)):
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
