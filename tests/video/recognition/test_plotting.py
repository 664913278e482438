import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from conftest import REPOSITORY
from earsight.common.errors import EarsightError, MissingExtra
from earsight.common.inference.recognition import Classification, Segment, Timeline
from earsight.video.recognition import plotting
from earsight.video.recognition.bands import COLOURED, GREY, PALETTE, POINTS, bands_of, contrasting
from earsight.video.recognition.plotting import plot_timeline, thumbnail_times, timeline_figure

LABELS = ("BenchPress", "JumpingJack", "Lunges", "PullUps", "PushUps", "TaiChi", "Punch", "WallPushups")


def made(*stretches: tuple[str | None, float], labels=LABELS, hop=0.5, path="clips/a.mp4", sure=0.8) -> Timeline:
    """A timeline whose windows, one a hop, say `sure` of the label that is done; None is no segment."""
    duration = sum(seconds for _, seconds in stretches)
    ends = np.cumsum([seconds for _, seconds in stretches])
    times = np.arange(hop / 2, duration, hop)
    probabilities = np.full((len(times), len(labels)), (1 - sure) / (len(labels) - 1), np.float32)
    for row, time in zip(probabilities, times, strict=True):
        label = stretches[int(np.searchsorted(ends, time))][0]
        row[:] = 1 / len(labels) if label is None else row
        if label is not None:
            row[labels.index(label)] = sure
    segments = tuple(
        Segment(float(end - seconds), float(end), label, sure)
        for (label, seconds), end in zip(stretches, ends, strict=True)
        if label is not None
    )
    return Timeline(path, segments, labels, times, probabilities, float(duration), "actions-10")


def pictures(duration: float, width=64, height=48, count=None):
    times = thumbnail_times(duration, width / height) if count is None else np.linspace(0, duration, count)
    rng = np.random.default_rng(0)
    return [(float(time), rng.integers(0, 255, (height, width, 3), np.uint8)) for time in times]


