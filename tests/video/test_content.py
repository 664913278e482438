"""What a file is, is told from its content; from its name only where that does not tell."""

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from films import sliding, write_film
from sounds import encode

from conftest import tone, write_wav
from earsight.app.recognisers import default_classifier
from earsight.common.data.cuts import video_of
from earsight.common.data.manifest import read_manifest
from earsight.common.data.openers import both_media
from earsight.video.content import has_pictures

FILM = sliding(8, (64, 64))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("content")
    write_film(folder / "film.mkv", FILM)
    write_wav(folder / "sound.wav", tone(440))
    soundfile.write(folder / "sound.ogg", tone(440), 16000)
    soundfile.write(folder / "sound.flac", tone(440), 16000)
    encode(folder / "sound.mp4", tone(440), 16000, "aac")
    encode(folder / "sound.mka", tone(440), 16000, "aac", format="matroska")
    encode(folder / "both.mp4", tone(440), 16000, "aac", video="mpeg4")
    np.save(folder / "frames.npy", np.zeros((5, 13), np.float32))
    (folder / "text.txt").write_text("nothing of either")
    return folder


@pytest.mark.parametrize("name, as_what, pictures", [
    ("film.mkv", "film.mkv", True),
    ("film.mkv", "film.wav", True),
    ("film.mkv", "film", True),
    ("film.mkv", "film.npy.bak", True),
    ("both.mp4", "both", True),
    ("sound.wav", "sound.mp4", False),
    ("sound.ogg", "sound.ogv", False),
    ("sound.flac", "sound.mkv", False),
    ("sound.mp4", "sound.mp4", False),
    ("sound.mka", "sound.webm", False),
    ("frames.npy", "frames.mp4", False),
    ("text.txt", "text.mp4", True),  # it tells nothing: the reader of videos says what is wrong
    ("text.txt", "text.wav", False),
])  # fmt: skip
def test_content_tells(files, tmp_path, name, as_what, pictures):
    (tmp_path / as_what).write_bytes((files / name).read_bytes())
    assert has_pictures(tmp_path / as_what) == pictures
    assert default_classifier(tmp_path / as_what) == ("actions-10" if pictures else "digits")


def test_a_cover_is_no_film(tmp_path):
    import av

    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000, layout="mono")
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(FILM[0], format="rgb24")))
        container.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(tone(440)[None], format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    assert not has_pictures(path)


def test_what_is_not_there_or_no_file_is_what_its_name_says(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")  # is not waited for
    assert has_pictures(tmp_path / "pipe.mp4") and has_pictures(tmp_path / "gone.mp4")
    assert not has_pictures(tmp_path / "gone.wav") and not has_pictures(tmp_path)


def test_clips_with_a_label_are_taken_for_what_they_hold(files, tmp_path):
    from earsight.audio.corpora import importers as speech
    from earsight.video.corpora import importers as pictures

    for name, as_what in (("film.mkv", "film.wav"), ("sound.wav", "sound.mp4"), ("both.mp4", "both.mp4")):
        (tmp_path / as_what).write_bytes((files / name).read_bytes())
    (tmp_path / "t.csv").write_text("path,label,text\nfilm.wav,run,\nsound.mp4,yes,\nboth.mp4,run,\n")
    cuts = read_manifest(tmp_path / "t.csv", both_media(speech.OPENERS, pictures.OPENERS))
    assert [video_of(cut) is not None for cut in cuts] == [True, False, True]
    (tmp_path / "t.csv").write_text("path,text\nboth.mp4,one\n")
    (cut,) = read_manifest(tmp_path / "t.csv", both_media(speech.OPENERS, pictures.OPENERS))
    assert cut.has_recording


def test_sound_loads_neither_opencv_nor_libav(files):
    program = ("import sys; from earsight.app.recognisers import default_classifier\n"
               f"assert default_classifier({str(files / 'sound.wav')!r}) == 'digits'\n"
               "print(sorted({'av', 'cv2', 'torch', 'lhotse'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
