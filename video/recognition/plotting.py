"""A picture of a timeline: thumbnails, the segments that were found, and the class probabilities, over one time axis.

Sizes are in inches and laid out from the top down, so that letters have one size however long the clip is.
"""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...common.errors import require
from ...common.escaping import printable
from ...common.files import whole_file
from ...common.inference.recognition import Classification, Timeline
from .bands import GREY, INK, Band, bands_of, contrasting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Thumbnail = tuple[float, np.ndarray]  # seconds, and the picture: uint8 (height, width, 3) RGB

LINE = "#d5dbe3"

WIDTH, LEFT, RIGHT = 12.0, 0.9, 0.35  # of the picture, and of its margins
AXIS = WIDTH - LEFT - RIGHT  # what stands for the clip's duration
TITLE, STRIP, TALLEST_STRIP, BARS, AREA, TICKS, KEY_ROW, BOTTOM = 0.5, 1.1, 1.8, 0.42, 2.5, 0.4, 0.3, 0.12
GAP, PAD = 0.08, 0.08  # between parts, and beside letters
POINTS_AN_INCH = 72
SIZE, SMALL = 11, 9  # points, of the letters

_drawing = threading.Lock()  # matplotlib's caches of fonts and letters are not made for several threads


def thumbnail_times(duration: float, aspect: float) -> tuple[float, ...]:
    """The times at which a strip of pictures so wide (width / height) shows a clip, in seconds."""
    count = max(1, int(AXIS / (STRIP * _bounded(aspect) + GAP)))
    return tuple((i + 0.5) / count * duration for i in range(count))


def plot_timeline(
    timeline: Timeline,
    thumbnails: Sequence[Thumbnail],
    path: str | Path,
    classification: Classification | None = None,
) -> None:
    """Draw a timeline as PNG.

    Args:
        timeline: of a clip.
        thumbnails: pictures of the clip in order of time, small ones; those nearest to `thumbnail_times` are shown.
            Without any the strip is left out.
        path: of the picture, which is written whole or not at all.
        classification: of the whole clip, for the title.

    Raises:
        MissingExtra: matplotlib is not installed.
        EarsightError: `path` cannot be written.
    """
    with _drawing:
        figure = timeline_figure(timeline, thumbnails, classification)
        with whole_file(path) as temporary:
            figure.savefig(temporary, format="png", dpi=150)


def timeline_figure(
    timeline: Timeline, thumbnails: Sequence[Thumbnail] = (), classification: Classification | None = None
) -> "Figure":
    """What `plot_timeline` writes, made without pyplot: no window and no global state."""
    figure_class = require("matplotlib.figure", "train").Figure
    bands = bands_of(timeline)
    texts = list(_bar_texts(timeline))
    on_bars = {segment.label for segment, (text, _) in zip(timeline.segments, texts, strict=True) if text}
    on_area = {band.label: place for band in bands if band.label not in on_bars and (place := _place(band))}
    # Names stand where the classes are; where that leaves one unnamed, a key has them all.
    unnamed = any(not band.others and band.label not in on_bars | on_area.keys() for band in bands)
    key = _key_rows(bands) if unnamed else []
    pictures = _chosen(thumbnails, timeline.duration)
    strip = _strip_height(pictures)

    height = TITLE + (strip + GAP if strip else 0) + BARS + GAP + AREA + TICKS + KEY_ROW * len(key) + BOTTOM
    figure = figure_class(figsize=(WIDTH, height), facecolor="white")
    top = height - TITLE

    def axes(inches: float, right: float) -> "Axes":
        """The next axes below, so many inches high, with 0 .. `right` from left to right."""
        nonlocal top
        made = figure.add_axes((LEFT / WIDTH, (top - inches) / height, AXIS / WIDTH, inches / height))
        made.set_xlim(0, right)
        top -= inches + GAP
        return made

    _draw_title(figure, timeline, classification, 1 - 0.5 * TITLE / height)
    if strip:
        _draw_strip(axes(strip, AXIS), pictures, strip)
    _draw_bars(axes(BARS, timeline.duration), timeline, texts, bands)
    _draw_area(axes(AREA, timeline.duration), timeline.duration, bands, {} if key else on_area)
    if key:
        top -= TICKS - GAP
        _draw_key(axes(KEY_ROW * len(key), AXIS), key)
    return figure


# Where names stand


