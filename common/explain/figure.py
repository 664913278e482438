"""Panels over one time axis, as `earsight explain` draws them: sound, frames, posteriors, words, gates and memory.

Sizes are in inches, so that letters have one size whatever there is to draw. Colours are Okabe and Ito's, which people
with any colour vision tell apart, on a projector too.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ..ctc import tokens_of_path
from ..errors import EarsightError, require
from ..escaping import printable
from ..files import whole_file
from ..inference.recognition import Word
from ..labels import BLANK, BOUNDARY
from ..nn.cells import GATES, MEMORY, Values
from ..reports.pages.exhibits import brightness

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK, SKY, RED = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"
INK, SOFT, LINE, GREY, SHADE = "#1b2a41", "#5d6977", "#e3e7ec", "#d9dee5", "#edf5fb"
GATE_COLOURS = {"i": BLUE, "f": RED, "o": GREEN, "z": BLUE, "r": RED}
WORD = "#c5e3f5"
PALETTE = (BLUE, RED, GREEN, PINK, ORANGE, SKY)

WIDTH, LEFT, RIGHT = 12.0, 1.95, 0.25  # of the picture, and of its margins
AXIS = WIDTH - LEFT - RIGHT  # what stands for the clip's duration
TITLE, TICKS = 0.62, 0.4
SIZE, SMALL = 11, 9.5  # points
DPI = 150
SUFFIXES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Panel:
    """One strip of the picture.

    Attributes:
        name: stands to its left.
        height: inches.
        draw: fills its axes, whose x is in seconds.
        key: lines below the name, (text, colour) each.
        ticks: values to write on the axis of y.
        gap: inches below.
        shaded: whether the times of words are shaded.
    """

    name: str
    height: float
    draw: Callable[["Axes"], None]
    key: tuple[tuple[str, str], ...] = ()
    ticks: tuple[float, ...] = ()
    gap: float = 0.16
    shaded: bool = False


def figure(title: str, said: str, duration: float, panels: Sequence[Panel], words: Sequence[Word] = ()) -> "Figure":
    """The picture, made without pyplot: no window and no global state. Its axes are the panels', in order.

    Args:
        title, said: stand above, left and right.
        duration: seconds.
        words: whose times are shaded where panels want it.
    """
    made = require("matplotlib.figure", "train").Figure
    ticker = require("matplotlib.ticker", "train")
    height = TITLE + sum(panel.height + panel.gap for panel in panels) + TICKS
    drawn = made(figsize=(WIDTH, height), facecolor="white", dpi=DPI)
    text = {"color": INK, "parse_math": False}
    y = 1 - 0.32 / height
    drawn.text(0.2 / WIDTH, y, _shortened(printable(title), 36), size=SIZE + 4, weight="bold", va="center", **text)
    drawn.text(1 - RIGHT / WIDTH, y, said, size=SIZE + 1, ha="right", va="center", **text)
    top = height - TITLE
    for panel in panels:
        axes = drawn.add_axes((LEFT / WIDTH, (top - panel.height) / height, AXIS / WIDTH, panel.height / height))
        axes.set_xlim(0, duration)
        axes.xaxis.set_major_locator(ticker.MaxNLocator(12, steps=[1, 2, 5, 10]))
        axes.set_axisbelow(True)
        axes.grid(axis="x", color=LINE, linewidth=0.8)
        for word in words if panel.shaded else ():
            axes.axvspan(word.start, word.end, color=SHADE, linewidth=0, zorder=0)
        panel.draw(axes)
        axes.set_xlim(0, duration)  # pictures move it
        axes.set_yticks(panel.ticks, [f"{value:g}".replace("-", "−") for value in panel.ticks])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, colors=SOFT, labelsize=SMALL, labelbottom=panel is panels[-1])
        lines = [(panel.name, INK, "bold")] if panel.name else []
        lines += [(line, colour, "normal") for line, colour in panel.key]
        for i, (line, colour, weight) in enumerate(lines):
            y = top - panel.height / 2 + 0.19 * ((len(lines) - 1) / 2 - i)
            drawn.text((LEFT - 0.42) / WIDTH, y / height, _shortened(line, 20), ha="right", va="center",
                       size=SIZE if weight == "bold" else SMALL, color=colour, weight=weight, parse_math=False)
        if panel is panels[-1]:
            axes.set_xlabel("seconds", color=SOFT, size=SMALL + 0.5)
        top -= panel.height + panel.gap
    return drawn


def check_output(path: Path) -> None:
    """Refuse a picture's name that says no known form."""
    if path.suffix.lower() not in SUFFIXES:
        raise EarsightError(f"{path}: a picture is written as {', '.join(SUFFIXES)}; choose such a name")


