"""Video of every kind comes in frame by frame, each at its own time, or is refused with one line that says why."""

import os
import struct
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from conftest import REPOSITORY
from earsight.common.errors import EarsightError
from earsight.video.reading import VIDEO_SUFFIXES, VideoInfo, probe, read_frames, sample, sampling, with_opencv
from earsight.video.reading.source import Picture, Source

RATE = 25


def noise(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A picture that is like no other: what a lossless codec must give back to the bit."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


def bars(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """The eight bits of a number as black and white bars, which any codec keeps."""
    bits = (number >> np.arange(8)) & 1
    return np.broadcast_to(np.repeat(bits, width // 8)[None, :, None] * 255, (height, width, 3)).astype(np.uint8)


def number(image: np.ndarray) -> int:
    """Which `bars` an image shows."""
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.flags.c_contiguous
    width = image.shape[1] // 8
    middles = image[:, width // 2 :: width].mean(axis=(0, 2))
    return int(sum((middles > 127).astype(int) << np.arange(8)))


def encode(
    path, images, codec="ffv1", pixels="bgr0", *, times=None, rate=RATE, format=None, options=None, sound=0, **settings
):
    """Write RGB `images` with PyAV, at `times` in milliseconds or `rate`, with `sound` seconds of silence."""
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=settings)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        base = Fraction(1, 1000) if times else Fraction(1, rate)
        if times:
            stream.codec_context.time_base = base
        tone = container.add_stream("aac", rate=16000) if sound else None
        for place, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = times[place] if times else place, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone:
            container.mux(tone.encode(hush(sound)))
            container.mux(tone.encode(None))
    return path


def hush(seconds: float) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, round(16000 * seconds)), np.float32), format="fltp", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = 16000, Fraction(1, 16000), 0
    return frame


H264 = {"codec": "libx264", "pixels": "yuv420p", "g": "8"}  # with B-frames: decoded in another order than shown
# How to write each kind of file.
WRITTEN = {
    "clip.mp4": H264,
    "fast.mp4": H264 | {"options": {"movflags": "faststart"}},
    "live.mp4": H264 | {"options": {"movflags": "frag_keyframe+empty_moov"}},
    "sound.mp4": H264 | {"sound": 0.8},
    "clip.mov": {"codec": "png", "pixels": "rgb24"},
    "clip.m4v": {"codec": "mpeg4", "pixels": "yuv420p", "format": "mp4"},
    "clip.3gp": {"codec": "mpeg4", "pixels": "yuv420p"},
    "clip.mkv": {},
    "h264.mkv": H264,
    "clip.webm": {"codec": "libvpx-vp9", "pixels": "yuv420p", "deadline": "realtime"},
    "clip.flv": H264,
    "clip.wmv": {"codec": "wmv2", "pixels": "yuv420p"},
    "clip.ts": H264,
    "clip.gif": {"codec": "gif", "pixels": "rgb8"},
    "clip.avi": {},
    "xvid.avi": {"codec": "mpeg4", "pixels": "yuv420p", "bf": "2"},
    "h264.avi": H264,
    "clip.mpg": {"codec": "mpeg2video", "pixels": "yuv420p"},
    "clip.mpeg": {"codec": "mpeg1video", "pixels": "yuv420p"},
    "clip.h264": H264,
}
LOSSLESS = {
    "clip.mkv": {},
    "clip.avi": {},
    "clip.mov": {"codec": "png", "pixels": "rgb24"},
    "clip.mp4": {"codec": "libx264rgb", "pixels": "rgb24", "qp": "0"},
}
FRAMES = 20


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, Path]:
    """FRAMES numbered pictures, 25 a second, in every kind of file."""
    folder = tmp_path_factory.mktemp("written")
    return {name: encode(folder / name, [*map(bars, range(FRAMES))], **how) for name, how in WRITTEN.items()}


@pytest.fixture(scope="module")
def exact(tmp_path_factory) -> Path:
    """A clip of 50 pictures of noise, 25 a second, without loss."""
    return encode(tmp_path_factory.mktemp("exact") / "exact.mkv", [*map(noise, range(50))])


@pytest.fixture(params=["OpenCV", "libav"])
def decoder(request, monkeypatch) -> str:
    """Each decoder in turn. OpenCV still leaves to libav what it must."""
    if request.param == "libav":
        monkeypatch.setattr(sampling, "is_true_to_time", lambda head: False)
    return request.param


# Every kind of file


@pytest.mark.parametrize("name", WRITTEN)
def test_every_kind_comes_in_whole_in_order_and_in_time(written, name, decoder, capfd):
    frames = list(read_frames(written[name]))
    assert [number(frame.image) for frame in frames] == list(range(FRAMES))
    assert all(frame.image.shape == (48, 64, 3) for frame in frames)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(FRAMES) / RATE, atol=1.1e-3)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_frames_are_the_very_frames(tmp_path, name, decoder):
    path = encode(tmp_path / name, [*map(noise, range(FRAMES))], **LOSSLESS[name])
    for place, frame in enumerate(read_frames(path)):
        np.testing.assert_array_equal(frame.image, noise(place))
    assert place == FRAMES - 1


