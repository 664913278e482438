"""The command `earsight`, which `python -m earsight` is too, begins here."""

import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Run the command line, and end the process with it.

    Who is told to end while it is still being loaded ends at once, and says nothing.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _end)
    from .common.memory import collect_seldom

    collect_seldom()  # imports make many objects, none of them for nothing
    from .app.main import main as run
    from .common.signals import end_at_once

    return end_at_once(run())


def _end(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
