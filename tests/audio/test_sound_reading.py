"""Sound of every kind comes in whole and in time, or is refused with one line that says why."""

import os
import pickle
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from sounds import WRITTEN, encode, refused, speechlike, write

from conftest import REPOSITORY
from earsight.audio.reading import (
    FRAME_SUFFIXES,
    SOUND_SUFFIXES,
    info,
    open_blocks,
    read,
    read_frames,
    resample,
    with_libav,
    with_soundfile,
)
from earsight.common.errors import EarsightError


def lag(found: np.ndarray, wanted: np.ndarray) -> int:
    """Samples by which `found` is late."""
    size = 1 << (len(found) + len(wanted)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(found, size) * np.conj(np.fft.rfft(wanted, size)))
    peak = int(correlation.argmax())
    return peak if peak < size // 2 else peak - size


# Those whose headers do not trim what the encoder adds in front, and how many samples that may be.
UNTRIMMED = {"clip.aac": 1024, "clip.ts": 1024, "clip.flv": 1024, "live.mp4": 1024, "clip.mka": 1024,
             "clip.mkv": 1024, "clip.avi": 2257, "clip.wma": 4096}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, Path]:
    """One clip in every format, 48 kHz mono, 2 s."""
    folder = tmp_path_factory.mktemp("written")
    clip = speechlike(48000)
    return {name: write(folder, name, clip, 48000) for name in WRITTEN}


# Healthy files


@pytest.mark.parametrize("name", WRITTEN)
def test_every_format_comes_in_whole_and_in_time(written, name, capfd):
    clip = speechlike(48000)
    waveform = read(written[name])
    assert waveform.sample_rate == 48000
    assert waveform.samples.dtype == np.float32 and waveform.samples.ndim == 1
    untrimmed = UNTRIMMED.get(name, 0)
    assert abs(lag(waveform.samples, clip)) <= untrimmed
    assert len(clip) <= len(waveform.samples) + 2048 * (name == "clip.wma")  # libav drops its first frame
    assert (
        len(waveform.samples) <= len(clip) + 2 * untrimmed + 2400
    )  # what fills the last frame, at most 50 ms
    late = lag(waveform.samples, clip)
    found, wanted = waveform.samples[max(late, 0) :], clip[max(-late, 0) :]
    error = found[: len(wanted)] - wanted[: len(found)]
    assert np.mean(error**2) < 0.1 * np.mean(clip**2)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", WRITTEN)
def test_info_agrees_with_what_is_read(written, name):
    found, waveform = info(written[name]), read(written[name])
    assert (found.sample_rate, found.channels) == (48000, 1)
    assert found.frames == len(waveform.samples)
    assert found.duration == pytest.approx(waveform.duration)


@pytest.mark.parametrize(
    "name", [name for name in WRITTEN if name.endswith((".m4a", ".mp4", ".mov", ".mkv", ".webm"))]
)
def test_opening_by_the_header_alone_decodes_the_same_samples(written, name):
    with av.open(str(written[name])) as container:
        wanted = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    np.testing.assert_array_equal(read(written[name]).samples, wanted)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE"])
def test_sample_types_of_wav(tmp_path, subtype):
    clip = speechlike(16000)
    soundfile.write(tmp_path / "clip.wav", clip, 16000, subtype=subtype)
    step = {"PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_U8": 2**-7}.get(subtype, 1e-7)
    np.testing.assert_allclose(read(tmp_path / "clip.wav").samples, clip, atol=step)