@pytest.mark.parametrize("name", WRITTEN)
def test_both_decoders_give_the_same(written, name, monkeypatch):
    first = list(read_frames(written[name]))
    monkeypatch.setattr(sampling, "is_true_to_time", lambda head: False)
    for one, other in zip(first, read_frames(written[name]), strict=True):
        assert one.time == pytest.approx(other.time, abs=1e-6)
        np.testing.assert_allclose(one.image.astype(int), other.image, atol=2)


@pytest.mark.parametrize("name", WRITTEN)
def test_probe(written, name):
    found = probe(written[name])
    assert (found.width, found.height, found.frame_rate) == (64, 48, RATE)
    if name not in ("clip.mpg", "clip.mpeg", "clip.h264"):  # which state no length, or guess it
        assert abs(found.frames - FRAMES) <= 2 and found.duration == pytest.approx(FRAMES / RATE, abs=0.1)


def test_probe_of_what_is_known_exactly(exact):
    assert probe(exact) == VideoInfo(width=64, height=48, frame_rate=25, duration=2, frames=50)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.avi"])
@pytest.mark.parametrize("threads", [1, 2])
def test_threads_within_a_file_and_across_files_change_nothing(written, name, threads):
    wanted = [frame.image for frame in read_frames(written[name])]
    with ThreadPoolExecutor(4) as pool:
        several = list(pool.map(lambda path: [*read_frames(path, threads=threads)], [written[name]] * 6))
    for frames in several:
        np.testing.assert_array_equal([frame.image for frame in frames], wanted)


@pytest.mark.parametrize(
    "name", ["größe 1 – 视频.mp4", "a:b.mp4", "with\nline.avi", "no_suffix", "%03d.txt", "-.mkv", b"not utf-8 \xff.mp4"]
)
def test_names_play_no_part(tmp_path, written, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(name)
    kind = "clip.avi" if name.endswith("avi") else "clip.mp4"
    Path(name).write_bytes(written[kind].read_bytes())
    assert [number(frame.image) for frame in read_frames(name)] == list(range(FRAMES))


def test_clips_of_ucf101_are_decoded_as_libav_does(shared_data):
    for path in sorted((shared_data / "ufc10" / "videos").glob("*/*_g08_c01.mp4"))[:2]:
        with av.open(str(path)) as container:
            wanted = list(islice(container.decode(video=0), 8))
            for frame, other in zip(read_frames(path), wanted):
                assert frame.time == pytest.approx(other.time, abs=1e-6)
                np.testing.assert_allclose(frame.image.astype(int), other.to_ndarray(format="rgb24"), atol=2)


def test_importing_costs_nothing_but_numpy():
    code = ("import sys, earsight.video.reading\n"
            "print(*{'cv2', 'av', 'torch', 'lhotse', 'earsight.audio'} & {*sys.modules})")
    ran = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


@pytest.mark.parametrize("name", [name for name in WRITTEN if not name.endswith((".avi", "mpg", "mpeg", ".h264"))])
def test_opencv_alone_reads_what_it_is_true_to(written, name, monkeypatch):
    monkeypatch.setattr(sampling, "open_libav", None)
    assert len(list(read_frames(written[name]))) == FRAMES


def test_libav_is_not_even_imported_for_these(written):
    code = (
        "import sys\nfrom earsight.video.reading import sample\n"
        f"assert len([*sample({str(written['clip.mp4'])!r}, 5)]) == 4\n"
        "print('av' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False"] and ran.stderr == ""


def test_opencvs_own_messages_stay_as_they_were(written, tmp_path):
    import cv2

    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x08ftyp" + bytes(100))
    level = cv2.utils.logging.getLogLevel()
    next(read_frames(written["clip.mp4"]))
    refused(tmp_path / "broken.mp4")
    assert cv2.utils.logging.getLogLevel() == level


def test_suffixes_are_lower_case():
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in VIDEO_SUFFIXES)
    assert {Path(name).suffix for name in WRITTEN} - {".h264"} <= VIDEO_SUFFIXES


# Sizes, pixels, rotation


@pytest.mark.parametrize("size", [(101, 67), (2, 2), (1, 1), (5, 3), (641, 359)])
def test_odd_sizes(tmp_path, size, decoder):
    path = encode(tmp_path / "clip.mkv", [noise(place, *size) for place in range(3)])
    for place, frame in enumerate(read_frames(path)):
        np.testing.assert_array_equal(frame.image, noise(place, *size))
    assert (probe(path).width, probe(path).height) == size


