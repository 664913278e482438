"""Levels to stretches: in the pauses, whatever the pieces they come in; and on from where another cutter stopped."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from earsight.common.inference.segmenting import Cutter, Cutting, Held, Stretch, Window, in_order, stretches, windows

CUTTING = Cutting(core=40, context=10, pause=10, margin=8, longest=100, overlap=12, brief=3)
BLANK = -np.inf


def levels(*runs: tuple[int, float]) -> np.ndarray:
    return np.concatenate([np.full(count, level, np.float32) for count, level in runs])


def cut(given: np.ndarray, cutting: Cutting = CUTTING) -> list[Stretch]:
    return Cutter(cutting).push(given, last=True)


def test_pauses_part_utterances_which_keep_a_margin():
    given = levels((30, BLANK), (20, 0), (50, BLANK), (20, 0), (9, BLANK), (5, 0), (30, BLANK))
    assert cut(given) == [Stretch(22, 58, 22, 58), Stretch(92, 142, 92, 142)]


def test_a_short_pause_is_shared():
    assert cut(levels((20, 0), (12, BLANK), (20, 0))) == [Stretch(0, 26, 0, 26), Stretch(26, 52, 26, 52)]


def test_silence_has_no_utterances():
    assert cut(levels((5000, BLANK))) == [] and cut(np.zeros(0, np.float32)) == []


def test_brief_faint_noises_are_none():
    assert cut(levels((50, BLANK), (2, -13), (50, BLANK))) == []
    assert cut(levels((50, BLANK), (2, -11), (50, BLANK))) == [Stretch(42, 60, 42, 60)]
    assert cut(levels((50, BLANK), (3, -13), (50, BLANK))) == [Stretch(42, 61, 42, 61)]


def test_a_margin_holds_nothing_mute():
    given = levels((20, BLANK), (30, np.nan), (3, BLANK), (20, 0), (5, BLANK), (30, np.nan), (20, 0), (50, np.nan))
    assert cut(given) == [Stretch(50, 78, 50, 78), Stretch(108, 128, 108, 128)]


def test_without_a_pause_the_cut_is_in_the_longest_run_of_blanks_and_both_sides_are_read_beyond_it():
    given = levels((60, 0), (3, BLANK), (10, 0), (6, BLANK), (200, 0))
    first, second, *_ = cut(given)
    assert first == Stretch(0, 76 + 12, 0, 76)
    assert (second.start, second.first) == (76 - 12, 76)


def test_every_frame_of_speech_belongs_to_one_stretch():
    rng = np.random.default_rng(1)
    for _ in range(50):
        given = np.where(np.repeat(rng.random(60) < 0.4, rng.integers(1, 30, 60)), BLANK, 0.0).astype(np.float32)
        found = cut(given)
        owners = np.zeros(len(given), int)
        for stretch in found:
            assert 0 <= stretch.start <= stretch.first < stretch.last <= stretch.end
            assert stretch.end - stretch.start <= 100 + 3 * 12 + 2 * 8
            owners[stretch.first:stretch.last] += 1
        assert (owners[np.isfinite(given)] == 1).all() and owners.max() <= 1


def test_the_pieces_make_no_difference_and_a_cutter_goes_on_where_another_stopped():
    rng = np.random.default_rng(2)
    for _ in range(30):
        given = np.where(np.repeat(rng.random(60) < 0.5, rng.integers(1, 30, 60)), BLANK, 0.0).astype(np.float32)
        whole = cut(given)
        cutter, pieces = Cutter(CUTTING), np.split(given, np.sort(rng.integers(0, len(given), 20)))
        found = [stretch for i, piece in enumerate(pieces) for stretch in cutter.push(piece, i == len(pieces) - 1)]
        assert found == whole
        for i, stretch in enumerate(whole):
            rest = Cutter(CUTTING, stretch.last, stretch.next_start).push(given[stretch.last:], last=True)
            assert rest == whole[i + 1:]


@pytest.mark.parametrize("size", [1, 7, 50, 1000])
def test_windows_have_context_and_their_cores_join(size):
    signal = np.arange(333)
    found = list(windows(iter(np.split(signal, range(size, 333, size))), core=50, context=20, skip=0))
    assert np.concatenate([window.core for window in found]).tolist() == signal.tolist()
    for i, window in enumerate(found):
        assert window.signal.tolist() == signal[max(50 * i - 20, 0):50 * (i + 1) + 20].tolist()
        assert window.signal[window.lead] == window.core[0] and window.last == (i == len(found) - 1)
    later = list(windows(iter(np.split(signal, range(size, 333, size))), core=50, context=20, skip=3))
    assert [window.signal.tolist() for window in later] == [window.signal.tolist() for window in found[3:]]
    assert list(windows(iter([signal[:0]]), 50, 20, 0)) == []


@pytest.mark.parametrize("kept_unit", [4, 1])
def test_a_signal_is_cut_as_its_levels_say_and_little_of_it_is_held(monkeypatch, kept_unit):
    unit, held = 4, []
    add = Held.add
    monkeypatch.setattr(Held, "add", lambda self, block: (add(self, block), held.append(len(self._signal))))
    rng = np.random.default_rng(3)
    loud = np.repeat(rng.random(400) < 0.5, rng.integers(1, 30, 400))
    signal = np.repeat(loud, unit).astype(np.float32)
    expected = cut(np.where(loud, 0.0, BLANK).astype(np.float32))

    def blank(window: Window) -> tuple[np.ndarray, np.ndarray]:
        kept = window.core if kept_unit == unit else 10 + window.core[::unit, None]  # what was made of it
        return np.where(window.signal[::unit] > 0, 0.0, BLANK).astype(np.float32), kept

    with ThreadPoolExecutor(2) as pool:
        for done in (None, *expected[::7]):
            first, start = (done.last, done.next_start) if done else (0, 0)
            blocks = iter(np.split(signal, range(301, len(signal), 301)))
            found = list(stretches(blocks, blank, unit, kept_unit, CUTTING, pool, 4, first, start))
            assert [stretch for stretch, _ in found] == [s for s in expected if s.first >= first]
            for stretch, part in found:
                whole = signal[stretch.start * unit:stretch.end * unit]
                np.testing.assert_array_equal(part, whole if kept_unit == unit else 10 + whole[::unit, None])
    assert max(held) < 2000 < len(signal) / 10


def test_in_order_takes_no_more_items_than_are_in_work():
    taken = []

    def items():
        for i in range(20):
            taken.append(i)
            yield i

    with ThreadPoolExecutor(2) as pool:
        results = in_order(pool, lambda i: i * i, items(), ahead=3)
        assert next(results) == (0, 0) and len(taken) <= 4
        assert [result for _, result in results] == [i * i for i in range(1, 20)]
