"""Pseudo-labels: what a teacher is sure of becomes a training set."""

import sys
import types

import numpy as np
import pytest
import soundfile

from conftest import TONES, tone, write_wav
from earsight.audio.corpora.importers import CORPORA
from earsight.audio.corpora.pseudo import prepare_pseudo
from earsight.common.data.corpora.preparing import prepare
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError


@pytest.fixture
def recordings(tmp_path):
    for speaker, name in (("anna", "lo"), ("ben", "hi")):
        sound = np.concatenate([tone(TONES[name], 0.35), 1e-3 * tone(1, 0.1)])
        write_wav(tmp_path / f"rec/{speaker}/{name}-1.wav", sound)
    (tmp_path / "rec/anna/broken.wav").write_bytes(b"RIFF....")
    (tmp_path / "rec/.hidden").mkdir()
    write_wav(tmp_path / "rec/.hidden/x.wav", tone(200.0))
    return tmp_path / "rec"


def test_a_model_of_ones_own_teaches(recordings, tone_models, tmp_path):
    with pytest.raises(EarsightError, match="1 of 3 clips left out.*broken"):
        prepare(CORPORA, "pseudo", recordings, tmp_path / "out", teacher=str(tone_models["ctc"]), keep="0.01",
                speakers="folder")
    cuts = {cut.id: cut.supervisions[0] for cut in read_manifest(tmp_path / "out/train.jsonl.gz")}
    assert {name: (said.text, said.speaker) for name, said in cuts.items()} == {
        "anna/lo-1": ("lo", "anna"), "ben/hi-1": ("hi", "ben")}


def test_only_what_it_is_sure_of(recordings, tone_models, tmp_path):
    (recordings / "anna/broken.wav").unlink()
    with pytest.raises(EarsightError, match="sure of none of 2 files .2 stretches below keep=1.1."):
        prepare_pseudo(recordings, tmp_path / "out", teacher=str(tone_models["ctc"]), keep=1.1, progress=False)


class Whisper:
    """faster-whisper as this project calls it: two segments of any recording."""

    heard: list[int] = []

    def __init__(self, folder, **options):
        assert options["local_files_only"]

    def transcribe(self, samples, **options):
        self.heard.append(len(samples))
        segment = types.SimpleNamespace
        return iter([segment(start=0.5, end=2.0, text=" Hello, Mr. 21!", avg_logprob=-0.1, no_speech_prob=0.0,
                             compression_ratio=1.0),
                     segment(start=3.0, end=4.5, text=" la la la la", avg_logprob=-0.1, no_speech_prob=0.0,
                             compression_ratio=3.0)]), None


def test_whisper_teaches_and_long_recordings_are_cut(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", types.SimpleNamespace(WhisperModel=Whisper))
    (tmp_path / "whisper").mkdir()
    with pytest.raises(EarsightError, match="no Whisper in CTranslate2's form"):
        prepare_pseudo(tmp_path, tmp_path / "out", teacher=f"whisper:{tmp_path / 'whisper'}")
    (tmp_path / "whisper/model.bin").write_bytes(b"")
    write_wav(tmp_path / "rec/a-1.wav", tone(300.0, 31.0))
    paths = prepare(CORPORA, "pseudo", tmp_path / "rec", tmp_path / "out", teacher=f"whisper:{tmp_path / 'whisper'}",
                    speakers="-")
    (cut,) = read_manifest(paths["train"])
    said = cut.supervisions[0]
    assert (cut.start, cut.duration, said.text, said.speaker) == (0.5, 1.5, "hello mr twenty one", "a")
    assert len(cut.load_audio()[0]) == 1.5 * 16000
    write_wav(tmp_path / "rec/a-1.wav", tone(300.0, 5.0))  # one clip, as sure as its least sure stretch
    with pytest.raises(EarsightError, match="sure of none"):
        prepare_pseudo(tmp_path / "rec", tmp_path / "out", teacher=f"whisper:{tmp_path / 'whisper'}")


def test_without_faster_whisper_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    soundfile.write(tmp_path / "a.wav", tone(300.0), 16000)
    with pytest.raises(EarsightError, match="pip install faster-whisper"):
        prepare_pseudo(tmp_path, tmp_path / "out", teacher="whisper:anywhere")