# Of 8 bits: libav's conversion of RGB to 10 bits leaves parts of pictures of odd width unwritten.
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p"])
def test_odd_sizes_with_colour_of_another_size(tmp_path, pixels, monkeypatch):
    ramp = np.linspace(0, 255, 101).astype(np.uint8)[None, :, None]
    image = np.broadcast_to(ramp, (67, 101, 3)) // np.array([1, 2, 4], np.uint8)
    path = encode(tmp_path / "clip.mkv", [image] * 2, pixels=pixels)
    (frame, _) = read_frames(path)
    np.testing.assert_allclose(frame.image.astype(int), image, atol=6)
    monkeypatch.setattr(sampling, "is_true_to_time", lambda head: False)
    np.testing.assert_allclose(next(read_frames(path)).image.astype(int), frame.image, atol=2)


def test_one_frame_only(tmp_path, decoder):
    for name, how in LOSSLESS.items():
        path = encode(tmp_path / name, [noise(7)], **how)
        ((time, image),) = read_frames(path)
        assert time == 0
        np.testing.assert_array_equal(image, noise(7))
        ((time, image, later),) = sample(path, rate=4, lag=0.12)
        assert time == 0
        np.testing.assert_array_equal(image, later)
        assert probe(path).frames == 1


@pytest.mark.parametrize("pixels", ["gray", "gray10le", "gray16le"])
def test_grey(tmp_path, pixels, decoder):
    grey = [np.repeat(noise(place)[..., :1], 3, axis=2) for place in range(3)]
    path = encode(tmp_path / "clip.mkv", grey, pixels=pixels)
    for frame, wanted in zip(read_frames(path), grey, strict=True):
        assert frame.image.dtype == np.uint8 and frame.image.shape == (48, 64, 3)
        assert (frame.image == frame.image[..., :1]).all()
        assert np.corrcoef(frame.image.ravel(), wanted.ravel())[0, 1] > 0.999
        assert np.abs(frame.image.astype(int) - wanted).max() <= 20  # grey may be written in the range of video