@pytest.mark.parametrize(
    ("codec", "format", "step"),
    [
        ("pcm_u8", "u8", 2**-7),
        ("pcm_s16le", "s16", 2**-15),
        ("pcm_s32le", "s32", 1e-7),
        ("alac", "s16p", 2**-15),
    ]
    + [("pcm_f32le", "flt", 1e-7), ("pcm_f64le", "dbl", 1e-7), ("flac", "s16", 2**-15)],
)
def test_sample_types_of_libav(tmp_path, codec, format, step):
    left, right = speechlike(16000, 0.5), speechlike(16000, 0.5, seed=1)
    path = tmp_path / ("clip.m4a" if codec == "alac" else "clip.mkv")
    source = av.AudioFrame.from_ndarray(np.stack([left, right]), format="fltp", layout="stereo")
    source.sample_rate, source.time_base, source.pts = 16000, Fraction(1, 16000), 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=16000)
        stream.layout, stream.format = "stereo", format
        for frame in av.AudioResampler(format, "stereo").resample(source):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    np.testing.assert_allclose(read(path).samples, (left + right) / 2, atol=2 * step)


@pytest.mark.parametrize(("name", "channels"), [("clip.wav", 8), ("clip.flac", 2), ("clip.ogg", 2)])
def test_channels_are_averaged(tmp_path, name, channels):
    parts = np.stack([speechlike(16000, seed=seed) for seed in range(channels)], axis=1)
    soundfile.write(tmp_path / name, parts, 16000)
    found = read(tmp_path / name).samples
    error = found - parts.mean(axis=1)
    assert np.mean(error**2) < (0.05 if name == "clip.ogg" else 1e-6) * np.mean(parts.mean(axis=1) ** 2)
    assert info(tmp_path / name).channels == channels


@pytest.mark.parametrize("layout", ["stereo", "5.1", "7.1"])
def test_channels_of_a_film_are_averaged(tmp_path, layout):
    clip = speechlike(48000)
    path = encode(tmp_path / "clip.mp4", clip, 48000, "aac", layout=layout, codec_options={"b": "512k"})
    found = read(path).samples[: len(clip)]
    # The low-frequency channel of 5.1 and 7.1 keeps only its lowest part, so the mean is a little softer.
    assert np.corrcoef(found, clip)[0, 1] > 0.95
    assert 0.8 < found.std() / clip.std() < 1.05
    assert info(path).channels == av.AudioLayout(layout).nb_channels


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 44100, 96000, 192000])
def test_any_rate_becomes_the_rate_asked_for(tmp_path, rate):
    soundfile.write(tmp_path / "clip.wav", speechlike(rate), rate, subtype="FLOAT")
    waveform = read(tmp_path / "clip.wav", sample_rate=16000)
    assert waveform.sample_rate == 16000 and len(waveform.samples) == 32000
    wanted = speechlike(16000)
    # A burst's edges hold all frequencies, which no two rates keep alike.
    assert np.corrcoef(waveform.samples, wanted)[0, 1] > 0.99
    assert info(tmp_path / "clip.wav").sample_rate == rate


def test_the_rate_and_the_channels_may_change_on_the_way(tmp_path):
    first = encode(tmp_path / "a.aac", speechlike(44100), 44100, "aac", format="adts", layout="stereo")
    second = encode(tmp_path / "b.aac", speechlike(22050, seed=1), 22050, "aac", format="adts")
    (tmp_path / "both.aac").write_bytes(first.read_bytes() + second.read_bytes())
    wanted = np.concatenate([read(first, 16000).samples, read(second, 16000).samples])
    found = read(tmp_path / "both.aac", 16000)
    assert abs(len(found.samples) - len(wanted)) < 1600
    assert np.corrcoef(found.samples[:30000], wanted[:30000])[0, 1] > 0.99
    assert found.samples[-16000:].std() == pytest.approx(wanted[-16000:].std(), rel=0.1)
    assert read(tmp_path / "both.aac").sample_rate == 44100
    assert info(tmp_path / "both.aac").duration == pytest.approx(found.duration, abs=0.01)


@pytest.mark.parametrize("options", [{}, {"write_xing": "0"}])
def test_mp3_of_varying_bit_rate_is_not_cut(tmp_path, options):
    # Silence first: a length guessed from the first bit rate is several times too short or too long.
    rng = np.random.default_rng(0)
    loud = rng.uniform(-0.5, 0.5, 6 * 44100).astype(np.float32)
    clip = np.concatenate([np.zeros(44100, np.float32), loud])
    path = encode(
        tmp_path / "clip.mp3", clip, 44100, "libmp3lame", options=options,
        codec_options={"flags": "+qscale", "global_quality": str(2 * 118)},
    )  # fmt: skip
    waveform = read(path)
    assert 0 <= len(waveform.samples) - len(clip) <= 2 * 2304
    assert waveform.samples[-22050:].std() > 0.1


