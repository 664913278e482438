"""`earsight evaluate --noise`: how many errors a model makes at each signal-to-noise ratio."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import EarsightError
from ..files import whole_file
from . import layout
from .classification import ClassificationReport
from .transcription import TranscriptionReport

CLEAN = math.inf  # dB


@dataclass(frozen=True)
class NoiseTable:
    """Error rates of one model on one manifest, disturbed.

    Attributes:
        noise: its kind.
        measure: "WER" of texts, or "error rate" of classes.
        ratios: signal-to-noise ratios, dB; infinity without noise.
        rates: for each of what the model was given (its sound; for films lips and both too), an error rate a ratio, as
            fractions.
        clips: how many were read at every ratio.
    """

    noise: str
    measure: str
    ratios: tuple[float, ...]
    rates: dict[str, tuple[float, ...]]
    clips: int

    def text(self) -> str:
        """The table for a terminal."""
        header = [f"{self.noise}, dB", *self.rates]
        rows = [[ratio_name(ratio), *(layout.percent(rates[i]) for rates in self.rates.values())]
                for i, ratio in enumerate(self.ratios)]
        return f"{self.measure} of {self.clips} clips with {self.noise}\n" + layout.table(header, rows)

    def json(self) -> str:
        """The table as a JSON object: `report` ("noise"), `version`, `noise`, `measure`, `clips`, `ratios` (dB; null
        without noise) and `rates` (fractions, one list for each of what the model was given)."""
        return layout.json_text({
            "report": "noise", "version": 1, "noise": self.noise, "measure": self.measure, "clips": self.clips,
            "ratios": [None if ratio == CLEAN else ratio for ratio in self.ratios],
            "rates": {name: list(rates) for name, rates in self.rates.items()}})

    def plot(self, path: Path) -> None:
        """Draw the error rates over the ratios, clean sound at the right."""
        from matplotlib.figure import Figure  # slow to import, and no display is needed

        order = sorted(range(len(self.ratios)), key=lambda i: self.ratios[i])
        figure = Figure(figsize=(6, 4), layout="constrained")
        axis = figure.subplots()
        for name, rates in self.rates.items():
            axis.plot(range(len(order)), [100 * rates[i] for i in order], marker="o", label=name)
        axis.set_xticks(range(len(order)), [ratio_name(self.ratios[i]) for i in order])
        axis.set_xlabel(f"signal-to-noise ratio, {self.noise}, dB")
        axis.set_ylabel(f"{self.measure}, %")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend()
        with whole_file(path) as temporary:
            figure.savefig(temporary, format="png", dpi=120)


def ratio_name(ratio: float) -> str:
    """As a person writes a ratio."""
    return "clean" if ratio == CLEAN else f"{ratio:g}"


def parse_ratios(texts: Sequence[str]) -> tuple[float, ...]:
    """Ratios in dB of what a person writes.

    Raises:
        EarsightError: one is no number and not "clean".
    """
    ratios = []
    for text in texts:
        try:
            ratio = CLEAN if text == "clean" else float(text)
        except ValueError:
            ratio = math.nan
        if math.isnan(ratio) or ratio == -math.inf:
            raise EarsightError(f"--snr {text}: no number of decibels; give numbers, and clean for no noise")
        ratios.append(ratio)
    return tuple(dict.fromkeys(ratios))


def error_rate(report: TranscriptionReport | ClassificationReport) -> tuple[str, float]:
    """What a report's errors are called, and their rate."""
    if isinstance(report, TranscriptionReport):
        return "WER", report.words.rate
    return "error rate", 1 - report.accuracy