@pytest.mark.parametrize(("codec", "pixels"), [("qtrle", "argb"), ("png", "rgba"), ("png", "rgb48be")])
def test_alpha_and_sixteen_bits_come_out_as_rgb(tmp_path, codec, pixels, decoder):
    path = encode(tmp_path / "clip.mov", [*map(noise, range(3))], codec, pixels)
    for place, frame in enumerate(read_frames(path)):
        np.testing.assert_array_equal(frame.image, noise(place))


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Path:
    """Two frames of 8K, each of one grey."""
    path = tmp_path_factory.mktemp("wide") / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 7680, 4320, "yuvj420p"
        for place, grey in enumerate(GREYS):
            frame = av.VideoFrame(7680, 4320, "yuvj420p")
            for plane, value in zip(frame.planes, (grey, 128, 128), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            frame.pts = place
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


GREYS = (50, 150)


def test_frames_of_8k_are_fitted_one_at_a_time(wide, decoder):
    whole = []

    def fit(image: np.ndarray) -> np.ndarray:
        assert image.shape == (4320, 7680, 3)
        assert not any(seen() is not None for seen in whole)
        whole.append(weakref.ref(image))
        return image[::540, ::960].copy()

    for moment, grey in zip(sample(wide, RATE, fit=fit), GREYS, strict=True):
        np.testing.assert_allclose(moment.image.astype(int), np.full((8, 8, 3), grey), atol=2)


# The display matrix of an MP4 track header, ISO 14496-12 8.3.2: clockwise quarter turns.
MATRICES = {1: (0, 1, -1, 0), 2: (-1, 0, 0, -1), 3: (0, -1, 1, 0)}


def turn(path: Path, quarters: int) -> Path:
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # after version, flags, times, identity, duration, layer, group, volume
    a, b, c, d = MATRICES[quarters]
    one = 1 << 16
    data[place : place + 36] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("quarters", MATRICES)
@pytest.mark.parametrize("name", ["clip.mov", "clip.mp4"])
def test_rotation_in_the_metadata_is_applied(tmp_path, quarters, name, decoder):
    path = turn(encode(tmp_path / name, [*map(noise, range(5))], **LOSSLESS[name]), quarters)
    for place, frame in enumerate(read_frames(path)):
        np.testing.assert_array_equal(frame.image, np.rot90(noise(place), -quarters))
        assert frame.image.flags.c_contiguous
    height, width = np.rot90(noise(0), -quarters).shape[:2]
    assert (probe(path).width, probe(path).height) == (width, height)


# Times

VARIABLE = [0, 103, 183, 249, 288, 331, 345, 363, 374, 403, 502, 583, 693, 758, 834, 950, 1040, 1119, 1188, 1259]


@pytest.mark.parametrize(
    ("name", "step"),
    [("clip.mkv", 1), ("h264.mkv", 1), ("clip.mp4", 1), ("live.mp4", 1), ("clip.mov", 1), ("clip.3gp", 1)]
    + [("clip.webm", 1), ("clip.flv", 1), ("clip.wmv", 1), ("clip.ts", 1), ("clip.gif", 10), ("clip.avi", 1)],
)
@pytest.mark.parametrize("begin", [0, 500])
def test_a_variable_rate_keeps_every_frames_own_time(tmp_path, name, step, begin, decoder):
    begin = 0 if name == "clip.avi" else begin  # AVI knows no other
    times = [begin + time // step * step for time in VARIABLE]
    path = encode(tmp_path / name, [*map(bars, range(FRAMES))], times=times, **WRITTEN[name])
    frames = list(read_frames(path))
    assert [number(frame.image) for frame in frames] == list(range(FRAMES))
    np.testing.assert_allclose([frame.time * 1000 for frame in frames], np.array(times) - begin, atol=0.51)


def test_times_that_are_missing_equal_or_absurd_are_filled_in(monkeypatch, exact):
    raw = [None, None, 0.08, 0.08, 0.02, 9e9, 0.3, -5.0, float("nan"), 0.5]
    pictures = iter([Picture(time, lambda: None) for time in raw])
    monkeypatch.setattr(sampling, "_open", lambda path, threads: Source(25.0, 0.4, 10, pictures))
    found = [time for time, _ in sampling._pictures(exact, 1)]
    np.testing.assert_allclose(found, [0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.3, 0.34, 0.38, 0.5])


@pytest.mark.parametrize(("raw", "expected"), [
    ([0.0, 0.04, 7.0, 0.12, 0.16], [0, 0.04, 0.08, 0.12, 0.16]),  # one that leaps ahead alone is wrong
    ([0.0, 0.04, 7.0, 7.04], [0, 0.04, 7.0, 7.04]),  # a pause
    ([0.0, 0.04, 3.0, 9.0, 0.16], [0, 0.04, 3.0, 3.04, 3.08]),  # what two agree on is believed
    ([0.0, 0.04, 7.0], [0, 0.04, 0.08]), ([0.0, 0.04, 1.3], [0, 0.04, 1.3]),  # the file is 0.4 s long, about
])  # fmt: skip
def test_a_time_that_leaps_ahead_is_held_against_the_next(monkeypatch, exact, raw, expected):
    pictures = iter([Picture(time, partial(np.full, (2, 2, 3), place)) for place, time in enumerate(raw)])
    monkeypatch.setattr(sampling, "_open", lambda path, threads: Source(25.0, 0.4, 10, pictures))
    frames = list(read_frames(exact))
    np.testing.assert_allclose([frame.time for frame in frames], expected)
    assert [frame.image[0, 0, 0] for frame in frames] == list(range(len(raw)))


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4", "clip.mov", "clip.ts", "clip.flv"])
def test_pictures_that_begin_behind_the_sound_are_timed_by_the_file(tmp_path, name, decoder):
    times = [*range(5000, 5800, 40)]
    path = encode(tmp_path / name, [*map(bars, range(FRAMES))], times=times, sound=8.0, **WRITTEN[name])
    early = 64 if name in ("clip.ts", "clip.flv") else 0  # ms by which what the encoder of the sound adds comes before
    frames = list(read_frames(path))
    assert [number(frame.image) for frame in frames] == list(range(FRAMES))
    np.testing.assert_allclose([frame.time * 1000 for frame in frames], times, atol=1 + early)
    assert probe(path).start == pytest.approx(5.0, abs=0.07)
    # None are made up for the time before.
    moments = list(sample(path, 5))
    assert [number(moment.image) for moment in moments] == [0, 5, 10, 15]
    assert [number(moment.image) for moment in sample(path, 5, start=5.4)][0] in (9, 10)
    refused(path, "no frame from 0 to 4", function=lambda path: list(sample(path, 5, end=4.0)))


def test_pictures_that_begin_with_the_sound_or_nearly_begin_at_zero(tmp_path, decoder):
    for begin in (0, 40, 80):
        path = encode(tmp_path / "clip.mkv", [*map(bars, range(5))], times=[*range(begin, begin + 200, 40)], sound=1.0)
        assert [frame.time for frame in read_frames(path)] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=2e-3)


# Sampling


def chosen(times, rate, lag=None, start=0.0, end=float("inf")) -> list[tuple[int, int | None]]:
    """Which frames `sample` must choose, said another way: indices of (image, later) over all the times."""
    times = [time for time in times if time < end - 1.1e-3]

    def at_or_after(moment):
        return next((place for place, time in enumerate(times) if time > moment - 1.1e-3), None)

    grid = (at_or_after(start + k / rate) for k in range(int(times[-1] * rate) + 2))
    firsts = [place for place in grid if place is not None]
    if lag is None:
        return [(place, None) for place in firsts]
    pairs = [(place, at_or_after(times[place] + lag)) for place in firsts]
    return [pair for pair in pairs if pair[1] is not None] or [(firsts[0], len(times) - 1)]


def same(moments, wanted, times) -> None:
    assert len(moments) == len(wanted)
    for moment, (place, after) in zip(moments, wanted, strict=True):
        assert moment.time == pytest.approx(times[place], abs=1.1e-3)
        np.testing.assert_array_equal(moment.image, noise(place))
        if after is None:
            assert moment.later is None
        else:
            np.testing.assert_array_equal(moment.later, noise(after))


def test_frames_chosen_at_four_hertz(exact, decoder):
    # At 25 frames a second 0.25 s lies between frames 6 and 7; 0.12 s are three frames.
    same(list(sample(exact, 4)), [(k, None) for k in (0, 7, 13, 19, 25, 32, 38, 44)], np.arange(50) / RATE)
    pairs = [(0, 3), (7, 10), (13, 16), (19, 22), (25, 28), (32, 35), (38, 41), (44, 47)]
    same(list(sample(exact, 4, lag=0.12)), pairs, np.arange(50) / RATE)


@pytest.mark.parametrize("rate", [0.3, 4, 7.3, 8, 24, 25, 60])
@pytest.mark.parametrize("lag", [None, 0.0, 0.12, 0.5, 1.95, 10.0])
def test_frames_chosen_at_any_rate_and_lag(exact, rate, lag):
    times = np.arange(50) / RATE
    same(list(sample(exact, rate, lag)), chosen(times, rate, lag), times)


@pytest.mark.parametrize(
    ("start", "end"), [(0.0, 0.4), (0.5, 1.5), (0.52, 0.53), (0.51, 1.0), (1.9, None), (1.0, 9.0), (0.3, 0.58)]
)
@pytest.mark.parametrize("lag", [None, 0.12])
def test_parts_of_a_clip(exact, start, end, lag, decoder):
    times = np.arange(50) / RATE
    found = list(sample(exact, 8, lag, start=start, end=end))
    same(found, chosen(times, 8, lag, start, end or float("inf")), times)
    assert all(start <= moment.time < (end or 2) for moment in found)


def test_parts_join_without_a_gap_or_a_frame_twice(exact):
    whole = [moment.time for moment in sample(exact, RATE)]
    parts = [[m.time for m in sample(exact, RATE, start=start, end=start + 0.4)] for start in np.arange(5) * 0.4]
    assert sum(parts, []) == whole and len(whole) == 50


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4", "clip.mov"])
@pytest.mark.parametrize(("rate", "lag"), [(4, None), (4, 0.12), (10, 0.12), (30, 0.05), (2, 1.3)])
def test_a_variable_rate_is_sampled_by_its_times(tmp_path, name, rate, lag, decoder):
    path = encode(tmp_path / name, [*map(noise, range(FRAMES))], times=VARIABLE, **LOSSLESS[name])
    times = np.array(VARIABLE) / 1000
    same(list(sample(path, rate, lag)), chosen(times, rate, lag), times)


@pytest.mark.parametrize("rate", [24, 30, 60])
def test_times_rounded_to_milliseconds_lose_no_frame(tmp_path, rate):
    path = encode(tmp_path / "clip.mkv", [noise(place) for place in range(61)], rate=rate)
    same(list(sample(path, rate)), [(place, None) for place in range(61)], np.arange(61) / rate)
    same(list(sample(path, rate, 2 / rate)), [(place, place + 2) for place in range(59)], np.arange(61) / rate)


def test_a_clip_shorter_than_the_lag_pairs_its_first_frame_with_its_last(tmp_path, exact):
    path = encode(tmp_path / "clip.mkv", [*map(noise, range(3))])
    same(list(sample(path, 4, lag=0.12)), [(0, 2)], np.arange(3) / RATE)
    same(list(sample(exact, 4, lag=1.0, start=1.5)), [(38, 49)], np.arange(50) / RATE)
    same(list(sample(exact, 4, lag=1.0, start=0.4, end=0.6)), [(10, 14)], np.arange(50) / RATE)


def test_a_slow_video_repeats_its_frames(tmp_path):
    path = encode(tmp_path / "clip.mkv", [*map(noise, range(4))], times=[0, 500, 1000, 1500])
    wanted = [(place, None) for place in (0, 1, 1, 2, 2, 3, 3)]
    same(list(sample(path, 4)), wanted, np.arange(4) / 2)


def test_only_wanted_frames_are_converted_and_fitted_once(exact, monkeypatch):
    converted, fitted = [], []
    retrieve = with_opencv._retrieve
    monkeypatch.setattr(with_opencv, "_retrieve", lambda *given: converted.append(1) or retrieve(*given))
    moments = list(sample(exact, 8, lag=0.12, fit=lambda image: fitted.append(1) or image[::2, ::2]))
    wanted = {place for pair in chosen(np.arange(50) / RATE, 8, 0.12) for place in pair}
    wanted |= {1, 2}  # until the first pair is complete, its second half may be any frame
    assert len(fitted) == len(converted) == len(wanted) < 40
    for moment, (place, after) in zip(moments, chosen(np.arange(50) / RATE, 8, 0.12), strict=True):
        np.testing.assert_array_equal(moment.image, noise(place)[::2, ::2])
        np.testing.assert_array_equal(moment.later, noise(after)[::2, ::2])
    del converted[:]
    assert len(list(sample(exact, 4))) == len(converted) == 8


@pytest.mark.parametrize("name", ["clip.mkv", "clip.avi"])
def test_memory_is_bounded(tmp_path, name):
    path = encode(tmp_path / name, [bars(place) for place in range(250)])
    alive: set[int] = set()

    def follow(image: np.ndarray) -> np.ndarray:
        image = image.copy()
        alive.add(id(image))
        weakref.finalize(image, alive.discard, id(image))
        return image

    most = 0
    for _ in sample(path, 10, lag=0.2, fit=follow):
        most = max(most, len(alive))
    assert most <= 0.2 * 10 + 3
    held: list[weakref.ref] = []
    for frame in read_frames(path):
        held.append(weakref.ref(frame.image))
        del frame
        assert sum(image() is not None for image in held[-10:]) <= 1
    assert len(held) == 250


def test_a_part_is_read_no_further_than_its_end(tmp_path, written):
    (tmp_path / "clip.mp4").write_bytes(blanked(written["clip.mp4"], 10, 20))
    assert len(list(sample(tmp_path / "clip.mp4", 25, end=0.2))) == 5
    refused(tmp_path / "clip.mp4", "damaged", function=lambda path: [*sample(path, 25)])


def test_no_frame_in_the_part(exact):
    refused(exact, "from 2.5 s on", "1.960", function=lambda path: [*sample(path, 4, start=2.5)])
    refused(exact, "from 0.41 to 0.43 s", function=lambda path: [*sample(path, 4, start=0.41, end=0.43)])
    refused(exact, "from 0 to 0 s", function=lambda path: [*sample(path, 4, end=0.0)])


@pytest.mark.parametrize("rate", [0, -4, float("nan"), float("inf"), 9e15])
def test_a_rate_that_is_none(exact, rate):
    with pytest.raises(EarsightError, match="sampling rate .* above 0"):
        next(sample(exact, rate))


# Headers that are wrong about a file that is whole


@pytest.mark.parametrize("count", [5, 19, 1000])
@pytest.mark.parametrize("name", ["clip.avi", "xvid.avi", "h264.avi"])
def test_a_wrong_count_in_an_avi_header_does_no_harm(tmp_path, written, name, count, decoder):
    data = bytearray(written[name].read_bytes())
    for place in (data.index(b"avih") + 8 + 16, data.index(b"strh") + 8 + 32):  # dwTotalFrames, dwLength
        assert struct.unpack_from("<I", data, place) == (FRAMES,)
        struct.pack_into("<I", data, place, count)
    (tmp_path / name).write_bytes(data)
    frames = list(read_frames(tmp_path / name))
    assert [number(frame.image) for frame in frames] == list(range(FRAMES))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(FRAMES) / RATE, atol=1.1e-3)
    assert probe(tmp_path / name).frames == count


