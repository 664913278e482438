"""Arguments that several commands have."""

import argparse
import os

from .values import address


def add_decoding(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--decoder", choices=("greedy", "beam"), help="default: what the model folder stores, else greedy")
    sub.add_argument("--lm", metavar="FILE", help="n-gram language model (ARPA or KenLM binary), for beam search")
    sub.add_argument("--lexicon", metavar="FILE", help="words to search over: `word` or `word symbol ...` a line")
    sub.add_argument("--hotwords", nargs="+", metavar="WORDS[:WEIGHT]",
                     help="words to listen for: 'new york:5', or with phones 'york:5=Y AO R K'")


def add_ray(sub: argparse.ArgumentParser, more: str) -> None:
    sub.add_argument("--ray", type=address, nargs="?", const=os.environ.get("RAY_ADDRESS") or "local",
                     metavar="ADDRESS", help="work in the processes of a Ray cluster: auto, HOST:PORT, or local, one "
                     f"of this machine's (default: RAY_ADDRESS, else local). {more}")
