"""Arguments of the commands about what is installed: models, doctor, completion."""

import argparse
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")


def models(every: argparse.ArgumentParser) -> None:
    what = every.add_subparsers(dest="action", metavar="ACTION")
    sub = what.add_parser("pull", help="install a model from an archive")
    sub.add_argument("name", metavar="NAME", help="what --model shall call it")
    sub.add_argument("source", metavar="FILE|URL", help="zip or tar of a model folder; a checksum in FILE.sha256 or "
                     "URL.sha256 is minded")
    sub.add_argument("--sha256", metavar="HEX", help="the archive's checksum, where somebody you trust tells it")
    sub = what.add_parser("remove", help="remove a model that was pulled")
    sub.add_argument("name", metavar="NAME")
    sub = what.add_parser("pack", help="write a model folder into an archive, and its checksum to the screen")
    sub.add_argument("model", metavar="FOLDER", help="model folder or installed model")
    sub.add_argument("output", type=Path, metavar="OUTPUT.zip")


def doctor(_: argparse.ArgumentParser) -> None:
    """It has none."""


def completion(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("shell", choices=SHELLS)