def write_figure(drawn: "Figure", path: Path) -> None:
    """Write a figure in the form that the path's suffix names, whole or not at all."""
    with whole_file(path) as temporary:
        drawn.savefig(temporary, format=path.suffix[1:].lower(), dpi=DPI)
        if path.suffix.lower() == ".png":
            _fewer_colours(temporary)


def _fewer_colours(path: Path) -> None:
    """Rewrite a PNG with a palette, a third as large: its commonest colours as they are, others for the rest."""
    from PIL import Image

    with Image.open(path) as opened:
        image = opened.convert("RGB")
    counted = cast("list[tuple[int, tuple[int, ...]]]", image.getcolors(image.width * image.height))  # as of RGB
    common = sorted(counted, reverse=True)[:128]
    others = image.quantize(128, Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for _, colour in common for value in colour] + others)
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(path, "png", optimize=True)


# Panels


def waveform_panel(samples: np.ndarray, sample_rate: int) -> Panel:
    """Samples (samples,) in [-1, 1]: the lowest and the highest of each pixel."""
    edges = np.unique(np.linspace(0, len(samples), int(AXIS * DPI), endpoint=False).astype(int))
    low, high = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
    most = max(float(np.abs(samples).max()), 1e-4) * 1.05

    def draw(axes: "Axes") -> None:
        axes.fill_between(edges / sample_rate, low, high, color=INK, linewidth=0.6, step="post")
        axes.set_ylim(-most, most)

    return Panel("waveform", 0.95, draw)


def words_panel(words: Sequence[Word]) -> Panel:
    """Each word at its time; those without room have their letters left out."""
    def draw(axes: "Axes") -> None:
        seconds = axes.get_xlim()[1]
        for word in words:
            wide = word.end - word.start
            axes.barh(0, wide, left=word.start, height=1, color=WORD, edgecolor="white", linewidth=1.5)
            room, size = max(wide, 0.9 * _gap(word, words, seconds)) / seconds * AXIS, SIZE
            while size > 7 and _width(word.text, size) > room:
                size -= 0.5
            if _width(word.text, size) <= room:
                axes.text(word.start + wide / 2, -0.04, word.text, ha="center", va="center", size=size, color=INK,
                          parse_math=False)
        axes.set_ylim(-0.5, 0.5)

    return Panel("words", 0.36, draw)


def frames_panel(name: str, frames: np.ndarray, frame_shift: float, about: str = "") -> Panel:
    """Frames (time, feature); see `common.reports.pages.exhibits.brightness`."""
    values = brightness(frames)

    def draw(axes: "Axes") -> None:
        axes.imshow(values, cmap="cividis", aspect="auto", origin="lower", interpolation="nearest", vmin=0, vmax=1,
                    extent=(0, len(frames) * frame_shift, 0, len(values)))
        axes.grid(False)

    return Panel(name, 1.2, draw, ((about, SOFT),) if about else ())


def posteriors_panel(log_probs: np.ndarray, symbols: Sequence[str], shift: float) -> Panel:
    """Probabilities (time, label) of the labels that are the likeliest somewhere, and of the blank."""
    probabilities = np.exp(log_probs)
    tokens = tokens_of_path(log_probs.argmax(axis=-1))
    named = [label for label in dict.fromkeys(token.label for token in tokens) if symbols[label] not in (BOUNDARY, " ")]
    colours = defaultdict(lambda: SOFT, ((label, PALETTE[i % len(PALETTE)]) for i, label in enumerate(named)))
    times = _centres(len(log_probs), shift)

    def draw(axes: "Axes") -> None:
        axes.fill_between(times, probabilities[:, BLANK], color=GREY, linewidth=0)
        for label in dict.fromkeys(token.label for token in tokens):
            colour = colours[label]
            axes.fill_between(times, probabilities[:, label], color=colour, alpha=0.25, linewidth=0)
            axes.plot(times, probabilities[:, label], color=colour, linewidth=1.4)
        ends = [-np.inf, -np.inf]  # of what is written in each of two rows; what has room in neither is left out
        for token in tokens:
            peak = times[token.first + int(probabilities[token.first : token.end, token.label].argmax())]
            symbol = {" ": "␣"}.get(symbols[token.label], symbols[token.label])
            half = (_width(symbol, SMALL) / 2 + 0.03) / AXIS * axes.get_xlim()[1]
            row = next((row for row, end in enumerate(ends) if peak - half > end), None)
            if row is not None:
                ends[row] = peak + half
                axes.text(peak, 1.07 + 0.19 * row, symbol, ha="center", va="bottom", size=SMALL, weight="bold",
                          color=_darker(colours[token.label]), parse_math=False)
        axes.set_ylim(0, 1.48)

    return Panel("posteriors", 1.6, draw, (("labels in colour", SOFT), ("blank", _darker(GREY))), (0, 1))