def _width(text: str, size: float = SIZE, weight: str = "normal") -> float:
    """Inches that a text takes."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / POINTS_AN_INCH


def _bar_texts(timeline: Timeline) -> Iterator[tuple[str, float]]:
    """For each segment what stands on its bar, as much as there is room for, "" for nothing, and in which size."""
    for segment in timeline.segments:
        room = (segment.end - segment.start) / timeline.duration * AXIS - 2 * PAD
        name = _one_line(segment.label)
        forms = ((f"{name}  {segment.probability:.0%}", SIZE), (name, SIZE), (name, SMALL)) if room > 0 else ()
        yield next((form for form in forms if _width(*form) <= room), ("", SIZE))


def _place(band: Band) -> tuple[float, float] | None:
    """Where in its band (seconds, probability) a class's name has most room, or None where it has not enough."""
    duration = band.times[-1]
    columns = np.linspace(0, duration, 500)
    wide = int(np.ceil((_width(_one_line(band.label)) + 2 * PAD) / AXIS * len(columns)))
    if wide > len(columns):
        return None
    lower, upper = (np.interp(columns, band.times, edge) for edge in (band.lower, band.upper))
    floor = np.lib.stride_tricks.sliding_window_view(lower, wide).max(axis=1)
    ceiling = np.lib.stride_tricks.sliding_window_view(upper, wide).min(axis=1)
    # Where several places are about as good, the one nearest to the middle.
    best = int((ceiling - floor - 0.05 * np.abs(np.linspace(-1, 1, len(floor)))).argmax())
    if (ceiling - floor)[best] * AREA < 1.5 * SIZE / POINTS_AN_INCH:
        return None
    return float(columns[best] + columns[best + wide - 1]) / 2, float(floor[best] + ceiling[best]) / 2


def _key_rows(bands: Sequence[Band]) -> list[list[tuple[float, Band]]]:
    """The key's entries in rows, each with its place from the left in inches."""
    rows: list[list[tuple[float, Band]]] = [[]]
    left = 0.0
    for band in bands:
        inches = 0.25 + _width(_one_line(band.label))
        if left + inches > AXIS and rows[-1]:
            rows.append([])
            left = 0.0
        rows[-1].append((left, band))
        left += inches + 0.3
    return rows


def _one_line(text: str, longest: int = 40) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= longest else text[: longest - 1] + "…"


# Thumbnails


def _bounded(aspect: float) -> float:
    return float(np.clip(aspect, 0.4, 3.0))


def _aspect(thumbnail: Thumbnail) -> float:
    height, width = thumbnail[1].shape[:2]
    return width / height


def _chosen(thumbnails: Sequence[Thumbnail], duration: float) -> list[Thumbnail]:
    """The pictures nearest to the times that the strip shows, each once."""
    if not thumbnails:
        return []
    times = np.array([time for time, _ in thumbnails])
    wanted = thumbnail_times(duration, _aspect(thumbnails[0]))
    nearest = dict.fromkeys(int(np.abs(times - time).argmin()) for time in wanted)
    return [thumbnails[i] for i in sorted(nearest)]


def _strip_height(pictures: Sequence[Thumbnail]) -> float:
    """Few pictures are drawn larger."""
    if not pictures:
        return 0.0
    room = (AXIS / len(pictures) - GAP) / _bounded(_aspect(pictures[0]))
    return float(np.clip(room, STRIP, TALLEST_STRIP))


# Drawing


def _draw_title(figure: "Figure", timeline: Timeline, classification: Classification | None, y: float) -> None:
    style = {"y": y, "va": "center", "color": INK, "parse_math": False}
    room = AXIS
    if classification is not None:
        value = classification.probabilities[classification.label]
        text = f"whole clip: {_one_line(classification.label)} {value:.0%}"
        figure.text(1 - RIGHT / WIDTH, s=text, ha="right", fontsize=SIZE + 1, **style)
        room -= _width(text, SIZE + 1) + 0.3
    font = {"size": SIZE + 3, "weight": "bold"}
    shortened = (_one_line(Path(timeline.path).name, length) for length in range(90, 0, -1))
    name = next((name for name in shortened if _width(name, **font) <= room), "")
    figure.text(LEFT / WIDTH, s=name, ha="left", **font, **style)


