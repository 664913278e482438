import itertools
import math
import tracemalloc

import numpy as np
import pytest

from earsight.common.errors import EarsightError
from earsight.common.inference.timeline import (
    Windows,
    classify_windows,
    segment_steps,
    step_edges,
    step_probabilities,
    timeline,
)

LABELS = ("run", "jump", "sit")
SHIFT = 0.25  # seconds
SHARE = np.log([0.9, 0.05, 0.05])  # logits that one frame gives for its own class and the others


def clip(*stretches: tuple[str, int]) -> np.ndarray:
    """Frames (time, 3) whose class is known: so many frames of each."""
    rows = [np.roll(SHARE, LABELS.index(label)) for label, frames in stretches for _ in range(frames)]
    return np.array(rows, dtype=np.float32)


def mean_logits(frames: np.ndarray) -> np.ndarray:
    """A classifier for windows (batch, time, label) that adds up what each frame says."""
    return 3 * frames.mean(axis=1)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64))
    return powers / powers.sum(axis=-1, keepdims=True)


def run(frames: np.ndarray, *, block: int | None = None, **options):
    block = block or len(frames)
    blocks = [frames[i : i + block] for i in range(0, len(frames), block)]
    return timeline(mean_logits, blocks, LABELS, SHIFT, **options)


def spans(result) -> list[tuple[float, float, str]]:
    return [(segment.start, segment.end, segment.label) for segment in result.segments]


def check_cover(result) -> None:
    """Segments meet, rise and go from 0 to the end."""
    assert result.segments[0].start == 0.0
    assert result.segments[-1].end == result.duration
    for before, after in itertools.pairwise(result.segments):
        assert before.start < before.end == after.start < after.end
        assert before.label != after.label


# Windows


@pytest.mark.parametrize(
    ("frames", "starts"),
    [
        (1, [0]),
        (7, [0]),
        (8, [0]),
        (9, [0, 1]),
        (11, [0, 3]),
        (13, [0, 3, 5]),
        (17, [0, 3, 6, 9]),
        (18, [0, 3, 6, 9, 10]),
    ],
)
@pytest.mark.parametrize("block", [1, 3, 100])
@pytest.mark.parametrize("batch", [1, 2, 16])
def test_windows_cover_the_clip_and_the_last_ends_with_it(frames, starts, block, batch):
    seen = []

    def logits(windows):
        assert len(windows) <= batch
        seen.extend(windows[:, :, 0])
        return windows.mean(axis=1)

    values = np.random.default_rng(0).normal(size=(frames, 3)).astype(np.float32)
    values[:, 0] = np.arange(frames)
    blocks = (values[i : i + block] for i in range(0, frames, block))
    windows = classify_windows(logits, blocks, 8, 3, batch)
    length = min(8, frames)
    assert (windows.length, windows.frames, windows.starts.tolist()) == (length, frames, starts)
    np.testing.assert_array_equal(np.array(seen), [np.arange(start, start + length) for start in starts])
    wanted = softmax(np.array([values[start : start + length].mean(axis=0) for start in starts]))
    np.testing.assert_allclose(windows.probabilities, wanted, atol=1e-6)


def test_empty_blocks_do_no_harm():
    frames = clip(("run", 10), ("jump", 10))
    empty = frames[:0]
    windows = classify_windows(mean_logits, [empty, frames[:9], empty, frames[9:], empty], 8, 3)
    np.testing.assert_array_equal(windows.starts, [0, 3, 6, 9, 12])


@pytest.mark.parametrize("blocks", [[], [np.zeros((0, 3), np.float32)]])
def test_no_frame_is_an_error(blocks):
    with pytest.raises(EarsightError, match=r"^clips/a\.mp4: shorter than one frame of the model; give a longer clip$"):
        timeline(mean_logits, blocks, LABELS, SHIFT, path="clips/a.mp4")


def test_large_logits_are_no_overflow():
    windows = classify_windows(lambda frames: np.array([[1e4, 0.0, -1e4]]), [np.zeros((5, 3))], 8, 3)
    np.testing.assert_array_equal(windows.probabilities, [[1, 0, 0]])


# Steps