def test_a_wav_and_a_flac_written_to_a_pipe_state_no_length(tmp_path):
    clip = speechlike(16000)
    soundfile.write(tmp_path / "clip.wav", clip, 16000)
    soundfile.write(tmp_path / "clip.flac", clip, 16000)
    for size in (0x7FFFF000, 0x80000000, 0xFFFFFFFF):
        data = bytearray((tmp_path / "clip.wav").read_bytes())
        data[4:8] = data[40:44] = struct.pack("<I", size)
        (tmp_path / "piped.wav").write_bytes(data)
        assert len(read(tmp_path / "piped.wav").samples) == len(clip)
    data = bytearray((tmp_path / "clip.flac").read_bytes())
    data[21] &= 0xF0  # the number of samples: 36 bits of the first metadata block, STREAMINFO
    data[22:26] = bytes(4)
    (tmp_path / "piped.flac").write_bytes(data)
    np.testing.assert_allclose(read(tmp_path / "piped.flac").samples, clip, atol=2**-15)
    assert info(tmp_path / "piped.flac").frames == len(clip)


@pytest.mark.parametrize(
    "name", ["größe 1 – 语音.wav", "a:b.mp4", "with\nline.wav", "no_suffix", "wrong.txt", "-.m4a"]
)
def test_names_play_no_part(tmp_path, written, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kind = "clip.mp4" if name.endswith(("mp4", "m4a")) else "clip.wav"
    Path(name).write_bytes(written[kind].read_bytes())
    np.testing.assert_array_equal(read(name).samples, read(written[kind]).samples)


def test_a_tag_in_another_encoding_does_no_harm(tmp_path):
    path = tmp_path / "clip.m4a"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "MARKER"
        stream = container.add_stream("aac", rate=16000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(speechlike(16000)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"MARKER", b"\xe9\xe8\xff\xfe\xe0\xfc"))
    assert read(path).duration == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("name", ["clip.wav", "clip.flac", "clip.m4a", "clip.mp4"])
@pytest.mark.parametrize("samples", [np.zeros(16000), np.full(1, 0.5)], ids=["silence", "one sample"])
def test_silence_and_a_single_sample_are_sound(tmp_path, name, samples):
    path = write(tmp_path, name, samples.astype(np.float32), 16000)
    assert len(read(path).samples) >= len(samples)
    assert read(path, 8000).sample_rate == 8000
    if len(samples) > 1:
        assert not read(path).samples.any()


def test_threads_read_the_same(written):
    with ThreadPoolExecutor(4) as pool:
        several = list(pool.map(lambda name: read(written[name], 16000).samples, list(WRITTEN) * 2))
    for name, found in zip(list(WRITTEN) * 2, several, strict=True):
        np.testing.assert_array_equal(found, read(written[name], 16000).samples)


@pytest.mark.parametrize("name", ["clip.wav", "clip.mp4"])
def test_long_files_are_resampled_in_blocks_without_a_seam(written, name, monkeypatch):
    whole = read(written[name], 16000).samples
    for reader in (with_libav, with_soundfile):
        monkeypatch.setattr(reader, "BLOCK", 5000)
    blocks = read(written[name], 16000).samples
    assert abs(len(blocks) - len(whole)) <= 1
    np.testing.assert_allclose(blocks[: len(whole)], whole[: len(blocks)], atol=1e-5)


def test_a_file_half_read_keeps_no_other_from_being_read(written, monkeypatch):
    for reader in (with_libav, with_soundfile):
        monkeypatch.setattr(reader, "BLOCK", 5000)
    _, blocks = open_blocks(written["clip.mp4"], 16000)
    first = next(blocks)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(read, written["clip.m4a"], 16000).result(timeout=20).samples
    np.testing.assert_array_equal(other, read(written["clip.m4a"], 16000).samples)
    whole = np.concatenate([first, *blocks])
    np.testing.assert_allclose(whole, read(written["clip.mp4"], 16000).samples[:len(whole)], atol=1e-5)


def test_grid_clips_are_decoded_as_libav_does(shared_data):
    for path in sorted((shared_data / "grid" / "s1").glob("*.mp4"))[:20]:
        waveform = read(path)
        with av.open(str(path)) as container:
            wanted = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        np.testing.assert_array_equal(waveform.samples, wanted)
        assert waveform.sample_rate == 44100 and waveform.duration == pytest.approx(3, abs=0.1)


def test_fsdd_and_an4_recordings_are_read(shared_data):
    for path in [*sorted((shared_data / "fsdd" / "recordings").glob("*.wav"))[:20],
                 *sorted((shared_data / "an4" / "wav").rglob("*.wav"))[:5]]:  # fmt: skip
        np.testing.assert_array_equal(read(path).samples, soundfile.read(path, dtype="float32")[0])


def test_importing_costs_nothing_but_numpy():
    code = (
        "import sys, earsight.audio.reading\n"
        "print(*{'av', 'soundfile', 'soxr', 'torch', 'librosa', 'lhotse', 'scipy'} & {*sys.modules})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == []


def test_what_reads_files_is_loaded_by_their_names():
    code = (
        "import sys; from pathlib import Path; from earsight.audio.reading import load_readers\n"
        "load_readers([Path('a.wav'), Path('b.npy')]); print('av' in sys.modules)\n"
        "load_readers([Path('a.wav'), Path('b.MP4')]); print('av' in sys.modules)\n"
        "del sys.modules['av']; sys.modules['av'] = None; load_readers([Path('a.mp3')]); print('went on')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split("\n") == ["False", "True", "went on", ""]


def test_suffixes_are_lower_case_and_apart():
    assert all(
        suffix.startswith(".") and suffix == suffix.lower() for suffix in SOUND_SUFFIXES | FRAME_SUFFIXES
    )
    assert not SOUND_SUFFIXES & FRAME_SUFFIXES
    assert {Path(name).suffix for name in WRITTEN} <= SOUND_SUFFIXES


# Resampling


def test_a_tone_stays_the_same_tone():
    time = np.arange(44100) / 44100
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    wanted = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    np.testing.assert_allclose(resample(tone, 44100, 16000)[200:-200], wanted[200:-200], atol=1e-4)


def test_what_the_new_rate_cannot_hold_is_removed():
    tone = np.sin(2 * np.pi * 10000 * np.arange(44100) / 44100).astype(np.float32)
    assert np.abs(resample(tone, 44100, 16000)[200:-200]).max() < 1e-4


def test_the_same_rate_changes_nothing():
    clip = speechlike(16000)
    np.testing.assert_array_equal(resample(clip, 16000, 16000), clip)


def test_rates_need_not_be_whole():
    assert len(resample(np.zeros(16000, np.float32), 16000 * 1.1, 16000)) == pytest.approx(16000 / 1.1, abs=1)


def test_nothing_resampled_is_nothing():
    assert len(resample(np.zeros(0, np.float32), 44100, 16000)) == 0


# Broken files


@pytest.mark.parametrize("function", [read, info, read_frames])
def test_what_cannot_be_opened(tmp_path, function):
    (tmp_path / "empty.wav").touch()
    os.mkfifo(tmp_path / "pipe.wav")
    refused(tmp_path / "missing.wav", "no such file", function=function)
    refused(tmp_path / "missing" / "clip.wav", "no such file", function=function)
    refused(tmp_path, "a folder", function=function)
    refused(tmp_path / "empty.wav", "empty (0 bytes)", function=function)
    refused(tmp_path / "pipe.wav", "not a regular file", function=function)
    refused(tmp_path / "empty.wav" / "clip.wav", "cannot be read", function=function)
    refused(tmp_path / ("long" * 100), "cannot be read", function=function)
    refused("nul\0.wav", "cannot be read", function=function)


def test_no_permission(tmp_path):
    path = tmp_path / "clip.wav"
    soundfile.write(path, speechlike(16000), 16000)
    path.chmod(0)
    root = os.geteuid() == 0
    if root:  # whom no mode stops
        os.seteuid(65534)
    try:
        refused(path, "no permission", "change its permissions")
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("name", ["text.wav", "text.mp3", "text.mp4", "text.flac", "text.ogg", "text"])
@pytest.mark.parametrize("text", ["To be, or not to be.\n" * 50, "x", "ÿþ" * 40, "#EXTM3U\n/etc/passwd\n"])
def test_text_is_not_sound(tmp_path, name, text, capfd):
    (tmp_path / name).write_text(text, encoding="latin-1")
    refused(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_a_playlist_opens_no_other_file(tmp_path, written):
    (tmp_path / "clip.ts").write_bytes(written["clip.ts"].read_bytes())
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nclip.ts\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(playlist)
    (tmp_path / "list.ffconcat").write_text("ffconcat version 1.0\nfile clip.ts\n")
    refused(tmp_path / "list.m3u8")
    refused(tmp_path / "list.ffconcat")


# What ogg, raw aac and MPEG streams leave unsaid, see the module's first lines.
STATES_NO_LENGTH = {"clip.ogg", "clip.opus", "clip.ts", "clip.aac", "clip.flv"}


@pytest.mark.parametrize("share", [0.02, 0.6, 0.9])
@pytest.mark.parametrize("name", [name for name in WRITTEN if name not in STATES_NO_LENGTH])
def test_a_truncated_file_is_refused(tmp_path, written, name, share, capfd):
    data = written[name].read_bytes()
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    refused(tmp_path / name, "copy it again")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["clip.aac", "clip.flv"])
def test_a_stream_that_ends_within_a_frame_is_refused(tmp_path, written, name):
    (tmp_path / name).write_bytes(written[name].read_bytes()[:-40])
    refused(tmp_path / name, "copy it again")


@pytest.mark.parametrize("name", ["clip.flac", "fast.m4a", "fast.mp4"])
def test_damage_in_the_middle_is_refused(tmp_path, written, name, capfd):
    data = bytearray(written[name].read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = bytes(6000)
    (tmp_path / name).write_bytes(data)
    refused(tmp_path / name, "copy it again")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["clip.wav", "clip.flac", "clip.aiff", "clip.ogg"])
@pytest.mark.parametrize("function", [read, info])
def test_no_samples(tmp_path, name, function):
    soundfile.write(tmp_path / name, np.zeros(0, np.float32), 16000)
    refused(tmp_path / name, function=function)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path, value):
    clip = speechlike(16000)
    clip[8000] = value
    soundfile.write(tmp_path / "clip.wav", clip, 16000, subtype="FLOAT")
    refused(tmp_path / "clip.wav", "NaN or infinite", "0.500 s")
    with pytest.raises(EarsightError):
        read(tmp_path / "clip.wav", 8000)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.avi"])
@pytest.mark.parametrize("function", [read, info])
def test_a_video_without_sound(tmp_path, name, function):
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(10):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24"))
            )
        container.mux(stream.encode(None))
    refused(tmp_path / name, "without sound", function=function)


@pytest.mark.parametrize("name", ["clip.wav", "clip.flac", "clip.mp3", "fast.mp4", "clip.mkv", "clip.ogg"])
def test_whatever_is_in_a_file_the_error_is_ours(tmp_path, written, name, capfd):
    rng = np.random.default_rng(0)
    whole = written[name].read_bytes()
    for _ in range(15):
        data = bytearray(whole[: int(rng.uniform(0.2, 1) * len(whole))])
        for place in rng.integers(0, min(len(data), 3000), 8):
            data[place] = rng.integers(256)
        (tmp_path / name).write_bytes(data)
        try:
            read(tmp_path / name, 16000)
        except EarsightError as error:
            assert str(error).startswith(str(tmp_path / name))
    assert capfd.readouterr() == ("", "")


# Feature frames


def mfc(frames: np.ndarray) -> bytes:
    return struct.pack(">i", frames.size) + frames.astype(">f4").tobytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_frames(tmp_path, dtype, order):
    frames = np.asarray(np.random.default_rng(0).normal(size=(50, 7)).astype(dtype), order=order)
    np.save(tmp_path / "clip.npy", frames)
    found = read_frames(tmp_path / "clip.npy")
    assert found.dtype == np.float32 and found.dtype.isnative
    np.testing.assert_array_equal(found, frames.astype(np.float32))


def test_mfc_frames(tmp_path):
    frames = np.random.default_rng(0).normal(size=(50, 13)).astype(np.float32)
    (tmp_path / "CLIP.MFC").write_bytes(mfc(frames))
    found = read_frames(tmp_path / "CLIP.MFC")
    assert found.dtype == np.float32 and found.dtype.isnative
    np.testing.assert_array_equal(found, frames)


def test_an4_frames_are_read(shared_data):
    frames = read_frames(next((shared_data / "an4" / "feat").rglob("*.mfc")))
    assert frames.shape[1] == 13 and len(frames) > 20 and np.abs(frames).max() < 50


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(5, np.float32), "(5,)"),
        (np.zeros((2, 3, 4), np.float32), "(2, 3, 4)"),
        (np.zeros((0, 13), np.float32), "(0, 13)"),
        (np.zeros((4, 13), np.int16), "int16"),
        (np.array([["a", "b"]]), "(1, 2)"),
        (np.array([[1.0, np.nan]]), "frame 0"),
        (np.array([[1.0, 2.0], [np.inf, 0.0]]), "frame 1"),
        (np.array([[1e300]]), "frame 0"),
    ],
)
def test_arrays_that_are_no_frames(tmp_path, array, words):
    np.save(tmp_path / "clip.npy", array)
    refused(tmp_path / "clip.npy", words, function=read_frames)