@pytest.mark.parametrize("count", [5, 19, 1000])
def test_a_wrong_count_in_an_mp4_header_does_no_harm(tmp_path, written, count, decoder):
    data = bytearray(written["clip.m4v"].read_bytes())
    place = data.index(b"stts") + 12
    assert struct.unpack_from(">I", data, place) == (FRAMES,)
    struct.pack_into(">I", data, place, count)
    (tmp_path / "clip.mp4").write_bytes(data)
    frames = list(read_frames(tmp_path / "clip.mp4"))
    assert [number(frame.image) for frame in frames] == list(range(FRAMES))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(FRAMES) / RATE, atol=1.1e-3)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.flv", "clip.avi", "clip.ts"])
def test_sound_that_goes_on_after_the_pictures_is_no_damage(tmp_path, name, decoder):
    path = encode(tmp_path / name, [*map(bars, range(FRAMES))], sound=4.0, **WRITTEN[name])
    assert [number(frame.image) for frame in read_frames(path)] == list(range(FRAMES))


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4", "clip.gif"])
def test_a_last_frame_that_stays_long_is_no_damage(tmp_path, name, decoder):
    times = [*range(0, 400, 40), 8000]
    path = encode(tmp_path / name, [*map(bars, range(11))], times=times, **WRITTEN[name])
    assert [number(frame.image) for frame in read_frames(path)] == list(range(11))