def test_a_step_is_the_mean_of_the_windows_over_it():
    # Windows of 8 frames every 4, the last one at 6 instead of 8: it shares 2 of 4 frames with the step from 4.
    windows = Windows(np.array([0, 4, 6]), 8, 14, np.array([[1, 0], [0, 1], [0.5, 0.5]], np.float32))
    edges = step_edges(14, 4)
    np.testing.assert_array_equal(edges, [0, 4, 8, 14])
    steps = step_probabilities(windows, edges)
    np.testing.assert_allclose(steps[0], [1, 0])
    np.testing.assert_allclose(steps[1], [(4 + 0 + 2 * 0.5) / 10, (0 + 4 + 2 * 0.5) / 10])
    np.testing.assert_allclose(steps[2], [(0 + 6 * 0.5) / 10, (4 + 6 * 0.5) / 10])


@pytest.mark.parametrize(("frames", "length", "hop"), [(1, 8, 3), (7, 8, 3), (50, 8, 3), (50, 8, 8), (53, 7, 4)])
def test_steps_agree_with_an_average_frame_by_frame(frames, length, hop):
    values = np.random.default_rng(1).normal(size=(frames, 3))
    windows = classify_windows(mean_logits, [values], length, hop)
    edges = step_edges(frames, hop)
    assert edges[0] == 0 and edges[-1] == frames
    assert all(hop <= size < 2 * hop for size in np.diff(edges)) or frames < hop
    for begin, end, found in zip(edges[:-1], edges[1:], step_probabilities(windows, edges), strict=True):
        pairs = [
            row
            for frame in range(begin, end)
            for start, row in zip(windows.starts, windows.probabilities, strict=True)
            if start <= frame < start + windows.length
        ]
        np.testing.assert_allclose(found, np.mean(pairs, axis=0), atol=1e-6)
        assert found.sum() == pytest.approx(1)


# The best division


def worth(path, probabilities, weights, minimum, penalty, threshold) -> float:
    """What a division is worth that is given as a label (3: None) a step; minus infinity for a segment too short."""
    rows = np.column_stack([probabilities, np.full(len(probabilities), threshold or 1e-300)])
    runs = [len(list(group)) for _, group in itertools.groupby(path)]
    if min(runs) < min(minimum, len(path)):
        return -math.inf
    changes = [penalty / 2 if 3 in pair else penalty for pair in itertools.pairwise(path) if pair[0] != pair[1]]
    return sum(w * math.log(row[k]) for w, row, k in zip(weights, rows, path)) - sum(changes)


@pytest.mark.parametrize("minimum", [1, 2, 3])
@pytest.mark.parametrize("penalty", [0.0, 0.3, 1.5])
@pytest.mark.parametrize("threshold", [0.0, 0.45])
def test_the_division_is_the_best_of_all(minimum, penalty, threshold):
    rng = np.random.default_rng(2)
    for steps in (1, 2, 5, 7):
        probabilities = rng.dirichlet([0.6, 0.6, 0.6], steps).clip(1e-5)
        weights = rng.uniform(0.2, 1, steps)
        settings = (probabilities, weights, minimum, penalty, threshold)
        best = max(worth(path, *settings) for path in itertools.product(range(4 if threshold else 3), repeat=steps))
        found = segment_steps(probabilities, weights, minimum=minimum, penalty=penalty, threshold=threshold)
        path = [3 if label is None else label for first, after, label in found for _ in range(after - first)]
        assert len(path) == steps
        assert worth(path, *settings) == pytest.approx(best, abs=1e-8)
        for _, _, label in found:
            assert label is None or label in range(3)


def test_of_equals_the_earlier_label_and_no_change():
    even = np.full((40, 3), 1 / 3)
    assert segment_steps(even, np.ones(40)) == [(0, 40, 0)]
    assert segment_steps(even, np.ones(40), minimum=5, penalty=0) == [(0, 40, 0)]
    assert segment_steps(even, np.ones(40), threshold=1 / 3) == [(0, 40, 0)]


def test_a_certain_step_does_not_rule_out_what_all_others_say():
    rows = np.tile([1.0, 0.0], (40, 1))
    rows[20] = 0, 1
    assert segment_steps(rows, np.full(40, 0.1), minimum=3) == [(0, 40, 0)]


# Timelines