def classes_panel(times: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> Panel:
    """What a classifier makes of a clip up to each of the times (n,) in seconds: probabilities (n, label)."""
    likeliest = np.argsort(-probabilities.max(axis=0), kind="stable")[: len(PALETTE) - 1]
    shown = [int(i) for i in likeliest if probabilities[:, i].max() >= 0.05]

    def draw(axes: "Axes") -> None:
        for i, colour in zip(shown, PALETTE):
            axes.plot(times, probabilities[:, i], color=colour, linewidth=2.2)
        axes.set_ylim(-0.03, 1.03)

    key = (("of the clip so far", SOFT), *((labels[i], _darker(colour)) for i, colour in zip(shown, PALETTE)))
    return Panel("classes", 1.5, draw, key, (0, 1))


def unit_panels(unit: int, values: Values, kind: str, shift: float) -> list[Panel]:
    """The gates of one unit of a layer, and below them its memory and output; values (time, hidden)."""
    times = _centres(len(values["h"]), shift)
    gates = GATES[kind]
    memory = values[MEMORY[kind]][:, unit]
    most = max(1.0, np.ceil(np.abs(memory).max()))

    def draw_gates(axes: "Axes") -> None:
        for gate in gates:
            axes.plot(times, values[gate][:, unit], color=GATE_COLOURS[gate], linewidth=1.8)
        axes.set_ylim(-0.06, 1.06)

    def draw_memory(axes: "Axes") -> None:
        axes.fill_between(times, memory, color=PINK, alpha=0.35, linewidth=0)
        axes.plot(times, memory, color=PINK, linewidth=1.8)
        if kind == "lstm":
            axes.plot(times, values["h"][:, unit], color=INK, linewidth=1.2)
        axes.axhline(0, color=SOFT, linewidth=0.6)
        axes.set_ylim(-1.25 * most, 1.25 * most)

    names = tuple((f"{name} gate", GATE_COLOURS[gate]) for gate, name in gates.items())
    key = (("cell memory", _darker(PINK)), ("output", INK)) if kind == "lstm" else (("state", _darker(PINK)),)
    return [Panel(f"unit {unit}", 0.95, draw_gates, names, (0, 1), gap=0.06, shaded=True),
            Panel("", 0.85, draw_memory, key, (-most, 0, most), gap=0.28, shaded=True)]


def attention_panel(name: str, weights: np.ndarray, shift: float) -> Panel:
    """Attention (time, time): for each moment (across) where it looks (up), both in seconds."""
    seconds = len(weights) * shift

    def draw(axes: "Axes") -> None:
        axes.imshow(weights.T, cmap="cividis", aspect="auto", origin="lower", interpolation="nearest",
                    extent=(0, seconds, 0, seconds), vmax=np.quantile(weights, 0.995))
        axes.grid(False)

    return Panel(name, 1.6, draw, (("where it looks, s", SOFT),), (0, float(f"{seconds:.2g}")))


def pictures_panel(images: Sequence[np.ndarray], duration: float) -> Panel:
    """Pictures (height, width, 3), the i-th of n from the middle of the i-th of n equal parts of the clip."""
    slot = AXIS / len(images)
    high = min(1.3, (slot - 0.06) * images[0].shape[0] / images[0].shape[1])

    def draw(axes: "Axes") -> None:
        half = high * images[0].shape[1] / images[0].shape[0] / 2 / AXIS * duration
        for i, image in enumerate(images):
            centre = (i + 0.5) / len(images) * duration
            axes.imshow(image, extent=(centre - half, centre + half, 0, 1), aspect="auto")
        axes.set_ylim(0, 1)
        axes.grid(False)

    return Panel("pictures", high, draw)


def _centres(count: int, shift: float) -> np.ndarray:
    return (np.arange(count) + 0.5) * shift


def _gap(word: Word, words: Sequence[Word], seconds: float) -> float:
    """Seconds that a word's letters may take: twice as far as the nearer of its neighbours' middles, less theirs."""
    middle = (word.start + word.end) / 2
    others = [abs((other.start + other.end) / 2 - middle) for other in words if other is not word]
    return min(others, default=seconds)


def _width(text: str, size: float) -> float:
    """Inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    return text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)[0] / 72


def _darker(colour: str) -> str:
    """For letters, which need more contrast than lines."""
    return "#" + "".join(f"{int(colour[k:k + 2], 16) * 3 // 4:02x}" for k in (1, 3, 5))


def _shortened(text: str, longest: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
