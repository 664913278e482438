"""The command line: parses, runs one command, and turns errors into a line and an exit status."""

import os
import signal
import sys
from collections.abc import Sequence

from ..common.errors import EarsightError
from ..common.signals import Stopped, end_with_first, ending_when_told, is_launched, leave
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
    """Run one command.

    Returns:
        The exit status: 0 if all went well, 1 for an error that is reported in one line, 2 for wrong usage, 128 and the
        signal's number if a signal ended it.
    """
    end_with_first()
    with ending_when_told():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
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
        return leave(128 + signal.SIGPIPE)
    except Stopped as stop:
        if is_launched():  # the first process says it; a status other than 0 would have Lightning kill that one
            return leave(0)
        print(f"error: {stop}", file=sys.stderr)
        return leave(stop.status)
