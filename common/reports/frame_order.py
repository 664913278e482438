"""What the order of a clip's frames is worth to a model: its accuracy with the frames in other orders."""

from dataclasses import dataclass
from typing import Any

from . import layout


@dataclass(frozen=True)
class OrderFigures:
    """Accuracies of one model over the same clips, whose frames come in other orders.

    Motion, where frames hold any, is computed before they are reordered.
    """

    ordered: float  # as they are
    shuffled: tuple[float, ...]  # one a shuffle, at least one
    reversed: float

    @property
    def shuffled_mean(self) -> float:
        return sum(self.shuffled) / len(self.shuffled)

    def text(self) -> str:
        """A section of a report, with how it reads."""
        lowest, highest = (layout.percent(end(self.shuffled)) for end in (min, max))
        spread = f"mean of {len(self.shuffled)}, {lowest} to {highest}" if len(self.shuffled) > 1 else ""
        rows = [
            ["in order", layout.percent(self.ordered), ""],
            ["shuffled", layout.percent(self.shuffled_mean), spread],
            ["reversed", layout.percent(self.reversed), ""],
        ]
        shuffling, reversing = (_points(self.ordered - each) for each in (self.shuffled_mean, self.reversed))
        return (
            f"Accuracy by the order of a clip's frames\n{layout.table(None, rows, align='<><')}\n"
            f"  Shuffling costs {shuffling} points, reversing {reversing}; "
            "a model that makes nothing of their order would lose none."
        )

    def plain(self) -> dict[str, Any]:
        """JSON values; `shuffled` is the mean of `shuffles`."""
        return {
            "ordered": self.ordered,
            "shuffled": self.shuffled_mean,
            "shuffles": list(self.shuffled),
            "reversed": self.reversed,
        }


def _points(difference: float) -> str:
    return f"{round(100 * difference, 2) + 0.0:.2f}"  # + 0.0: no "-0.00"
