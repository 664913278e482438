"""A run's curves, from the table that it leaves: `logs/metrics.csv`, a row a moment and a column a figure."""

import csv
import math
from pathlib import Path

from ..files import whole_file

# What is drawn, a panel each: its title, how its columns' names begin, and the scale.
PANELS = (
    ("loss", ("train_loss", "val_loss"), "log"),
    ("error, accuracy", ("val_wer", "val_cer", "val_accuracy"), "linear"),
    ("learning rate", ("lr-",), "linear"),
    ("gradient norm", ("gradient_norm",), "log"),
)


def read_rows(path: Path) -> list[dict[str, float]]:
    """The table's rows, each with the figures that it has; none where there is no table yet."""
    text = path.read_text() if path.is_file() else ""
    lines = text[:text.rfind("\n") + 1].splitlines()  # a kill may have cut the last one short
    return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(lines)]


def earlier_rows(path: Path, step: int) -> list[dict[str, float]]:
    """The rows of before a step, for a run that goes on from there."""
    return [{**row, "step": int(row["step"])} for row in read_rows(path) if row["step"] < step]


def draw_curves(table: Path, destination: Path) -> None:
    """Draw loss, errors, learning rate and gradient norm over a run's steps; figures that are not finite are gaps."""
    from matplotlib.figure import Figure  # slow to import, and no display is needed

    rows = read_rows(table)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    figure = Figure(figsize=(10, 6), layout="constrained")
    for axes, (title, beginnings, scale) in zip(figure.subplots(2, 2, sharex=True).flat, PANELS):
        for name in (name for name in columns if name.startswith(beginnings)):
            points = [(row["step"], row[name]) for row in rows if math.isfinite(row.get(name, math.nan))]
            if points:
                axes.plot(*zip(*points), label=name, marker="." if name.startswith("val") else "", linewidth=1)
        axes.set_title(title)
        axes.set_yscale(scale)
        axes.grid(alpha=0.3)
        if len(axes.lines) > 1:
            axes.legend()
    figure.supxlabel("step")
    with whole_file(destination) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