def test_a_file_without_a_length(tmp_path, decoder):
    class Pipe:
        """A file that can only be written on: the header never learns how long it became."""

        def __init__(self):
            self.data = bytearray()

        def write(self, piece) -> int:
            self.data += bytes(piece)
            return len(piece)

    for format in ("matroska", "avi"):
        pipe = Pipe()
        with av.open(pipe, "w", format=format) as container:
            stream = container.add_stream("ffv1", rate=RATE)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
            for place in range(FRAMES):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(noise(place), format="rgb24")))
            container.mux(stream.encode(None))
        (tmp_path / format).write_bytes(pipe.data)
        frames = list(read_frames(tmp_path / format))
        assert len(frames) == FRAMES
        for place, frame in enumerate(frames):
            np.testing.assert_array_equal(frame.image, noise(place))


@pytest.mark.parametrize("tail", [b"TAG" + bytes(125), b"APETAGEX" + b"\xd0\7\0\0" + bytes(20), b'{"camera":"x"}',
                                  b"LYRICSBEGIN" + b"words " * 90, bytes(5000), bytes(3)])
@pytest.mark.parametrize("name", WRITTEN)
def test_what_comes_behind_the_end_changes_nothing(tmp_path, written, name, tail, capfd):
    (tmp_path / name).write_bytes(written[name].read_bytes() + tail)
    assert [number(frame.image) for frame in read_frames(tmp_path / name)] == list(range(FRAMES))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["clip.mkv", "clip.webm", "clip.avi"])
