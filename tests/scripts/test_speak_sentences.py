"""Reading sentences aloud: what is said, how it goes on, and what each engine is given. No engine is needed."""

import csv
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import speak_sentences
from neural_voices import PiperVoice
from speak_sentences import ending, main, marked, speak_all

from earsight.common.errors import EarsightError

SENTENCES = ["have i a chance", "it is spelled j a m", "where is it"]


def tone(sentence, rng):
    return np.sin(np.arange(1600 * len(sentence.split())) / rng.uniform(5, 20)).astype(np.float32), "someone"


def rows(table):
    return list(csv.DictReader(table.read_text().splitlines()))


def test_a_is_a_letter_only_where_one_spells():
    assert [marked(sentence) for sentence in SENTENCES] == ["have i a chance", "it is spelled j A m", "where is it"]
    assert marked("ten a m") == "ten A m" and marked("a a r o n") == "A A r o n" and marked("a") == "a"


def test_questions_sound_like_some():
    rng = np.random.default_rng(0)
    ends = [[ending(sentence, rng) for _ in range(200)].count("?") for sentence in SENTENCES]
    assert ends[1] == 0 and ends[0] > 120 and ends[2] > 120


def test_sentences_are_spoken_round_and_round_and_begun_work_goes_on(tmp_path):
    speak_all(SENTENCES, tmp_path / "a", "tone", tone, hours=4 / 3600, skip=1, progress=False)
    whole = rows(tmp_path / "a" / "tone.csv")
    assert [row["text"] for row in whole[:4]] == [*SENTENCES[1:], *SENTENCES[:2]]
    sound = soundfile.info(whole[0]["path"])
    assert (sound.samplerate, sound.channels) == (16000, 1) and 0.6 < sound.duration < 1.4
    table = speak_all(SENTENCES, tmp_path / "b", "tone", tone, hours=2 / 3600, skip=1, progress=False)
    with table.open("a") as file:
        file.write("/somewhere/half")  # ended while it wrote
    speak_all(SENTENCES, tmp_path / "b", "tone", tone, hours=4 / 3600, skip=1, progress=False)
    assert [row["text"] for row in rows(table)] == [row["text"] for row in whole]
    for one, other in zip(whole, rows(table)):
        assert np.array_equal(soundfile.read(one["path"])[0], soundfile.read(other["path"])[0])
    assert speak_all(SENTENCES, tmp_path / "b", "tone", tone, hours=1 / 3600, progress=False) == table


class Piper:
    def __init__(self, session, config):
        self.config = config

    def synthesize(self, text, settings):
        self.asked = text, settings
        yield SimpleNamespace(audio_float_array=np.ones(2205, np.float32))
        yield SimpleNamespace(audio_float_array=np.ones(2205, np.float32))


@pytest.fixture
def piper(tmp_path, monkeypatch):
    config = SimpleNamespace(from_dict=lambda read: SimpleNamespace(sample_rate=22050, num_speakers=read["speakers"]))
    module = SimpleNamespace(PiperVoice=Piper, PiperConfig=config, SynthesisConfig=lambda **given: given)
    monkeypatch.setitem(sys.modules, "piper", module)
    monkeypatch.setattr("onnxruntime.InferenceSession", lambda path, options: None)

    def voice(speakers):
        (tmp_path / "joe.onnx.json").write_text(json.dumps({"speakers": speakers}))
        return tmp_path / "joe.onnx"

    return voice


def test_piper_speaks_in_a_manner_that_varies(piper):
    voice = PiperVoice(piper(1))
    samples, speaker = voice.speak("hello", np.random.default_rng(0), pace=2.0)
    said, settings = voice._piper.asked
    assert (len(samples), speaker, said, voice.rate) == (4410, "piper-joe", "hello", 22050)
    assert settings["length_scale"] == 0.5 and settings["speaker_id"] is None
    assert 0.4 <= settings["noise_scale"] <= 0.9
    speakers = {PiperVoice(piper(3)).speak("x", np.random.default_rng(seed))[1] for seed in range(20)}
    assert speakers == {"piper-joe-0", "piper-joe-1", "piper-joe-2"}


def test_piper_reads_the_sentences(piper, tmp_path):
    (tmp_path / "sentences.txt").write_text("\n".join(SENTENCES) + "\n\n")
    command = [str(tmp_path / "sentences.txt"), str(tmp_path / "out"), "--piper", str(piper(1)), "--hours", "0.0004"]
    assert main(command) == 0
    made = rows(tmp_path / "out" / "piper.csv")
    assert made[1]["text"] == "it is spelled j a m" and made[1]["speaker"] == "piper-joe"


def test_what_is_missing_is_named(piper, tmp_path, monkeypatch, capsys):
    with pytest.raises(EarsightError, match="no voice of Piper's"):
        PiperVoice(tmp_path / "none.onnx")
    monkeypatch.setitem(sys.modules, "piper", None)
    with pytest.raises(EarsightError, match="pip install piper-tts"):
        PiperVoice(piper(1))
    with pytest.raises(EarsightError, match="no sentences"):
        speak_all([], tmp_path, "tone", tone)
    assert main([str(tmp_path / "nowhere.txt"), str(tmp_path), "--flite"]) == 1
    assert "nowhere.txt" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["flite", "espeak-ng"])
def test_engines_of_their_own(engine, monkeypatch):
    asked = []

    def say(*given, **more):
        asked.append((given, more))
        return tone("a b", np.random.default_rng(0))[0]

    monkeypatch.setattr("synthesise.check_engines", lambda: None)
    monkeypatch.setattr("synthesise.speak", say)
    speak = speak_sentences.by_engine(engine)
    speakers = {speak("ten a m", np.random.default_rng(seed))[1] for seed in range(20)}
    assert len(speakers) > 2 and all(speaker.startswith(engine) for speaker in speakers)
    assert all(given[0].startswith("ten A m") and more == {"letter_a": "A"} for given, more in asked)
