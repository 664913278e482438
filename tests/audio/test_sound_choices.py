"""Which track and which channel is read: those that were asked for, else those in which something is to be heard."""

from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
from sounds import refused, speechlike

from earsight.audio.reading import ReadingOptions, each_channel, read
from earsight.common.errors import EarsightError

LEFT, RIGHT = speechlike(16000), speechlike(16000, seed=1)


def film(path, tracks, codec="pcm_s16le"):
    """Tracks of int16 sound, each (channels, samples) at 16 kHz."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=16000) for _ in tracks]
        for stream, samples in zip(streams, tracks):
            stream.layout = "stereo" if len(samples) == 2 else "mono"
        for stream, samples in zip(streams, tracks):
            form = "flt" if codec == "aac" else "s16"
            flat = np.ascontiguousarray(samples.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(flat if form == "flt" else (flat * 32767).astype(np.int16), form,
                                               "stereo" if len(samples) == 2 else "mono")
            frame.sample_rate, frame.time_base, frame.pts = 16000, Fraction(1, 16000), 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


@pytest.fixture(params=["wav", "flac", "mkv", "m4a"])
def stereo(tmp_path, request):
    """LEFT and RIGHT in a file, and by how much its samples may differ."""
    path = tmp_path / f"call.{request.param}"
    if request.param in ("mkv", "m4a"):
        return film(path, [np.stack([LEFT, RIGHT])], "aac" if request.param == "m4a" else "pcm_s16le"), request.param
    soundfile.write(path, np.stack([LEFT, RIGHT], axis=1), 16000)
    return path, request.param


def same(found, wanted, kind):
    if kind == "m4a":
        assert np.corrcoef(found[:30000], wanted[:30000])[0, 1] > 0.95
    else:
        np.testing.assert_allclose(found, wanted, atol=2**-14)


def test_a_channel_alone_and_each_for_itself(stereo, capfd):
    path, kind = stereo
    same(read(path).samples, (LEFT + RIGHT) / 2, kind)
    for channel, wanted in ((1, LEFT), (2, RIGHT)):
        same(read(path, options=ReadingOptions(channels=channel)).samples, wanted, kind)
    every = each_channel(path, ReadingOptions(channels="split"))
    assert [one.channel for one in every] == [1, 2]
    assert capfd.readouterr() == ("", "")
    refused(path, "has no channel 3, its last is 2", function=lambda p: read(p, options=ReadingOptions(channels=3)))


@pytest.mark.parametrize("name", ["clip.wav", "clip.m4a"])
def test_channels_that_cancel_leave_the_louder(tmp_path, name, capfd):
    both = np.stack([0.8 * LEFT, -LEFT])
    path = tmp_path / name
    if name.endswith("wav"):
        soundfile.write(path, np.stack([0.97 * LEFT, -LEFT], axis=1), 16000)
    else:
        film(path, [np.stack([0.97 * LEFT, -LEFT])], "aac")
    same(read(path).samples, -LEFT, name[-3:])
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and said.startswith(f"warning: {path}: ") and "channel 2, the loudest" in said
    soundfile.write(tmp_path / "some.wav", both.T, 16000)  # of which a tenth is left: to be heard
    same(read(tmp_path / "some.wav").samples, both.mean(axis=0), "wav")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("channels", [2, 6, 16])
def test_one_channel_among_silent_ones_is_no_opposite(tmp_path, channels, capfd):
    every = np.zeros((len(LEFT), channels), np.float32)
    every[:, 1] = LEFT
    soundfile.write(tmp_path / "clip.wav", every, 16000)
    same(read(tmp_path / "clip.wav").samples, LEFT / channels, "wav")
    soundfile.write(tmp_path / "still.wav", np.zeros((16000, channels)), 16000)
    assert not read(tmp_path / "still.wav").samples.any()
    assert capfd.readouterr() == ("", "")


def test_the_first_track_that_is_not_silent_is_read(tmp_path, capfd):
    still = np.zeros((1, len(LEFT)), np.float32)
    path = film(tmp_path / "clip.mkv", [still, RIGHT[None], LEFT[None]])
    same(read(path).samples, RIGHT, "mkv")
    assert capfd.readouterr().err == f"warning: {path}: sound track 2 of 3 is read, as those before it are silent\n"
    for track, wanted in ((1, still[0]), (2, RIGHT), (3, LEFT)):
        same(read(path, options=ReadingOptions(track=track)).samples, wanted, "mkv")
    same(read(film(tmp_path / "two.mkv", [LEFT[None], RIGHT[None]])).samples, LEFT, "mkv")
    same(read(film(tmp_path / "none.mkv", [still, still])).samples, still[0], "mkv")
    assert capfd.readouterr() == ("", "")
    refused(path, "has no sound track 4, its last is 3", function=lambda p: read(p, options=ReadingOptions(track=4)))


def test_a_track_that_is_silent_for_long_is_not_silent(tmp_path):
    late = np.concatenate([np.zeros(60 * 16000, np.float32), LEFT])
    same(read(film(tmp_path / "clip.mkv", [late[None], RIGHT[None]])).samples, late, "mkv")


@pytest.mark.parametrize("given", [{"track": 0}, {"track": 1.5}, {"track": True}, {"channels": 0}, {"channels": "left"},
                                   {"channels": None}, {"damaged": "keep"}])
def test_options_that_are_none(given):
    with pytest.raises(EarsightError, match=next(iter(given))):
        ReadingOptions(**given)