def png_size(path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n") and content.endswith(b"IEND\xaeB`\x82")  # whole
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def texts_of(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text()]


def boxes_of(figure) -> list:
    """Where all letters of a figure stand, in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    with_ticks = [axes for axes in figure.axes if axes.axison]
    ticks = [label for axes in with_ticks for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]]
    letters = [*figure.texts, *(text for axes in figure.axes for text in axes.texts), *ticks]
    return [text.get_window_extent(canvas.get_renderer()) for text in letters if text.get_text()]


CLIPS = {
    "three": made(("PushUps", 8), ("JumpingJack", 9.5), ("Lunges", 7.5)),
    "hour": made(*((LABELS[i * i % 8], 30 + 13 * (i % 7)) for i in range(53))),
    "ten hours": made(*((LABELS[i * i % 8], 20 + i % 9) for i in range(1500)), hop=1.0),
    "two seconds": made(("BenchPress", 2), hop=2.0),
    "one frame": made(("BenchPress", 0.04), hop=0.04),
    "gaps": made((None, 5), ("TaiChi", 20), (None, 9), ("Punch", 12)),
    "nothing": made((None, 30)),
    "two classes": made(("PushUps", 8), ("Punch", 8), labels=("PushUps", "Punch")),
    "one class": made(("PushUps", 8), labels=("PushUps", "Punch"), sure=1.0),
    "names": made(("$x_{$", 8), ("größe " * 12, 8), labels=("$x_{$", "größe " * 12, "line\nbreak"), path="$a_b$" * 40),
}  # fmt: skip


# Bands


@pytest.mark.parametrize("timeline", CLIPS.values(), ids=CLIPS)
def test_bands_fill_all_from_0_to_1_over_the_whole_clip(timeline):
    bands = bands_of(timeline)
    assert [band.colour for band in bands if not band.others] == list(PALETTE[: len(bands) - bands[-1].others])
    np.testing.assert_array_equal(bands[0].lower, 0)
    np.testing.assert_allclose(bands[-1].upper, 1, atol=1e-5)
    for below, above in itertools.pairwise(bands):
        np.testing.assert_array_equal(below.upper, above.lower)
    for band in bands:
        assert band.times[0] == 0 and band.times[-1] == timeline.duration and len(band.times) <= POINTS + 2
        assert (np.diff(band.times) > 0).all()
        assert (band.upper >= band.lower - 1e-6).all()


def test_classes_in_colour_are_those_of_the_longest_segments_as_they_appear():
    bands = bands_of(made(*zip(LABELS, (5, 90, 30, 4, 60, 50, 40, 45))))
    assert [band.label for band in bands] == [*(LABELS[i] for i in (1, 2, 4, 5, 6, 7)), "other classes"]
    assert len(bands) == COLOURED + 1 and bands[-1].colour == GREY
    band = bands[0]  # JumpingJack, from 5 s to 95 s
    assert band.upper[band.times == 50.25] - band.lower[band.times == 50.25] == pytest.approx(0.8)


def test_a_class_without_a_segment_has_a_colour_where_it_is_likely():
    timeline = made(("PushUps", 10), labels=("PushUps", "Punch", "TaiChi", "Lunges"), sure=0.6)
    assert [band.label for band in bands_of(timeline)] == ["PushUps", "other classes"]  # 13 % each
    timeline.probabilities[3] = 0.6, 0.3, 0.05, 0.05
    assert [band.label for band in bands_of(timeline)] == ["PushUps", "Punch", "other classes"]


def test_what_probabilities_lack_to_one_is_unknown():
    timeline = made((LABELS[0], 10.0), (None, 10.0))
    known = np.where(timeline.times < 10, 1.0, 0.25)
    timeline = replace(timeline, probabilities=timeline.probabilities * known[:, None])
    bands = bands_of(timeline)
    assert [band.label for band in bands[-2:]] == ["other classes", "unknown"]
    for below, above in zip(bands, bands[1:]):
        np.testing.assert_allclose(below.upper, above.lower)
    np.testing.assert_allclose(bands[-1].upper, 1.0)
    gap = bands[-1].times > 10.5
    np.testing.assert_allclose((bands[-1].upper - bands[-1].lower)[gap], 0.75, atol=1e-6)
    timeline_figure(timeline)  # it is drawn


def test_many_windows_are_averaged():
    timeline = made(("PushUps", 1000), ("Punch", 1000), hop=0.5)
    band = bands_of(timeline)[0]
    assert np.trapezoid(band.upper - band.lower, band.times) == pytest.approx(
        timeline.probabilities[:, LABELS.index("PushUps")].mean() * 2000, rel=1e-3
    )


def test_letters_can_be_read_on_every_colour():
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in (*PALETTE, GREY):
        letters = contrasting(colour).replace("white", "#ffffff")
        light, dark = sorted((luminance(colour), luminance(letters)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3.5


# Thumbnails


def test_thumbnail_times_are_the_middles_of_equal_parts():
    times = thumbnail_times(100.0, 4 / 3)
    assert times == pytest.approx((np.arange(len(times)) + 0.5) * 100 / len(times))
    assert len(thumbnail_times(100.0, 9 / 16)) > len(times) > len(thumbnail_times(100.0, 2.4)) >= 3
    assert len(thumbnail_times(100.0, 1000.0)) == len(thumbnail_times(100.0, 3.0))


# The picture


@pytest.fixture(autouse=True)
def _matplotlib():
    pytest.importorskip("matplotlib", reason="pip install 'earsight[train]': draws the picture")


@pytest.mark.parametrize("timeline", CLIPS.values(), ids=CLIPS)
def test_a_picture_is_written(tmp_path, timeline, recwarn):
    path = tmp_path / "new folder" / "clip.png"
    plot_timeline(timeline, pictures(timeline.duration), path)
    width, height = png_size(path)
    assert width == 1800 and 600 < height < 1200
    assert [file.name for file in path.parent.iterdir()] == ["clip.png"]
    assert not [warning for warning in recwarn if warning.category is not ResourceWarning]  # those are of other tests


@pytest.mark.parametrize("timeline", CLIPS.values(), ids=CLIPS)
def test_no_letters_overlap_or_leave_the_picture(timeline):
    classification = Classification(timeline.path, timeline.labels[0], {timeline.labels[0]: 0.5}, 1.0, "m")
    figure = timeline_figure(timeline, pictures(timeline.duration), classification)
    boxes = boxes_of(figure)
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1


def test_bars_stand_where_the_segments_are():
    figure = timeline_figure(CLIPS["gaps"])
    bars, area = figure.axes
    (collection,) = bars.collections
    spans = [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in collection.get_paths()]
    assert spans == [(5, 25), (34, 46)]
    assert bars.get_xlim() == area.get_xlim() == (0, 46)
    assert bars.get_position().x0 == area.get_position().x0 and bars.get_position().x1 == area.get_position().x1
    assert [text.get_text() for text in bars.texts] == ["TaiChi  80%", "Punch  80%"]


def test_names_stand_where_they_fit_and_else_in_a_key():
    figure = timeline_figure(CLIPS["three"])
    assert texts_of(figure) == ["PushUps  80%", "JumpingJack  80%", "Lunges  80%", "other classes"]
    # BenchPress's bar is too short for its name, and so is its part of the area.
    figure = timeline_figure(made(("PushUps", 100), ("BenchPress", 2), ("Punch", 100)))
    assert texts_of(figure) == ["PushUps  80%", "Punch  80%", "PushUps", "BenchPress", "Punch", "other classes"]


def test_an_unnamed_class_that_is_likely_is_named_in_the_area():
    timeline = made(("PushUps", 10), labels=("PushUps", "Punch", "TaiChi"), sure=0.6)
    timeline.probabilities[:] = 0.6, 0.38, 0.02
    figure = timeline_figure(timeline)
    (name,) = [text for text in figure.axes[1].texts if text.get_text() == "Punch"]
    assert name.get_position()[1] == pytest.approx(0.6 + 0.38 / 2) and 0 < name.get_position()[0] < 10


@pytest.mark.parametrize(
    ("duration", "labels"),
    [
        (0.04, ["0:00.00", "0:00.01", "0:00.02", "0:00.03", "0:00.04"]),
        (2.0, ["0:00.0", "0:00.5", "0:01.0", "0:01.5", "0:02.0"]),
        (25.0, ["0:00", "0:05", "0:10", "0:15", "0:20", "0:25"]),
        (100.0, ["0:00", "0:15", "0:30", "0:45", "1:00", "1:15", "1:30"]),
        (3599.0, ["0:00", "10:00", "20:00", "30:00", "40:00", "50:00"]),
        (3600.0, ["0:00:00", "0:10:00", "0:20:00", "0:30:00", "0:40:00", "0:50:00", "1:00:00"]),
        (36000.0, ["0:00:00", "2:00:00", "4:00:00", "6:00:00", "8:00:00", "10:00:00"]),
    ],
)
def test_the_axis_is_in_minutes_and_seconds(duration, labels):
    area = timeline_figure(made(("PushUps", duration), hop=duration / 2)).axes[1]
    assert [label.get_text() for label in area.get_xticklabels()] == labels
    assert area.get_xticks()[-1] <= duration


def test_pictures_nearest_to_the_wanted_times_are_shown_once():
    timeline = CLIPS["three"]
    many = timeline_figure(timeline, pictures(25.0, count=251)).axes[0]
    wanted = thumbnail_times(25.0, 64 / 48)
    assert len(many.images) == len(wanted)
    assert [text.get_text() for text in many.texts] == [plotting._clock(round(time, 1), 0) for time in wanted]
    few = timeline_figure(timeline, pictures(25.0, count=2)).axes[0]
    assert len(few.images) == 2
    assert len(timeline_figure(timeline, []).axes) == len(timeline_figure(timeline, pictures(25.0)).axes) - 1


@pytest.mark.parametrize(("width", "height"), [(64, 48), (36, 64), (200, 20), (4, 400), (2, 2)])
def test_pictures_keep_their_shape_and_their_place(width, height):
    figure = timeline_figure(CLIPS["three"], pictures(25.0, width, height))
    strip = figure.axes[0]
    boxes = [image.get_window_extent() for image in strip.images]
    for box in boxes:
        assert box.width / box.height == pytest.approx(width / height, rel=1e-6)
        assert strip.bbox.x0 <= box.x0 and box.x1 <= strip.bbox.x1 + 1e-6
        assert strip.bbox.y0 - 1e-6 <= box.y0 and box.y1 <= strip.bbox.y1 + 1e-6
    for left, right in itertools.pairwise(boxes):
        assert left.x1 < right.x0


def test_the_title_names_the_clip_and_what_it_is():
    classification = Classification("a.mp4", "Punch", {"Punch": 0.626, "TaiChi": 0.374}, 25.0, "m")
    figure = timeline_figure(CLIPS["three"], [], classification)
    assert [text.get_text() for text in figure.texts] == ["whole clip: Punch 63%", "a.mp4"]


def test_a_picture_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    path = tmp_path / "clip.png"
    path.write_bytes(b"the old picture")

    def half(self, path, **options):
        path.write_bytes(b"\x89PNG half")
        raise OSError("no space left on device")

    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(OSError, match="no space"):
        plot_timeline(CLIPS["three"], [], path)
    assert path.read_bytes() == b"the old picture" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EarsightError, match=r"clip\.png: cannot be written"):
        plot_timeline(CLIPS["three"], [], tmp_path / "file" / "clip.png")


def test_threads_draw_the_same(tmp_path):
    def draw(i: int) -> bytes:
        plot_timeline(CLIPS["three"], pictures(25.0), tmp_path / f"{i}.png")
        return (tmp_path / f"{i}.png").read_bytes()

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(draw, range(3)))) == 1


def test_without_matplotlib_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pip install 'earsight\[train\]'"):
        plot_timeline(CLIPS["three"], [], tmp_path / "clip.png")
    assert list(tmp_path.iterdir()) == []


def test_importing_costs_nothing_but_numpy():
    code = (
        "import sys, earsight.common.inference.timeline, earsight.video.recognition.plotting\n"
        "print(*{'matplotlib', 'cv2', 'torch', 'lhotse'} & {*sys.modules})"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
