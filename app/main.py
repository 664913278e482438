"""The command line: parses, runs one command, and turns errors into a line and an exit status."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Sequence

from ..common.errors import EarsightError
from ..common.escaping import escape_streams
from ..common.memory import keep_freed_memory
from ..common.signals import Stopped, end_with_first, ending_when_told, is_launched, leave, told
from .command_line import parser, version
from .commands import command
from .examples import OVERVIEW

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # of a disk
NAMES = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EROFS)
PASSED_ON = {"predict": "--trainer.", "tune": "--"}  # how options begin that a command hands on to Lightning


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0 if all went well, 1 for an error that is reported in one line, 2 for wrong usage, 128 and the
        signal's number if a signal ended it.
    """
    end_with_first()
    escape_streams()
    keep_freed_memory()
    with ending_when_told():
        status = _run(argv)
        return status if _flushed() else status or 1


def _run(argv: Sequence[str] | None) -> int:
    try:
        return _told_or_done(argv)
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `earsight models | head`
        _drop_output()
        return leave(128 + signal.SIGPIPE)
    except OSError as error:
        if error.errno in NAMES and error.filename is not None:  # what asks whether a file is there lets them through
            print(f"error: {error.filename}: cannot be used ({error.strerror}); check the path", file=sys.stderr)
            return leave(1)
        if error.errno not in FULL:
            raise
        if error.filename is None:  # a file that is printed to
            _drop_output()
        print(f"error: {_full(error)}", file=sys.stderr)
        return leave(1)
    except Stopped as stop:
        if is_launched():  # the first process says it; a status other than 0 would have Lightning kill that one
            return leave(0)
        print(f"error: {stop}", file=sys.stderr)
        return leave(stop.status)


def _told_or_done(argv: Sequence[str] | None) -> int:
    """Run the command; whatever else is raised once a signal has come is `Stopped`.

    What is raised while a library in C is being imported, it makes an error of its own.
    """
    try:
        args = _parsed(argv)
        if args.command is None:
            print(OVERVIEW.format(version=version()), end="")
            return 0
        return command(args.command)(args)
    except Exception as error:
        if told():
            raise Stopped(told()) from error
        raise


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    argv = sys.argv[1:] if argv is None else argv
    if odd := next((argument for argument in argv if "\0" in argument), None):
        raise EarsightError(f"argument {odd!r:.80}: holds a NUL, as no file's name does; leave it out")
    known = parser(argv[0] if argv else None)
    args, args.others = known.parse_known_args(argv)
    prefix = PASSED_ON.get(args.command)
    if args.others and not (prefix and args.others[0].startswith(prefix)):
        known.error(f"unrecognized arguments: {' '.join(args.others)}")
    return args


def _flushed() -> bool:
    """Whether what was printed has reached its place; else that is told, once, and not by the interpreter's end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return False
    except OSError as error:
        _drop_output()
        print(f"error: {_full(error)}", file=sys.stderr)
        return False
    return True


def _full(error: OSError) -> str:
    return f"{error.filename or 'the output'}: cannot be written ({error.strerror}); make room, or choose another place"


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