def test_joined_films_are_read_to_the_end_of_the_last(tmp_path, written, name, capfd):
    (tmp_path / name).write_bytes(written[name].read_bytes() * 2)
    frames = list(read_frames(tmp_path / name))
    assert [number(frame.image) for frame in frames] == [*range(FRAMES)] * 2
    np.testing.assert_allclose(np.diff([frame.time for frame in frames]), 1 / RATE, atol=2e-3)
    assert capfd.readouterr() == ("", "")


def test_of_joined_mp4_it_is_told_that_one_is_read(tmp_path, written, capfd):
    data = written["clip.mp4"].read_bytes()
    (tmp_path / "clip.mp4").write_bytes(data + data)
    assert len(list(read_frames(tmp_path / "clip.mp4"))) == FRAMES
    said = capfd.readouterr().err
    assert said.startswith(f"warning: {tmp_path / 'clip.mp4'}: only the first of 2") and f"byte {len(data)}" in said


# Broken files


def read_all(path) -> int:
    return sum(1 for _ in read_frames(path))


def sample_all(path) -> int:
    return sum(1 for _ in sample(path, 4, lag=0.12))


def refused(path, *words, function=read_all) -> None:
    """Reading fails with one line that names the file and holds `words`."""
    with pytest.raises(EarsightError) as caught:
        function(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    for word in words:
        assert word in message
    assert ";" in message or "):" in message  # what is wrong, then what to do about it


@pytest.mark.parametrize("function", [read_all, sample_all, probe])
def test_what_cannot_be_opened(tmp_path, function):
    (tmp_path / "empty.mp4").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "missing.mp4", "no such file", function=function)
    refused(tmp_path / "missing" / "clip.mp4", "no such file", function=function)
    refused(tmp_path, "a folder", function=function)
    refused(tmp_path / "empty.mp4", "empty (0 bytes)", function=function)
    refused(tmp_path / "pipe.mp4", "not a regular file", function=function)
    refused(tmp_path / "empty.mp4" / "clip.mp4", "cannot be read", function=function)
    refused(tmp_path / ("long" * 100), "cannot be read", function=function)
    refused("nul\0.mp4", "cannot be read", function=function)


def test_no_permission(tmp_path, written):
    path = tmp_path / "clip.mp4"
    path.write_bytes(written["clip.mp4"].read_bytes())
    path.chmod(0)
    root = os.geteuid() == 0
    if root:  # whom no mode stops
        os.seteuid(65534)
    try:
        refused(path, "no permission", "change its permissions")
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("name", ["text.mp4", "text.avi", "text.mkv", "text.gif", "text.ts", "text"])
@pytest.mark.parametrize("text", ["To be, or not to be.\n" * 50, "x", "ÿþ" * 40, "G" * 999, "GIF89a" * 9, "RIFF" * 9])
def test_text_is_not_video(tmp_path, name, text, capfd):
    (tmp_path / name).write_text(text, encoding="latin-1")
    for function in (read_all, sample_all, probe):
        refused(tmp_path / name, function=function)
    assert capfd.readouterr() == ("", "")


def test_a_playlist_opens_no_other_file(tmp_path, written):
    (tmp_path / "clip.ts").write_bytes(written["clip.ts"].read_bytes())
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nclip.ts\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(playlist)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile clip.ts\n")
    refused(tmp_path / "list.m3u8")
    refused(tmp_path / "list.mp4")


