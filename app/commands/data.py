"""Commands that make what a training or a decoder reads: prepare, check, lm."""

import argparse
import inspect
from pathlib import Path
from typing import Any

from ...common.errors import EarsightError, require
from ...common.paths import keep_inputs
from ..media import openers


def prepare_command(args: argparse.Namespace) -> int:
    from ...audio.corpora import importers as speech
    from ...common.data.corpora.own import own_corpora
    from ...common.data.corpora.preparing import parse_options, prepare
    from ...common.data.corpora.shards import prepare_shards
    from ...common.data.manifest import describe
    from ...common.series.corpora import series_corpora
    from ...video.corpora import importers as pictures

    options: dict[str, Any] = parse_options(args.option)
    importers = {**speech.CORPORA, **pictures.CORPORA, **own_corpora(openers()), **series_corpora(),
                 "shards": prepare_shards}
    if args.corpus == "embeddings" and is_of_sound(options.get("config", ""), options.get("model", "")):
        from ...audio.corpora.embeddings import prepare_embeddings

        importers["embeddings"] = prepare_embeddings
    # What `prepare` itself is told is no option of a corpus.
    if taken := [name for name in inspect.signature(prepare).parameters if name in options]:
        raise EarsightError(f"{args.corpus} has no option {taken[0]!r}; leave it out")
    written = prepare(importers, args.corpus, args.source, args.destination, recipes=speech.recipes, **options)
    for split, path in written.items():
        print(f"{split}: {path}: {describe(path)}")
    return 0


def is_of_sound(recipe: str, model: str) -> bool:
    """Whether a model folder, or else a recipe, is of speech; one that is missing or broken is left to who reads it."""
    from ...common.model_folder import medium_of
    from ...common.recipes import read_yaml

    if model:
        return medium_of(model) == "speech"
    named = read_yaml(Path(recipe)).get("model") if Path(recipe).is_file() else None
    return isinstance(named, dict) and str(named.get("class_path", "")).endswith("SpeechModel")


def check_command(args: argparse.Namespace) -> int:
    require("lhotse", "train")
    from ...audio.checking import SoundCheck
    from ...common.data.checking import check_files, model_options
    from ...video.checking import VideoCheck

    if args.sheet:
        from ...video.lips.checking import write_sheet

        keep_inputs(args.sheet, args.manifests, "--sheet")
        write_sheet(args.manifests, args.sheet)
    checks = {"sound": SoundCheck(args.sample_rate), "video": VideoCheck()}
    options = model_options(args.model) if args.model else {}
    reports = check_files(args.manifests, openers(), checks, shared_speakers=args.shared_speakers, **options)
    for path, report in reports.items():
        print(f"{path}: {report.text()}")
    return 0 if all(report.ok for report in reports.values()) else 1


def lm_command(args: argparse.Namespace) -> int:
    from ...common.data.texts import read_texts
    from ...common.decoding.ngrams.making import make_model, read_words

    if args.share is not None and args.mix is None:
        raise EarsightError("--share tells how much the text counts beside another model; name that one (--mix)")
    other = _language_model(args.mix) if args.mix else None
    share = 0.5 if args.share is None else args.share
    keep_inputs(args.output, [*args.texts, *([other] if other else [])])
    vocabulary = args.vocabulary
    if isinstance(vocabulary, Path):
        keep_inputs(args.output, [vocabulary])
        vocabulary = read_words(vocabulary)
    texts = read_texts(args.texts)
    print(make_model(texts, args.order, args.output, args.characters, vocabulary, args.size, other, share))
    return 0


def _language_model(name: str) -> Path:
    """The file of a language model that is given by its path, or as a model's.

    Raises:
        EarsightError: it is neither, or the model has none.
    """
    from ...common.model_folder import find_model, read_config

    if Path(name).is_file():
        return Path(name)
    folder = find_model(name)
    lm = read_config(folder).decoding.get("lm")
    if not lm:
        raise EarsightError(f"{name}: a model without a language model of its own; name a file, or leave --mix out")
    return folder / lm