def _draw_strip(axes: "Axes", pictures: Sequence[Thumbnail], height: float) -> None:
    """Pictures side by side, in inches, each with its time."""
    times = [time for time, _ in pictures]
    digits = 0 if min(np.diff(times), default=np.inf) >= 1 else 1
    axes.set_axis_off()
    axes.set_ylim(0, height)
    slot = AXIS / len(pictures)
    for i, (time, image) in enumerate(pictures):
        aspect = image.shape[1] / image.shape[0]
        high = min(height, (slot - GAP) / aspect)
        left, wide = (i + 0.5) * slot - high * aspect / 2, high * aspect
        bottom = (height - high) / 2
        axes.imshow(image, extent=(left, left + wide, bottom, bottom + high), aspect="auto")
        axes.text(left + 0.05, bottom + 0.05, _clock(time, digits), fontsize=SMALL - 1, color="white", va="bottom",
                  bbox={"facecolor": INK, "alpha": 0.75, "pad": 1.5, "linewidth": 0})  # fmt: skip
    axes.set_xlim(0, AXIS)  # imshow moves it


def _draw_bars(
    axes: "Axes", timeline: Timeline, texts: Sequence[tuple[str, float]], bands: Sequence[Band]
) -> None:
    """A bar a segment, with its text."""
    axes.set_axis_off()
    axes.set_ylim(0, 1)
    axes.axhline(0.5, color=LINE, linewidth=1.5, zorder=0)  # seen where there is no segment
    colours = {band.label: band.colour for band in bands}
    fills = [colours.get(segment.label, GREY) for segment in timeline.segments]
    spans = [(segment.start, segment.end - segment.start) for segment in timeline.segments]
    # A white edge parts neighbours; on bars of a few pixels it would be all there is.
    edges = [1.0 if length / timeline.duration * AXIS > 0.06 else 0.0 for _, length in spans]
    axes.broken_barh(spans, (0, 1), facecolors=fills, edgecolors="white", linewidths=edges)
    for (start, length), fill, (text, size) in zip(spans, fills, texts, strict=True):
        if text:
            axes.text(start + length / 2, 0.48, text, ha="center", va="center", fontsize=size,
                      color=contrasting(fill), parse_math=False)  # fmt: skip


def _draw_area(axes: "Axes", duration: float, bands: Sequence[Band], names: dict[str, tuple[float, float]]) -> None:
    """The probabilities, one upon the other."""
    for band in bands:
        axes.fill_between(band.times, band.lower, band.upper, color=band.colour, linewidth=0)
        axes.plot(band.times, band.upper, color="white", linewidth=0.8 if len(band.times) < 150 else 0.25)
        if band.label in names:
            axes.text(*names[band.label], _one_line(band.label), ha="center", va="center", fontsize=SIZE,
                      color=contrasting(band.colour), parse_math=False)  # fmt: skip
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axes.set_ylabel("probability", fontsize=SIZE, color=INK, labelpad=4)
    axes.yaxis.set_label_coords(-0.6 / AXIS, 0.5)
    times, labels = _ticks(duration)
    axes.set_xticks(times, labels)
    axes.tick_params(colors=INK, labelsize=SIZE - 1, color=LINE)
    axes.spines[:].set_visible(False)


def _draw_key(axes: "Axes", rows: Sequence[Sequence[tuple[float, Band]]]) -> None:
    axes.set_axis_off()
    axes.set_ylim(len(rows) * KEY_ROW, 0)
    for number, row in enumerate(rows):
        y = (number + 0.5) * KEY_ROW
        for left, band in row:
            axes.barh(y, 0.16, 0.16, left, color=band.colour)
            axes.text(left + 0.25, y, _one_line(band.label), va="center_baseline", fontsize=SIZE, color=INK,
                      parse_math=False)  # fmt: skip


STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)


def _ticks(duration: float) -> tuple[list[float], list[str]]:
    """Round times, up to nine of them, and how they are written."""
    step = next((step for step in STEPS if duration / step <= 8), STEPS[-1])
    times = [i * step for i in range(int(duration / step + 1e-6) + 1)]
    digits = 0 if step >= 1 else 1 if step >= 0.1 else 2
    return times, [_clock(time, digits, hours=duration >= 3600) for time in times]


def _clock(seconds: float, digits: int, hours: bool | None = None) -> str:
    """m:ss, or h:mm:ss from an hour on or where `hours` says so."""
    parts = 10**digits
    minutes, rest = divmod(round(seconds * parts), 60 * parts)
    fraction = f".{rest % parts:0{digits}}" if digits else ""
    if minutes >= 60 if hours is None else hours:
        return f"{minutes // 60}:{minutes % 60:02}:{rest // parts:02}{fraction}"
    return f"{minutes}:{rest // parts:02}{fraction}"
