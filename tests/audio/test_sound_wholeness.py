"""What is in a file is read to its end, whatever its header and its tail are like; what is missing is told."""

import os
import struct

import numpy as np
import pytest
import soundfile
from sounds import WRITTEN, encode, refused, speechlike, write

from earsight.audio.reading import ReadingOptions, info, ogg, read
from earsight.common import parts
from earsight.common.containers import is_plain_wave
from earsight.common.errors import EarsightError
from earsight.common.parts import Part, oversized_data

SKIP = ReadingOptions(damaged="skip")

TAILS = {
    "id3v1": b"TAG" + b"Some title".ljust(125, b"\0"),
    "ape": b"APETAGEX" + struct.pack("<4I", 2000, 20, 0, 0) + bytes(28),
    "lyrics": b"LYRICSBEGIN" + b"some words " * 50 + b"000561LYRICS200" + b"TAG" + b"x" * 125,
    "json": b'{"camera":"x","gps":[1,2]}',
    "zeros": bytes(5000),
    "three": bytes(3),
    "text": b"<x>" + b"metadata " * 500 + b"</x>",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    return {name: write(folder, name, speechlike(48000), 48000) for name in WRITTEN}


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("name", WRITTEN)
def test_what_comes_behind_the_end_changes_nothing(tmp_path, written, name, tail, capfd):
    (tmp_path / name).write_bytes(written[name].read_bytes() + TAILS[tail])
    found, wanted = read(tmp_path / name).samples, read(written[name]).samples
    assert 0 <= len(found) - len(wanted) <= 1152 * (name == "clip.mp3")  # its last frame is then not trimmed
    np.testing.assert_array_equal(found[:len(wanted)], wanted)
    assert capfd.readouterr() == ("", "")


# Headers of writers that were stopped, or wrote to a pipe: the places of sizes in what libsndfile writes.
SIZES = {
    "WAV": ("<I", (4, 40)), "AU": (">I", (8,)), "RF64": ("<Q", (20, 28)), "W64": ("<Q", (16, 96)),
    "AIFF": (">I", (4, 42)), "CAF": (">q", (4084,)),
}  # fmt: skip
HEADERS = {"WAV": 44, "AU": 24, "RF64": 104, "W64": 104, "AIFF": 54, "CAF": 4096}


def with_sizes(path, form, value, places=None):
    clip = speechlike(16000)
    soundfile.write(path, clip, 16000, format=form, subtype="PCM_16")
    data, (code, every) = bytearray(path.read_bytes()), SIZES[form]
    for place in every if places is None else places:
        struct.pack_into(code, data, place, value)
    path.write_bytes(data)
    return clip


@pytest.mark.parametrize("form", SIZES)
def test_sizes_of_zero_mean_to_the_end(tmp_path, form):
    clip = with_sizes(tmp_path / "clip", form, 0)
    np.testing.assert_allclose(read(tmp_path / "clip").samples, clip, atol=2**-15)
    assert info(tmp_path / "clip").frames == len(clip)


@pytest.mark.parametrize(("form", "value"), [("WAV", 0xFFFFFFFF), ("WAV", 0x80000000), ("AU", 0xFFFFFFFF), ("CAF", -1),
                                             ("RF64", 2**64 - 1), ("W64", 2**63 - 1), ("AIFF", 0xFFFFFFFF)])
def test_sizes_of_a_pipe_mean_to_the_end(tmp_path, form, value):
    clip = with_sizes(tmp_path / "clip", form, value)
    np.testing.assert_allclose(read(tmp_path / "clip").samples, clip, atol=2**-15)


@pytest.mark.parametrize("form", SIZES)
def test_sizes_that_are_much_too_large_tell_how_much_is_missing(tmp_path, form, capsys):
    clip = with_sizes(tmp_path / "clip", form, 100_000)
    refused(tmp_path / "clip", "too few", "--damaged skip")
    found = read(tmp_path / "clip", options=SKIP).samples
    np.testing.assert_allclose(found, clip, atol=2**-15)
    said = capsys.readouterr().err
    assert said.startswith(f"warning: {tmp_path / 'clip'}: ") and said.count("\n") == 1 and "too few" in said


def test_only_a_wav_that_lacks_nothing_and_has_nothing_behind_its_data_needs_no_closer_look(tmp_path):
    soundfile.write(tmp_path / "clip.wav", speechlike(16000), 16000)
    data = (tmp_path / "clip.wav").read_bytes()
    tagged = data[:4] + struct.pack("<I", len(data) + 4) + data[8:] + b"LIST\4\0\0\0INFO"
    assert is_plain_wave(data[:4096], len(data))
    for other in (data + b"\0", data[:-1], data + data, data[:40] + bytes(4) + data[44:], tagged, data[:30], b""):
        assert not is_plain_wave(other[:4096], len(other))


def test_the_data_of_a_wav_may_not_be_larger_than_its_file(tmp_path):
    with_sizes(tmp_path / "clip", "WAV", 100_000, places=[40])
    refused(tmp_path / "clip", "announces", "too few")


def test_a_wav_of_more_than_four_gigabytes_is_read_to_its_end(tmp_path):
    """32 bits count its size from 0 again."""
    soundfile.write(tmp_path / "clip.wav", np.zeros(1000), 16000)
    with open(tmp_path / "clip.wav", "r+b") as file:
        file.truncate(44 + (1 << 32) + 2000)
    head = open(tmp_path / "clip.wav", "rb").read(100)
    assert oversized_data(tmp_path / "clip.wav", head, Part()) == Part(44)
    assert info(tmp_path / "clip.wav").frames == ((1 << 32) + 2000) // 2


def test_sound_behind_the_data_of_a_wav_is_told(tmp_path, capsys):
    """As where a recorder that wrote its header every minute lost power."""
    clip = speechlike(16000, 8.0)
    soundfile.write(tmp_path / "clip.wav", clip, 16000)
    data = bytearray((tmp_path / "clip.wav").read_bytes())
    data[4:8], data[40:44] = struct.pack("<I", 36 + 64000), struct.pack("<I", 64000)
    (tmp_path / "clip.wav").write_bytes(data)
    assert len(read(tmp_path / "clip.wav").samples) == 32000  # as every player reads it
    said = capsys.readouterr().err
    assert said.startswith(f"warning: {tmp_path / 'clip.wav'}: {len(data) - 44 - 64000} bytes")
    assert said.count("\n") == 1
    data[40:44] = bytes(4)
    (tmp_path / "clip.wav").write_bytes(data)
    assert len(read(tmp_path / "clip.wav").samples) == len(clip)
    assert capsys.readouterr() == ("", "")


def test_a_wav_without_sound_has_none_though_something_follows(tmp_path):
    soundfile.write(tmp_path / "clip.wav", np.zeros(0), 16000)
    data = bytearray((tmp_path / "clip.wav").read_bytes()) + b"LIST" + struct.pack("<I", 4) + b"INFO"
    data[4:8] = struct.pack("<I", len(data) - 8)
    (tmp_path / "clip.wav").write_bytes(data)
    refused(tmp_path / "clip.wav", "no sound")


@pytest.mark.parametrize("quality", [{}, {"flags": "+qscale", "global_quality": str(4 * 118)}])
def test_mp3_in_a_wav_is_read_as_in_its_own_file(tmp_path, quality):
    rng = np.random.default_rng(0)
    clip = np.concatenate([rng.uniform(-0.5, 0.5, 6615), speechlike(22050, 4)]).astype(np.float32)  # dear, then cheap
    wav = encode(tmp_path / "clip.wav", clip, 22050, "libmp3lame", codec_options=quality)
    mp3 = encode(tmp_path / "clip.mp3", clip, 22050, "libmp3lame", codec_options=quality)
    found, wanted = read(wav).samples, read(mp3).samples
    assert 0 <= len(found) - len(wanted) <= 4 * 576
    place = int(np.correlate(found[:12000], wanted[:8000], "valid").argmax())
    assert np.corrcoef(found[place:place + len(wanted)], wanted[:len(found) - place])[0, 1] > 0.999


# Files that were joined


@pytest.mark.parametrize("name", ["clip.ogg", "clip.opus", "clip.flac", "clip.wav", "clip.mp3", "clip.aac", "clip.m4a",
                                  "clip.mp4", "clip.mkv", "clip.webm", "clip.avi", "clip.ts"])
def test_all_of_joined_files_is_read(tmp_path, written, name, capfd):
    other = write(tmp_path, name, speechlike(48000, 3.0, seed=5), 48000)
    parts = [read(written[name]).samples, read(other).samples, read(written[name]).samples]
    (tmp_path / "joined").write_bytes(written[name].read_bytes() + other.read_bytes() + written[name].read_bytes())
    found = read(tmp_path / "joined").samples
    exact = name not in ("clip.mp3", "clip.aac", "clip.ts")  # which are decoded as one, with what encoders add
    assert len(found) == pytest.approx(sum(map(len, parts)), abs=0 if exact else 3 * 2304)
    if exact:
        np.testing.assert_array_equal(found, np.concatenate(parts))
    else:
        assert np.corrcoef(found[:len(parts[0]) - 4000], parts[0][:-4000])[0, 1] > 0.99
        assert found[-40000:].std() == pytest.approx(parts[0][-40000:].std(), rel=0.1)
    assert info(tmp_path / "joined").frames == len(found)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("tag", [b"", b"ID3\3\0\0\0\0\0\x0a" + bytes(10)])
def test_sound_of_another_kind_behind_the_end_is_told(tmp_path, written, tag, capsys):
    joined = tmp_path / "joined.aac"
    joined.write_bytes(written["clip.aac"].read_bytes() + tag + written["clip.mp3"].read_bytes())
    refused(joined, "")
    found, wanted = read(joined, options=SKIP).samples, read(written["clip.aac"]).samples
    assert len(found) == pytest.approx(len(wanted), abs=4 * 1024)
    assert "nothing can be read behind" in capsys.readouterr().err


def test_joined_files_of_two_rates(tmp_path):
    soundfile.write(tmp_path / "a.wav", speechlike(16000), 16000)
    soundfile.write(tmp_path / "b.wav", np.stack([speechlike(8000, seed=1)] * 2, axis=1), 8000)
    (tmp_path / "c.wav").write_bytes((tmp_path / "a.wav").read_bytes() + (tmp_path / "b.wav").read_bytes())
    assert len(read(tmp_path / "c.wav").samples) == pytest.approx(64000, abs=2)


# Ogg


def pages(data):
    """Where the pages of an Ogg file begin."""
    places, place = [], 0
    while place < len(data):
        assert data[place:place + 4] == b"OggS"
        places.append(place)
        place += 27 + data[place + 26] + sum(data[place + 27:place + 27 + data[place + 26]])
    return places


@pytest.fixture(scope="module")
def long_ogg(tmp_path_factory):
    path = tmp_path_factory.mktemp("ogg") / "clip.ogg"
    soundfile.write(path, speechlike(16000, 20.0), 16000)
    return path


@pytest.mark.parametrize("hit", ["a byte", "a page", "a header"])
def test_a_page_that_is_hit_is_told_or_silent(tmp_path, long_ogg, hit, capfd):
    data = bytearray(long_ogg.read_bytes())
    places = pages(data)
    middle = len(places) // 2
    start, end = places[middle], places[middle + 1]
    if hit == "a byte":
        data[(start + end) // 2] ^= 0x55
    elif hit == "a header":
        data[start:start + 4] = b"...."
    else:
        del data[start:end]
    path = tmp_path / "clip.ogg"
    path.write_bytes(data)
    refused(path, "s of its sound are missing, the first behind")
    refused(path, "missing", function=info)
    found, wanted = read(path, options=SKIP).samples, read(long_ogg).samples
    assert len(found) == pytest.approx(len(wanted), abs=2048)
    np.testing.assert_allclose(found[-32000:], wanted[-len(found):][-32000:][:32000], atol=1e-3) \
        if len(found) == len(wanted) else None
    assert np.corrcoef(found[:60000], wanted[:60000])[0, 1] > 0.999
    silent = np.flatnonzero(np.convolve(found == 0, np.ones(800), "valid") == 800)
    seconds = ogg.look_through(path).holes[0].seconds
    assert len(silent) and 0.2 * seconds < (silent[-1] - silent[0] + 800) / 16000 < 2.5 * seconds
    said = capfd.readouterr().err
    assert said.startswith(f"warning: {path}: ") and said.count("\n") == 1


def test_a_page_that_is_cut_is_told(tmp_path, long_ogg):
    path = tmp_path / "clip.ogg"
    path.write_bytes(long_ogg.read_bytes()[:-100])
    refused(path, "its last page lacks its end")
    assert len(read(path, options=SKIP).samples) > 15 * 16000


def test_healthy_ogg_is_told_to_be_so(written, long_ogg):
    for path in (written["clip.ogg"], written["clip.opus"], long_ogg):
        chain = ogg.look_through(path)
        assert (chain.parts, chain.holes, chain.cut) == ([Part()], [], False)


@pytest.mark.parametrize("block", [1, 7, 8, 9, 4096])
def test_joined_flac_files_are_found_wherever_they_begin(block, tmp_path, written, monkeypatch):
    monkeypatch.setattr(parts, "SCANNED", block)
    content = written["clip.flac"].read_bytes()
    several = content + content[:2000].replace(b"fLaC", b"fLaX") + content + b"fLaC" + content
    (tmp_path / "several.flac").write_bytes(several)
    places = [0, len(content) + 2000, 2 * len(content) + 2004, None]
    found = parts.parts(tmp_path / "several.flac", content[:4096])
    assert found == [Part(begin, end) for begin, end in zip(places, places[1:])]


# Damage


@pytest.mark.parametrize("name", ["clip.flac", "fast.m4a", "fast.mp4", "clip.mkv", "clip.mp3"])
def test_damage_is_skipped_if_that_may_be_and_what_follows_stays_in_time(tmp_path, name, capfd):
    clip = speechlike(48000, 6.0)
    path = write(tmp_path, name, clip, 48000)
    wanted, data = read(path).samples, bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle:middle + 6000] = bytes(6000)
    path.write_bytes(data)
    refused(path, "copy it again", "--damaged skip")
    found = read(path, options=SKIP).samples
    assert abs(len(found) - len(wanted)) <= 0.1 * 48000 + 2304
    assert np.corrcoef(found[:48000], wanted[:48000])[0, 1] > 0.99
    end = wanted[-43200:-4800]
    assert max(np.corrcoef(found[place:place + len(end)], end)[0, 1]
               for place in range(len(found) - 50400, len(found) - 38400, 16)) > 0.9
    said = capfd.readouterr().err
    assert said.startswith(f"warning: {path}: ") and said.count("\n") == 1 and "silence" in said


def test_a_cut_file_is_read_as_far_as_it_goes(tmp_path, written, capfd):
    for name in ("clip.wav", "clip.mkv", "live.mp4", "clip.mp3"):
        path = tmp_path / name
        path.write_bytes(written[name].read_bytes()[:int(0.6 * os.path.getsize(written[name]))])
        refused(path, "--damaged skip")
        found, wanted = read(path, options=SKIP).samples, read(written[name]).samples
        assert 0.3 < len(found) / len(wanted) < 0.9, name
        assert f"warning: {path}: " in capfd.readouterr().err


def test_nothing_of_these_raises_another_error(tmp_path, written, long_ogg):
    rng = np.random.default_rng(1)
    for name in ("clip.ogg", "clip.flac", "clip.wav", "clip.mp3", "clip.ts", "clip.m4a", "clip.w64", "clip.au"):
        whole = written[name].read_bytes() * 2
        for _ in range(8):
            data = bytearray(whole[:int(rng.uniform(0.2, 1) * len(whole))])
            for place in rng.integers(0, len(data), 20):
                data[place] = rng.integers(256)
            (tmp_path / name).write_bytes(data)
            for options in (ReadingOptions(quiet=True), ReadingOptions(damaged="skip", quiet=True)):
                try:
                    read(tmp_path / name, 16000, options)
                except EarsightError as error:
                    assert str(error).startswith(str(tmp_path / name)) and "\n" not in str(error)