@pytest.mark.parametrize("name", ["clip.m4a", "clip.mp4", "clip.mkv", "clip.avi", "clip.mp3", "clip.wav"])
@pytest.mark.parametrize("function", [read_all, sample_all, probe])
def test_sound_only(tmp_path, name, function, capfd):
    codec = {".mp3": "libmp3lame", ".wav": "pcm_s16le"}.get(Path(name).suffix, "aac")
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=16000)
        stream.layout = "mono"
        container.mux(stream.encode(hush(1.0)))
        container.mux(stream.encode(None))
    known = name not in ("clip.mp3", "clip.wav")
    refused(tmp_path / name, "sound without pictures" if known else "cannot be decoded as video", function=function)
    assert capfd.readouterr() == ("", "")


def test_a_cover_is_no_picture_track(tmp_path):
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        tone = container.add_stream("aac", rate=16000)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(bars(5), format="rgb24")))
        for stream, frame in [(cover, None), (tone, hush(1.0)), (tone, None)]:
            container.mux(stream.encode(frame))
    refused(path, "sound without pictures")


@pytest.mark.parametrize("name", ["clip.mkv", "clip.avi", "clip.mov", "clip.mp4", "clip.ts", "clip.flv"])
@pytest.mark.parametrize("function", [read_all, sample_all, probe])
def test_no_frames(tmp_path, name, function):
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(WRITTEN[name].get("codec", "ffv1"), rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, WRITTEN[name].get("pixels", "bgr0")
        stream.codec_context.open()
        container.start_encoding()
    refused(tmp_path / name, function=function)


STATES_NO_LENGTH = {"clip.ts", "clip.mpg", "clip.mpeg", "clip.h264", "clip.gif"}


@pytest.mark.parametrize("share", [0.35, 0.6, 0.85])
@pytest.mark.parametrize("name", [name for name in WRITTEN if name not in STATES_NO_LENGTH])
def test_a_truncated_file_is_refused(tmp_path, written, name, share, decoder, capfd):
    data = written[name].read_bytes()
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    refused(tmp_path / name, "copy it again")
    refused(tmp_path / name, "copy it again", function=sample_all)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", [name for name in WRITTEN if name not in STATES_NO_LENGTH])
@pytest.mark.parametrize("size", [8, 60, 200])
def test_a_truncated_header_is_refused(tmp_path, written, name, size, capfd):
    (tmp_path / name).write_bytes(written[name].read_bytes()[:size])
    for function in (read_all, sample_all, probe):
        refused(tmp_path / name, "copy it again", function=function)
    assert capfd.readouterr() == ("", "")


def blanked(path: Path, first: int, end: int) -> bytes:
    """A file with zeros in the place of some packets, as long as it was."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for packet in packets[first:end]:
        data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    return bytes(data)


@pytest.mark.parametrize("name", ["fast.mp4", "h264.mkv", "clip.webm", "clip.flv"])
def test_frames_that_stop_decoding_are_refused_after_those_that_do(tmp_path, written, name, decoder, capfd):
    (tmp_path / name).write_bytes(blanked(written[name], 12, 20))
    seen = []
    with pytest.raises(EarsightError) as caught:
        for frame in read_frames(tmp_path / name):
            seen.append(number(frame.image))
    announced = 22 if name == "clip.flv" else FRAMES
    assert f"{name}: damaged: {len(seen)} of about {announced} frames can be decoded; copy it" in str(caught.value)
    assert seen[:8] == list(range(8)) and len(seen) <= 12  # what the last ones refer to is lost
    refused(tmp_path / name, "damaged", function=sample_all)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_frame_moves_no_other(tmp_path, decoder, capfd):
    path = encode(tmp_path / "clip.mov", [*map(noise, range(FRAMES))], **LOSSLESS["clip.mov"])
    path.write_bytes(blanked(path, 9, 10))
    frames = list(read_frames(path))
    assert len(frames) == FRAMES - 1
    for place, frame in zip([*range(9), *range(10, FRAMES)], frames, strict=True):
        assert frame.time == pytest.approx(place / RATE)
        np.testing.assert_array_equal(frame.image, noise(place))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["fast.mp4", "clip.avi", "h264.mkv", "clip.webm", "clip.gif", "clip.ts", "clip.mpg"])
def test_whatever_is_in_a_file_the_error_is_ours(tmp_path, written, name, capfd):
    rng = np.random.default_rng(0)
    whole = written[name].read_bytes()
    for _ in range(12):
        data = bytearray(whole)
        for place in rng.integers(0, min(len(data), 3000), 8):
            data[place] = rng.integers(256)
        (tmp_path / name).write_bytes(data)
        for function in (read_all, sample_all, probe):
            try:
                function(tmp_path / name)
            except EarsightError as error:
                assert str(error).startswith(str(tmp_path / name)) and "\n" not in str(error)
    assert capfd.readouterr() == ("", "")
