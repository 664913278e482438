"""What `learn` ends with: a card in the model folder, a page, and a line about each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...common.data.cuts import frames_of
from ...common.errors import EarsightError
from ...common.files import write_whole
from ...common.model_folder import read_config, write_config
from ...common.reports.classification import ClassificationReport
from ...common.reports.intervals import FEWEST
from ...common.reports.layout import number
from ...common.reports.pages.exhibits import Exhibit, frames_exhibit
from ...common.reports.pages.page import write_page
from ...common.reports.transcription import TranscriptionReport
from ..media import package_of
from .frames import Frames
from .page import Summary, head
from .sources import Material
from .units import Units


@dataclass(frozen=True)
class Learned:
    """What came of it.

    Attributes:
        model: the model folder.
        page: the report.
        recipe: the YAML that `earsight train fit --config` runs again.
        taken: which model was taken.
        figure: accuracy on clips held out, or word error rate where it writes text.
        interval: 95 % of it.
    """

    model: Path
    page: Path
    recipe: Path
    taken: str
    figure: float
    interval: tuple[float, float]


def over(units: Units, places: list[int]) -> tuple[list[Any], str]:
    """What an interval of clips at these places is drawn over, by clip, and what that is called."""
    drawn = units.numbers[places].tolist()
    if FEWEST <= len(set(drawn)) < len(drawn):
        return drawn, f"{len(set(drawn))} {units.kind}"
    return places, number(len(drawn), "clip")


def export(checkpoint: Path, output: Path, card: Path, frames: Frames) -> None:
    """Make the model folder, with the frontend that made the frames."""
    further = {"frontend_of": frames.frontend} if frames.frontend else {}
    package_of(checkpoint, "model").export_checkpoint(checkpoint, output, card=card, **further)


def write_card(work: Path, material: Material, frames: Frames, recipe: Path, taken: str, figures: dict[str, str],
               model: Path | None = None) -> Path:
    """What `earsight models` tells of the model, as a file for its export, and in the `model` where it is there."""
    card = {"description": f"learnt by `earsight learn`: {taken} over "
            + (f"the frames of {Path(frames.frontend).name}" if frames.frontend else "stored frames"),
            "trained_on": material.described(), "recipe": str(recipe), "figures": figures}
    path = work / "card.json"
    write_whole(path, json.dumps(card, ensure_ascii=False, indent=2) + "\n")
    if model is not None:
        write_config(model, replace(read_config(model), about=card))
    return path


def end(work: Path, report: ClassificationReport | TranscriptionReport, output: Path, material: Material,
        cuts: Sequence[Any], summary: Summary, recipe: Path, tell: Callable[[str], None]) -> Path:
    """Write the page and the figures, and say what there is."""
    exhibit = _exhibit_of(material.medium)
    by_id = {cut.id: cut for cut in cuts}
    unread = [EarsightError(f"{name}: {reason}") for name, reason in material.failures]
    write_whole(work / "figures.json", report.json())
    summary = replace(summary, commands=_commands(output, recipe, material))
    page = write_page(work, report, str(output), work, lambda name: exhibit(by_id[name]), unread, head(summary))
    tell(f"{output}: the model; {summary.commands[0][1]}\n{page}: the report\n{recipe}: what was done, for `earsight "
         "train fit --config`")
    return page


def _commands(output: Path, recipe: Path, material: Material) -> list[tuple[str, str]]:
    use = "transcribe" if material.task == "text" else "classify"
    return [("recognise clips", f"earsight {use} CLIP --model {output}"),
            ("see what it does with one", f"earsight explain CLIP --model {output} --output clip.png"),
            ("measure it on others", f"earsight evaluate {output} CLIPS --report report/"),
            ("teach it more", f"earsight learn MORE --add --output {output}"),
            ("train it again", f"earsight train fit --config {recipe}")]


def _exhibit_of(medium: str) -> Callable[[Any], Exhibit]:
    """What shows a clip of a medium on a page."""
    if medium == "series":
        from ...common.series.data import read_series_cut
        from ...common.series.reading.series import filled

        def exhibit(cut: Any) -> Exhibit:
            stored = frames_of(cut)
            assert stored is not None  # of series there are
            return frames_exhibit(filled(read_series_cut(cut, stored.frame_shift)), cut.duration)

        return exhibit
    if medium == "video":
        from ...video.exhibits import exhibit
    else:
        from ...audio.exhibits import exhibit
    return exhibit


def warn(units: Units, tell: Callable[[str], None]) -> None:
    """Say what stays together, and what may be wrong with that."""
    if units.known:
        tell(f"{number(len(set(units.names)), units.kind.removesuffix('s'), units.kind)}: {units.how}")
    else:
        print(f"warning: {units.how}", file=sys.stderr, flush=True)


