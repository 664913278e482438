"""`learn` of what is said: a model that writes characters, measured on clips of speakers or recordings held out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...audio.decoder_tuning import tune_decoder
from ...audio.evaluating import evaluate_model
from ...common.data.checking import characters_and_blanks
from ...common.data.cuts import frames_of, text_of
from ...common.data.manifest import write_manifest
from ...common.data.splits import divide
from ...common.decoding.ngrams.making import make_model
from ...common.errors import EarsightError
from ...common.reports.intervals import bootstrap_interval
from ...common.reports.layout import number, percent
from ...common.reports.transcription import TranscriptionReport
from .ending import Learned, end, export, over, warn, write_card
from .frames import Frames, means
from .page import Summary
from .recipes import text_recipe
from .sources import Material
from .state import Clock
from .teaching import learnt_by
from .units import Units, find_units

SHARES = {"test": 0.12, "dev": 0.12}  # of the time, for the figure and for what is chosen
FEWEST = 3  # units that must be there
TUNING = 45.0  # seconds; with less left, decoding stays greedy


def learn_texts(material: Material, frames: Frames, output: Path, work: Path, clock: Clock,
                tell: Callable[[str], None]) -> Learned:
    """A model that writes texts; its decoding and confidence are tuned on the part that chose its checkpoint."""
    cuts = [cut for cut in material.cuts if cut.id in frames.views]
    recipe = text_recipe(material.medium, frames, sum(cut.duration for cut in cuts))
    cuts, short = _spellable(cuts, frames, recipe["model"]["init_args"]["encoder"]["stride"])
    for line in short:
        print(f"warning: {line}", file=sys.stderr, flush=True)
    units = find_units(cuts, [None] * len(cuts), means([frames.views[cut.id][0] for cut in cuts]))
    warn(units, tell)
    parts = _divided(cuts, units)
    told = ", ".join(f"{number(len(clips), 'clip')} {what}" for what, clips in (
        ("to learn", parts["train"]), ("to choose by", parts["dev"]), ("held out", parts["test"])))
    tell(told)
    learnt = [view for cut in parts["train"] for view in frames.views[cut.id]]
    recipe = text_recipe(material.medium, frames, sum(view.duration for view in learnt))
    chosen_by = [frames.views[cut.id][0] for cut in parts["dev"]]
    path, checkpoint = learnt_by("model", recipe, learnt, chosen_by, material, frames, work,
                                 max(clock.left() - TUNING, TUNING))
    card = write_card(work, material, frames, path, "BiLSTM under CTC", {})
    export(checkpoint, output, card, frames)
    if clock.left() > TUNING:
        _tune(output, parts, work, tell)
    test = write_manifest(parts["test"], work / "held-out.jsonl.gz")
    report, errors = evaluate_model(str(output), test)
    assert isinstance(report, TranscriptionReport)
    place = {cut.id: number for number, cut in enumerate(cuts)}
    asked = [place[one.id] for one in report.utterances]
    drawn, drawn_over = over(units, asked)
    interval = bootstrap_interval(np.array([one.words.edits for one in report.utterances]),
                                  np.array([one.words.reference_length for one in report.utterances]), drawn)
    rate = report.words.rate
    figure = rate, f"word error rate of {number(len(asked), 'clip')} held out"
    summary = Summary(
        title=f"{output.name}: what is said", figure=figure, interval=interval, over=drawn_over,
        told=[f"{material.described()}.", f"What stays together: {units.how}.", f"{told}."],
        warnings=[*material.warnings, *short, *map(str, errors), *([] if units.known else [units.how])],
        candidates=(), curve=None, commands=())
    write_card(work, material, frames, path, "BiLSTM under CTC", summary.figures(), output)
    low, high = interval
    tell(f"word error rate {percent(rate)} of {len(asked)} clips held out (95 % interval {percent(low)} to "
         f"{percent(high)}, over {drawn_over})")
    page = end(work, report, output, material, cuts, summary, path, tell)
    return Learned(output, page, path, "BiLSTM under CTC", rate, interval)


def _spellable(cuts: Sequence[Any], frames: Frames, stride: int) -> tuple[list[Any], list[str]]:
    """The clips whose texts fit their frames, and a line for each other one: CTC has no path for these."""
    kept, short = [], []
    for cut in cuts:
        array = frames_of(frames.views[cut.id][0])
        outputs = -(-array.shape[0] // stride) if array is not None else 0
        if (needed := characters_and_blanks(text_of(cut) or "")) > outputs:
            short.append(f"{cut.id}: left out, its text needs {needed} output frames and it has {outputs}")
        else:
            kept.append(cut)
    if not kept:
        raise EarsightError(f"all texts are too long for their clips ({short[0]}); check which text is whose")
    return kept, short


def _divided(cuts: Sequence[Any], units: Units) -> dict[str, list[Any]]:
    """Clips to learn (train), to choose by (dev) and to measure on (test); no unit is in two of them."""
    if len(set(units.names)) < FEWEST:
        raise EarsightError(f"{len(set(units.names))} {units.kind}: one part is learnt, one chooses and one measures; "
                            f"add clips of others, until there are {FEWEST} at least")
    grouped = []
    for cut, name in zip(cuts, units.names):
        said = cut.supervisions[0]
        grouped.append(replace(cut, supervisions=[replace(said, custom={**(said.custom or {}), "group": name})]))
    split_of = divide(grouped, SHARES, by="group")
    parts: dict[str, list[Any]] = {"train": [], "dev": [], "test": []}
    for cut in cuts:
        parts[split_of[cut.id]].append(cut)
    return parts


def _tune(output: Path, parts: dict[str, list[Any]], work: Path, tell: Callable[[str], None]) -> None:
    """Beam search with a language model of the learnt texts, where the part to choose by says that it errs less."""
    texts = [text for cut in parts["train"] if (text := text_of(cut))]
    model = work / "lm.bin"
    make_model(texts, 3, model)
    dev = write_manifest(parts["dev"], work / "dev.jsonl.gz")
    try:
        report, _ = tune_decoder(str(output), [dev], model)
    except EarsightError as error:  # a model that writes no word yet
        tell(f"decoding stays greedy: {error}")
        return
    tell(next((line for line in report.splitlines() if line.startswith("chosen: ")), "decoding was tuned"))
