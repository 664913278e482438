"""Sound comes when its file says that it is heard: late starts and holes take their time, and nothing is lost."""

from fractions import Fraction

import av
import numpy as np
import pytest

from earsight.audio.reading import info, open_blocks, read, timing, with_libav
from earsight.audio.reading.pieces import Silence
from earsight.audio.reading.timing import Clock, Timing

RATE = 16000
BURST = (0.4 * np.sin(np.arange(RATE) / 5)).astype(np.float32)  # a second


def film(path, begins, codec="pcm_s16le", pictures=None, format=None, step=1600):
    """BURST at each of `begins`, in seconds; `pictures`: (first, last) second of a picture track beside it."""
    with av.open(str(path), "w", format=format) as container:
        shown = None
        if pictures:
            shown = container.add_stream("flv" if str(path).endswith(".flv") else "mpeg4", rate=10)
            shown.width, shown.height, shown.pix_fmt = 64, 64, "yuv420p"
        stream = container.add_stream(codec, rate=RATE)
        stream.layout = "mono"
        packets = []
        if shown:
            for place in range(round(10 * pictures[0]), round(10 * pictures[1])):
                frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
                frame.pts, frame.time_base = place, Fraction(1, 10)
                packets += shown.encode(frame)
            packets += shown.encode(None)
        for begin in begins:
            for place in range(0, RATE, step):
                part = (BURST[place:place + step] * 32767).astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
                frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), round(begin * RATE) + place
                packets += stream.encode(frame)
        packets += stream.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


