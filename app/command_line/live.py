"""Arguments of the commands that recognise while it is said or done: listen, watch."""

import argparse
from dataclasses import fields
from pathlib import Path

from ...audio.live.endpoints import EndpointRules
from ...video.live.settings import Rolling
from ..recognisers import DEFAULT_CLASSIFIERS, DEFAULT_TRANSCRIBER
from .shared import add_decoding
from .values import amount, format_name, positive, share

RULES = {  # of `listen`, under sherpa-onnx's names
    "rule1_min_trailing_silence": "silence after which sound without words is given up",
    "rule2_min_trailing_silence": "silence that ends an utterance",
    "rule3_min_utterance_length": "after which an utterance is ended without a pause",
}


def listen(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("source", nargs="?", metavar="FILE|-", help="a sound file, or - for raw 16-bit mono samples from "
                     "the standard input (default: the microphone)")
    sub.add_argument("--rate", type=positive, metavar="HZ", help="of raw samples, from - (default: 16000) or in FILE")
    sub.add_argument("--device", metavar="N|NAME", help="which microphone (default: the system's choice)")
    sub.add_argument("--list-devices", action="store_true", help="tell which microphones there are, and end")
    sub.add_argument("--model", default=DEFAULT_TRANSCRIBER,
                     help=f"model folder or installed model (default: {DEFAULT_TRANSCRIBER})")
    sub.add_argument("--format", choices=("txt", "jsonl"), default="txt", type=format_name,
                     help="txt: each utterance when it is over; jsonl: partial words too, times and confidences "
                     "(default: txt)")
    sub.add_argument("--subtitles", type=Path, metavar="FILE.srt|.vtt", help="write what is heard into a file that "
                     "grows")
    for rule in fields(EndpointRules):
        sub.add_argument(f"--{rule.name.replace('_', '-')}", type=amount, default=rule.default, metavar="SECONDS",
                         help=f"{RULES[rule.name]} (default: {rule.default})")
    add_decoding(sub)


def watch(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("source", metavar="N|FILE|URL", help="a camera's number (0 is the first), a video, or an address "
                     "(rtsp://, http://, ...)")
    sub.add_argument("--model", default=DEFAULT_CLASSIFIERS["video"],
                     help=f"model folder or installed model (default: {DEFAULT_CLASSIFIERS['video']})")
    sub.add_argument("--format", choices=("txt", "jsonl"), default="txt", type=format_name,
                     help="txt: each action when it is over; jsonl: its start too, when that is seen (default: txt)")
    for name, what, kind, metavar in (
            ("on", "probability from which an action is taken to be done", share, "X"),
            ("off", "probability below which it is taken to be over", share, "X"),
            ("window", "of pictures that the model sees at once", amount, "SECONDS"),
            ("hop", "from one window to the next", amount, "SECONDS")):
        default = getattr(Rolling, name)
        sub.add_argument(f"--{name}", type=kind, default=default, metavar=metavar,
                         help=f"{what} (default: {default:g})")
