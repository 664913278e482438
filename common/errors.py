"""Errors that are the user's to mend: one line each, saying what is wrong, where, and what to do."""

import importlib
import re
import sys
from collections.abc import Sequence
from types import ModuleType

_BREAKS = re.compile("[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")  # what `str.splitlines` splits at


class EarsightError(Exception):
    """Bad input or a bad setting. The front door prints it as one line and exits with status 1."""

    def __str__(self) -> str:
        # One line, whatever names it repeats.
        return _BREAKS.sub(lambda found: found[0].encode("unicode_escape").decode(), super().__str__())


class TooLong(EarsightError):
    """A file lasts longer than who reads it allows."""


class MissingExtra(EarsightError):
    """An optional package is needed and not installed."""


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or say which extra of this project installs it, or why it cannot be loaded."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError, RuntimeError) as error:  # what compiled packages that do not fit each other raise
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
            raise MissingExtra(
                f"{module} is not installed, and this command needs it: pip install 'earsight[{extra}]' "
                f"(in a clone: pip install '.[{extra}]')"
            ) from error
        raise EarsightError(f"{module} is installed and cannot be loaded ({first_line(error)}); `earsight doctor` "
                            "tells what mends it") from error


def report_errors(errors: Sequence[EarsightError]) -> int:
    """Print what went wrong, a line each, and return the exit status: 0 where nothing did."""
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    return 1 if errors else 0


def first_line(error: BaseException) -> str:
    """Another library's message as one line; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