def heard(samples, rate=RATE):
    """Where sound begins and ends, in seconds, as pairs."""
    loud = np.convolve(np.abs(samples) > 0.05, np.ones(rate // 50), "same") > 0
    edges = np.flatnonzero(np.diff(loud, prepend=False, append=False))
    return edges.reshape(-1, 2) / rate


CODECS = {"clip.mkv": "pcm_s16le", "clip.mov": "aac", "clip.mp4": "aac", "aac.mkv": "aac", "clip.ts": "aac"}


@pytest.mark.parametrize("name", [*CODECS, "clip.flv"])
def test_sound_that_starts_late_is_late(tmp_path, name):
    path = film(tmp_path / name, [3.0], CODECS.get(name, "aac"), pictures=(0, 5))
    samples = read(path).samples
    np.testing.assert_allclose(heard(samples), [[3.0, 4.0]], atol=0.1)
    assert info(path).frames == len(samples) and not samples[:int(2.8 * RATE)].any()


@pytest.mark.parametrize("name", CODECS)
def test_a_pause_takes_its_time(tmp_path, name):
    path = film(tmp_path / name, [0.0, 10.0], CODECS[name])
    np.testing.assert_allclose(heard(read(path).samples), [[0, 1], [10, 11]], atol=0.12)
    other = np.concatenate([*open_blocks(path, 8000)[1]])
    np.testing.assert_allclose(heard(other, 8000), [[0, 1], [10, 11]], atol=0.12)


@pytest.mark.parametrize("begins", [[0.0, 0.5 + 1], [0.0, 1.13, 2.26, 60.0], [5.0, 7.5]])
def test_samples_stand_where_they_belong_to_the_sample(tmp_path, begins):
    path = film(tmp_path / "clip.mkv", begins, pictures=(0, 1))
    wanted = np.zeros(round((begins[-1] + 1) * RATE), np.int16)
    for begin in begins:
        wanted[round(begin * RATE):][:RATE] = (BURST * 32767).astype(np.int16)
    np.testing.assert_array_equal(np.round(read(path).samples * 32768).astype(np.int16), wanted)


def test_a_file_of_one_track_begins_with_it_as_players_show_it(tmp_path):
    for name in ("clip.mkv", "clip.mov", "clip.ts"):
        path = film(tmp_path / name, [30.0], CODECS[name])
        np.testing.assert_allclose(heard(read(path).samples), [[0, 1]], atol=0.1)


def test_jitter_moves_nothing(tmp_path):
    begins = [0, 1.05, 2.09, 3.0, 4.08]
    samples = read(film(tmp_path / "clip.mkv", begins)).samples
    wanted = np.tile((BURST * 32767).astype(np.int16), len(begins))
    np.testing.assert_array_equal(np.round(samples * 32768).astype(np.int16), wanted)


class Frame:
    sample_rate = RATE

    def __init__(self, time, samples=1600):
        self.pts, self.samples = None if time is None else round(time * RATE), samples


def placed(times, duration=0.0, throughout=True):
    """What is given for frames of 0.1 s that are said to begin at `times`: frames, or seconds of silence."""
    clock = Clock(Timing(1 / RATE, lambda first: 0.0, duration, throughout))
    given, frames = [], [Frame(time) for time in times]
    for item in clock.in_time(frames):
        if isinstance(item, Silence):
            given.append(round(item.seconds, 3))
        else:
            assert item is frames[sum(type(one) is str for one in given)]  # all, in order
            given.append("frame")
    return given


def test_what_one_frame_alone_says_of_the_time_is_damage():
    assert placed([0, 0.1, 50, 0.3, 0.4]) == ["frame"] * 5
    assert placed([0, 0.1, -50, 0.3, 0.4]) == ["frame"] * 5
    assert placed([0, 0.1, 1e6, 1e6, 0.4]) == ["frame"] * 5
    assert placed([0, 0.1, 5, 5.1, 5.2]) == ["frame", "frame", 4.8, "frame", "frame", "frame"]
    assert placed([0, 0.1, 5, 9, 9.1]) == ["frame", "frame", 4.8, "frame", 3.9, "frame", "frame"]
    assert placed([0, 0.1, None, None, 0.4]) == ["frame"] * 5


def test_no_time_makes_silence_without_end():
    hours = timing.LONGEST_GAP + 10
    assert placed([0, hours, hours + 0.1, hours + 0.2]) == ["frame"] * 4
    assert placed([0, hours, hours + 0.1, hours + 5]) == ["frame", "frame", "frame", 4.8, "frame"][:3] + ["frame"]
    assert placed([0, 50, 50.1, 50.2], duration=20) == ["frame"] * 4  # the file says that it is shorter
    assert placed([0, 15, 15.1], duration=20) == ["frame", 14.9, "frame", "frame"]


def test_overlaps_lose_nothing_and_the_next_gap_makes_up_for_them():
    assert placed([0, 0.05, 0.1, 0.15, 0.2]) == ["frame"] * 5
    assert placed([0, 0.05, 1.0, 1.1]) == ["frame", "frame", 0.8, "frame", "frame"]


def test_joined_streams_follow_one_another():
    assert placed([0, 0.1, 0.2, 0, 0.1, 0.2]) == ["frame"] * 6
    assert placed([10, 10.1, 0, 0.1, 3, 3.1]) == [10, "frame", "frame", "frame", "frame", 2.8, "frame", "frame"]


def test_where_times_are_counted_only_the_first_counts():
    assert placed([2, 2.1, 9, 9.1], throughout=False) == [2, "frame", "frame", "frame", "frame"]


def test_long_silence_comes_in_blocks(tmp_path, monkeypatch):
    path = film(tmp_path / "clip.mkv", [0, 900])
    monkeypatch.setattr(with_libav, "BLOCK", 50000)
    monkeypatch.setattr("earsight.audio.reading.pieces.BLOCK", 50000)
    blocks = [len(block) for block in open_blocks(path)[1]]
    assert max(blocks) <= 52000 and sum(blocks) == 901 * RATE


def test_joined_transport_streams_are_read_whole(tmp_path):
    one = film(tmp_path / "one.ts", [0.0], "aac").read_bytes()
    (tmp_path / "two.ts").write_bytes(one + one)
    samples = read(tmp_path / "two.ts").samples
    assert len(samples) == pytest.approx(2 * len(read(tmp_path / "one.ts").samples), abs=2048)