@pytest.mark.parametrize("hop", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("lengths", [(40, 40, 40), (33, 21, 47), (100, 18, 29)])
def test_boundaries_are_found_within_a_hop(hop, lengths):
    result = run(clip(*zip(LABELS, lengths)), window=4.0, hop=hop)
    check_cover(result)
    assert [segment.label for segment in result.segments] == list(LABELS)
    for segment, wanted in zip(result.segments, np.cumsum(lengths) * SHIFT, strict=True):
        assert abs(segment.end - wanted) <= hop
        assert 0.7 < segment.probability <= 1
    assert result.duration == sum(lengths) * SHIFT


@pytest.mark.parametrize("block", [1, 2, 5, 16, 17, 64, 1000])
@pytest.mark.parametrize("frames", [1, 15, 16, 100, 121])
def test_streaming_equals_the_whole(block, frames):
    rng = np.random.default_rng(3)
    values = 2 * rng.normal(size=(frames, 3)).astype(np.float32).cumsum(axis=0)
    whole, streamed = run(values), run(values, block=block, batch=3)
    np.testing.assert_allclose(streamed.probabilities, whole.probabilities, atol=1e-6)
    np.testing.assert_array_equal(streamed.times, whole.times)
    assert spans(streamed) == spans(whole)
    for one, other in zip(streamed.segments, whole.segments, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-6)


def test_segments_carry_the_mean_probability_of_their_label():
    result = run(clip(("run", 32), ("jump", 32)), window=2.0, hop=2.0)  # no overlap: a window is a step
    assert spans(result) == [(0, 8, "run"), (8, 16, "jump")]
    sure = softmax(3 * SHARE)[0]
    assert [segment.probability for segment in result.segments] == pytest.approx([sure, sure])
    np.testing.assert_array_equal(result.times, np.arange(1, 16, 2))
    assert result.probabilities.shape == (8, 3) and result.probabilities.dtype == np.float32


def test_a_clip_shorter_than_a_window_is_one_window():
    result = run(clip(("jump", 5)), window=4.0, path="a.mp4", model="m")
    assert spans(result) == [(0.0, 1.25, "jump")]
    assert (result.times.tolist(), result.duration, result.path, result.model) == ([0.625], 1.25, "a.mp4", "m")
    assert result.segments[0].probability == pytest.approx(softmax(3 * SHARE)[0])


def test_a_single_frame():
    assert spans(run(clip(("sit", 1)))) == [(0.0, SHIFT, "sit")]


def test_flicker_is_removed():
    # Every twentieth frame looks like something else; a window of one frame sees it as it is.
    flickering = clip(*([("run", 19), ("jump", 1)] * 4))
    assert [s.label for s in run(flickering, window=0.25, hop=0.25, minimum=0, penalty=0).segments] == [
        "run",
        "jump",
    ] * 4
    assert spans(run(flickering, window=0.25, hop=0.25, minimum=1, penalty=0)) == [(0, 20, "run")]
    # The penalty alone: four frames of little evidence are not worth two changes, four of much are.
    doubtful = np.full((1, 3), 0, np.float32) + np.log([0.3, 0.4, 0.3])
    frames = np.concatenate([clip(("run", 20)), np.repeat(doubtful, 4, axis=0), clip(("run", 20))]).astype(np.float32)
    options = {"window": 1.0, "hop": 0.25, "minimum": 0.0, "penalty": 0.5}
    assert spans(run(frames, **options)) == [(0, 11, "run")]
    assert len(run(clip(("run", 20), ("jump", 4), ("run", 20)), **options).segments) == 3


def test_no_segment_is_shorter_than_the_minimum():
    rng = np.random.default_rng(4)
    for minimum in (0.5, 1.0, 3.0):
        values = 4 * rng.normal(size=(301, 3)).astype(np.float32)
        result = run(values, window=0.5, hop=0.5, minimum=minimum, penalty=0)
        check_cover(result)
        assert len(result.segments) > 5
        assert min(segment.end - segment.start for segment in result.segments) >= minimum
    assert len(run(values[:20], minimum=1000).segments) == 1


def test_under_the_threshold_there_is_no_segment():
    unsure = np.tile(np.log([0.4, 0.3, 0.3]), (40, 1)).astype(np.float32) / 3
    frames = np.concatenate([clip(("run", 40)), unsure, clip(("sit", 40))])
    assert len(run(frames).segments) >= 2
    check_cover(run(frames))
    result = run(frames, threshold=0.6)
    assert [segment.label for segment in result.segments] == ["run", "sit"]
    first, last = result.segments
    assert first.start == 0 and last.end == 30
    # A window that is mostly sure is sure enough: the gap may be smaller than the doubt by half a window each side.
    assert 10 <= first.end <= 12 and 18 <= last.start <= 20
    assert run(unsure, threshold=0.6).segments == ()


def test_a_sure_stretch_is_found_between_unsure_ones():
    unsure = np.tile(np.log([0.4, 0.3, 0.3]), (80, 1)).astype(np.float32) / 3
    result = run(np.concatenate([unsure, clip(("jump", 40)), unsure]), threshold=0.7)
    (segment,) = result.segments
    assert segment.label == "jump" and abs(segment.start - 20) <= 2 and abs(segment.end - 30) <= 2


@pytest.mark.parametrize("threshold", [0.4, 0.6, 0.9])
def test_no_segment_is_less_likely_than_the_threshold(threshold):
    rng = np.random.default_rng(5)
    for _ in range(5):
        values = rng.normal(size=(200, 3)).cumsum(axis=0).astype(np.float32) / 3
        result = run(values, window=1.0, hop=0.25, threshold=threshold)
        assert all(segment.probability >= threshold - 1e-6 for segment in result.segments)


def test_two_labels_that_are_equal():
    tie = np.tile(np.log([0.45, 0.45, 0.1]), (80, 1)).astype(np.float32)
    result = run(tie)
    assert spans(result) == [(0, 20, "run")]
    assert result.segments[0].probability == pytest.approx(result.probabilities[0, 0])


def test_ten_hours_end_at_ten_hours():
    # 3.2 frames a second: a shift that binary fractions hold (0.3125), and steps of 2 frames.
    frames, shift = 115_200, 0.3125
    stretch = clip(("run", 1600), ("jump", 1600))
    blocks = (stretch for _ in range(frames // len(stretch)))
    result = timeline(mean_logits, blocks, LABELS, shift, window=5.0, hop=5.0)
    check_cover(result)
    assert result.duration == 36_000.0
    assert spans(result)[-1] == (35_500.0, 36_000.0, "jump")
    assert spans(result) == [(500.0 * i, 500.0 * (i + 1), LABELS[i % 2]) for i in range(72)]
    assert result.times[-1] == 35_997.5


def test_times_of_a_shift_that_is_no_binary_fraction_do_not_drift():
    frames = np.concatenate([clip(("run", 100), ("jump", 100))] * 180)  # an hour at 10 frames a second
    result = timeline(mean_logits, [frames], LABELS, 0.1, window=2.0, hop=1.0)
    check_cover(result)
    for i, segment in enumerate(result.segments):
        assert segment.start == i * 100 * 0.1  # one product, no sum
    assert result.duration == 36_000 * 0.1


@pytest.mark.parametrize("duration", [29.3, 30.4, 12.0])
def test_segments_end_where_the_clip_does(duration):
    frames = clip(("run", 60), ("jump", 60))
    for given in (duration, lambda: duration):
        result = run(frames, duration=given)
        check_cover(result)
        assert result.duration == duration
    assert len(result.segments) == (2 if duration > 15 else 1)


def test_the_duration_is_asked_for_after_the_last_block():
    read = []

    def blocks():
        for _ in range(3):
            read.append(1)
            yield clip(("run", 10))

    result = timeline(mean_logits, blocks(), LABELS, SHIFT, duration=lambda: float(len(read)))
    assert result.duration == 3.0


def test_an_hour_of_wide_frames_is_not_held():
    frames, features = 14_400, 2560
    block = np.ones((64, features), np.float32)  # 0.7 MB; the whole would be 147 MB

    def blocks():
        for _ in range(frames // len(block)):
            yield block.copy()

    tracemalloc.start()
    try:
        result = timeline(lambda windows: windows[:, 0, :3], blocks(), LABELS, SHIFT, window=4.0, hop=1.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.duration == 3600.0
    assert peak < 12e6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0.0}, r"^window: 0\.0 s; it must be more than 0$"),
        ({"hop": math.nan}, r"^hop: nan s; "),
        ({"hop": 5.0, "window": 4.0}, r"^hop: 5\.0 s is more than the window's 4\.0 s, .*; lower it$"),
        ({"minimum": -1.0}, r"^minimum: -1\.0; "),
        ({"penalty": -0.1}, r"^penalty: -0\.1; "),
        ({"threshold": 1.5}, r"^threshold: 1\.5; it is a probability, from 0 to 1$"),
    ],
)
def test_settings_that_make_no_sense(options, message):
    with pytest.raises(EarsightError, match=message):
        run(clip(("run", 5)), **options)


def test_frames_that_begin_late_are_timed_from_the_clips_start():
    frames = clip((LABELS[0], 40), (LABELS[1], 40))
    early, late = run(frames), run(frames, start=5.0)
    for moved, (start, end, label) in zip(spans(late), spans(early), strict=True):
        assert moved == (pytest.approx(start + 5), pytest.approx(end + 5), label)
    np.testing.assert_allclose(late.times, early.times + 5)
    assert late.duration == pytest.approx(early.duration + 5)
    assert run(frames, start=5.0, duration=late.duration - 0.1).segments[-1].end == pytest.approx(late.duration - 0.1)
