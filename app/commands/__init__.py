"""The commands: each takes the parsed arguments and returns the exit status.

They only dispatch; a command's work lives in the package it is about, and is imported when it runs.
"""

import argparse
from collections.abc import Callable
from importlib import import_module

from ..command_line import COMMANDS


def command(name: str) -> Callable[[argparse.Namespace], int]:
    """What the command of a name does."""
    return getattr(import_module(f".{COMMANDS[name][0]}", __package__), f"{name.replace('-', '_')}_command")
