"""Arguments of the commands that apply a model to clips: transcribe, classify, explain, align."""

import argparse
from pathlib import Path

from ..recognisers import DEFAULT_CLASSIFIERS, DEFAULT_TRANSCRIBER
from .shared import add_decoding, add_ray
from .values import CLASSIFICATION_FORMATS, TRANSCRIPT_FORMATS, channels, format_name, positive, share


def transcribe(sub: argparse.ArgumentParser) -> None:
    _add_clips(sub, "sound, videos, or frames (.npy, .mfc)", DEFAULT_TRANSCRIBER, TRANSCRIPT_FORMATS)
    add_decoding(sub)
    sub.add_argument("--n-best", type=positive, help="readings of a clip to give (json)")
    sub.add_argument("--min-confidence", type=share, metavar="X", help="leave out words of less confidence, 0 to 1")
    sub.add_argument("--doubtful", choices=("drop", "mark"), default="drop",
                     help="what --min-confidence does; mark: word(?), in every format (default: drop)")
    sub.add_argument("--channels", type=channels, default="mix", metavar="mix|split|N",
                     help="mix all channels, give each a transcript (FILE-ch1, ...), or read one alone (default: mix)")
    sub.add_argument("--track", type=positive, metavar="N",
                     help="sound track of a film (default: the first that is not silent)")
    sub.add_argument("--damaged", choices=("refuse", "skip"), default="refuse",
                     help="what becomes of files that are damaged; skip: silence for what is (default: refuse)")


def classify(sub: argparse.ArgumentParser) -> None:
    _add_clips(sub, "videos, sound, frames (.npy), or tables of series (.csv .tsv .parquet .ts .arff .npz)", None,
               CLASSIFICATION_FORMATS)
    sub.add_argument("--top", type=positive, default=1, help="how many classes to print (default: 1)")
    sub.add_argument("--timeline", action="store_true", help="what is done when, for long clips")
    sub.add_argument("--plot", type=Path, metavar="DIR", help="draw each clip's timeline into DIR")


def explain(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("clip", type=Path, metavar="CLIP", help="sound, frames (.npy), a video or a table of a series")
    sub.add_argument("--output", type=Path, required=True, metavar="FILE.png", help="or .svg, .pdf")
    sub.add_argument("--model", help=f"model folder or installed model (default: {DEFAULT_TRANSCRIBER}, for videos "
                     f"{DEFAULT_CLASSIFIERS['video']})")
    sub.add_argument("--layer", type=positive, metavar="N", help="from 1, the lowest (default: the last)")
    sub.add_argument("--direction", choices=("forward", "backward"), default="forward")
    sub.add_argument("--units", type=int, nargs="+", default=[], metavar="N",
                     help="from 0 (default: three that vary most, each in its own way)")


def align(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("clip", type=Path, metavar="CLIP", help="sound or stored frames; without TEXT, a manifest")
    sub.add_argument("text", nargs="?", metavar="TEXT", help="what is said, or a .txt file of it")
    sub.add_argument("--model", default=DEFAULT_TRANSCRIBER,
                     help=f"model folder or installed model (default: {DEFAULT_TRANSCRIBER})")
    sub.add_argument("--lexicon", type=Path, metavar="FILE", help="further words: `word phone phone ...` a line")
    sub.add_argument("--numbers", choices=("keep", "words"), default="keep",
                     help="words: read 21 as `twenty one`, in English (default: keep)")
    sub.add_argument("--format", choices=TRANSCRIPT_FORMATS, default="TextGrid", type=format_name,
                     help="default: TextGrid, with a tier of words and one of their labels")
    sub.add_argument("--output", type=Path, metavar="DIR", help="write one file a clip into DIR")
    sub.add_argument("--jobs", type=positive, help="clips at a time (default: the number of cores)")


def _add_clips(sub: argparse.ArgumentParser, paths: str, model: str | None, formats: tuple[str, ...]) -> None:
    sub.add_argument("paths", nargs="+", metavar="PATHS", help=f"files, folders, globs or manifests: {paths}")
    default = model or ", ".join(f"{model} for {medium}" for medium, model in DEFAULT_CLASSIFIERS.items())
    sub.add_argument("--model", default=model, help=f"model folder or installed model (default: {default})")
    sub.add_argument("--format", choices=formats, default="txt", help="default: txt; json: one line a clip",
                     type=format_name)
    sub.add_argument("--output", type=Path, metavar="DIR", help="write one file a clip into DIR")
    sub.add_argument("--jobs", type=positive, help="clips at a time (default: what suits the cores)")
    add_ray(sub, "With --output, the same command goes on with a job that was stopped")