class Trap:
    """What runs when it is unpickled."""

    def __reduce__(self):
        return open, (str(Trap.target), "w")


def test_pickles_are_not_opened(tmp_path):
    Trap.target = tmp_path / "opened"
    np.save(tmp_path / "object.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Trap()))
    refused(tmp_path / "object.npy", function=read_frames)
    refused(tmp_path / "pickle.npy", function=read_frames)
    assert not Trap.target.exists()


def test_broken_frame_files(tmp_path):
    frames = np.ones((10, 13), np.float32)
    np.save(tmp_path / "clip.npy", frames)
    np.savez(tmp_path / "many.npz", frames)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "clip.npy").read_bytes()[:-4])
    (tmp_path / "header.npy").write_bytes((tmp_path / "clip.npy").read_bytes()[:20])
    (tmp_path / "text.npy").write_text("1.0 2.0\n")
    (tmp_path / "many.npy").write_bytes((tmp_path / "many.npz").read_bytes())
    (tmp_path / "cut.mfc").write_bytes(mfc(frames)[:-4])
    (tmp_path / "long.mfc").write_bytes(mfc(frames) + b"....")
    (tmp_path / "odd.mfc").write_bytes(mfc(np.ones((5, 7))))
    (tmp_path / "none.mfc").write_bytes(struct.pack(">i", 0))
    (tmp_path / "minus.mfc").write_bytes(struct.pack(">i", -1))
    (tmp_path / "two.mfc").write_bytes(b"..")
    (tmp_path / "text.csv").write_text("1.0,2.0\n")
    (tmp_path / "nan.mfc").write_bytes(mfc(frames * np.nan))
    for name in (
        "cut.npy",
        "header.npy",
        "text.npy",
        "many.npy",
        "cut.mfc",
        "long.mfc",
        "odd.mfc",
        "none.mfc",
    ):
        refused(tmp_path / name, function=read_frames)
    for name in ("minus.mfc", "two.mfc", "text.csv", "nan.mfc"):
        refused(tmp_path / name, function=read_frames)
