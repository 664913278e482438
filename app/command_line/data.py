"""Arguments of the commands that make what a training or a decoder reads: prepare, check, lm."""

import argparse
from pathlib import Path

from .values import megabytes, positive, share, vocabulary


def prepare(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("corpus", help="an4, grid, fsdd, librispeech, ucf101, hmdb51, kinetics, csv, folder, series "
                     "for tables of them, lhotse:NAME for lhotse's recipes, or embeddings, mouths, shards of what is "
                     "prepared")
    sub.add_argument("source", type=Path)
    sub.add_argument("destination", type=Path)
    sub.add_argument("option", nargs="*", metavar="NAME=VALUE", help="options of the corpus, e.g. hold_out=theo")


def check(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("manifests", nargs="+", type=Path, metavar="MANIFEST",
                     help="several are taken for the splits of one corpus")
    sub.add_argument("--model", help="model folder or installed model whose alphabet and frames the clips must fit")
    sub.add_argument("--sample-rate", type=positive, help="Hz that every recording should have")
    sub.add_argument("--sheet", type=Path, metavar="FILE.png", help="draw some of the mouths that `prepare mouths` "
                     "stored")
    sub.add_argument("--shared-speakers", action="store_true", help="a speaker may be in several splits")


def lm(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("texts", nargs="+", type=Path, metavar="TEXT", help="text, a sentence a line; manifests; tables")
    sub.add_argument("--order", type=positive, default=3, help="the longest n-grams (default: 3)")
    sub.add_argument("--output", type=Path, required=True, metavar="FILE",
                     help="lm.bin: KenLM's binary format, small and quick to load; any other name: ARPA, which is text")
    sub.add_argument("--vocabulary", type=vocabulary, metavar="N|FILE",
                     help="the N commonest words, or those of a list; others become <unk>")
    sub.add_argument("--size", type=megabytes, metavar="MB", help="leave out the n-grams that tell least, until "
                     "lm.bin is no larger")
    sub.add_argument("--characters", action="store_true", help="of characters, for beam search without a lexicon")
    sub.add_argument("--mix", metavar="LM|MODEL", help="mix it with another language model: an ARPA file, one that "
                     "this command made, or a model's own")
    sub.add_argument("--share", type=share, metavar="X",
                     help="how much the text counts there, between 0 and 1 (default: 0.5)")
