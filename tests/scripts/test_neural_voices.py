"""Kokoro's voices mixed: who speaks and how. Kokoro itself is not needed; a stand-in shows what it is given."""

import re
import sys
from types import SimpleNamespace

import neural_voices
import numpy as np
import pytest
from neural_voices import DEV_VOICES, HABITS, NeuralVoice, NeuralVoices
from synthesise import draw_clip, main, synthesise

from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError

NAMES = ["am_adam", "bf_emma", "ef_dora", *DEV_VOICES]
IPA = {"three": "θɹˈiː", "five": "fˈaɪv", "w": "dˈʌbəljˌuː", "one": "wˈʌn"}


class Kokoro:
    """Says each phoneme as 20 ms of a tone, and keeps what it was asked."""

    def __init__(self):
        self.voices = {name: np.full((510, 1, 256), index, np.float32) for index, name in enumerate(NAMES)}
        self.tokenizer = SimpleNamespace(phonemize=lambda word, language: IPA.get(word, f"ˈ{word}"))
        self.asked = []

    @classmethod
    def from_session(cls, session, voices):
        return cls()

    def get_voice_style(self, name):
        return self.voices[name]

    def create(self, phonemes, style, speed, is_phonemes, trim):
        assert is_phonemes and not trim
        self.asked.append((phonemes, style, speed))
        size = round(neural_voices.RATE * (0.2 + 0.02 * len(phonemes)) / speed)
        return np.sin(np.arange(size) / 20).astype(np.float32), neural_voices.RATE


@pytest.fixture
def voices(tmp_path, monkeypatch):
    for name in (neural_voices.MODEL, neural_voices.VOICES):
        (tmp_path / name).touch()
    monkeypatch.setitem(sys.modules, "kokoro_onnx", SimpleNamespace(Kokoro=Kokoro))
    monkeypatch.setattr("onnxruntime.InferenceSession", lambda path, options: None)
    return NeuralVoices(tmp_path)


def test_speakers_are_mixtures_and_those_for_development_are_others(voices):
    train, dev = ([voices.draw(np.random.default_rng(seed), dev) for seed in range(300)] for dev in (False, True))
    for drawn, allowed in ((train, set(NAMES) - set(DEV_VOICES)), (dev, set(DEV_VOICES))):
        assert {name for voice in drawn for name, _ in voice.timbre + voice.prosody} == allowed
        assert all(sum(share for _, share in voice.timbre) == pytest.approx(1) for voice in drawn)
    assert 0.4 < np.mean([bool(voice.habits) for voice in train]) < 0.6
    assert {habit for voice in train for habit in voice.habits} == set(HABITS)
    assert voices.draw(np.random.default_rng(3)) == train[3]


def test_a_voice_is_its_shares_of_sound_and_of_melody(voices):
    voice = NeuralVoice((("am_adam", 0.25), ("bf_emma", 0.75)), (("ef_dora", 1.0),), "en-us")
    samples = voices.speak(["one", "five"], voice, speed=2.0, joint=", ", end="?")
    phonemes, style, speed = voices._kokoro.asked[-1]
    assert (phonemes, speed) == ("wˈʌn, fˈaɪv?", 2.0)
    assert style.shape == (510, 1, 256)
    assert (style[..., :128] == 0.75).all() and (style[..., 128:] == 2).all()
    assert samples.dtype == np.float32


def test_habits_change_every_sound_they_are_about(voices):
    said = {
        (): "θɹˈiː fˈaɪv dˈʌbəljˌuː wˈʌn",
        (("θ", "s"), ("ɹ", "ʁ")): "sʁˈiː fˈaɪv dˈʌbəljˌuː wˈʌn",
        ((r"v\b", "f"), ("w", "v")): "θɹˈiː fˈaɪf dˈʌbəljˌuː vˈʌn",
    }
    for habits, expected in said.items():
        voice = NeuralVoice((("am_adam", 1.0),), (("am_adam", 1.0),), "en-us", habits)
        assert voices.phonemes(["three", "five", "w", "one"], voice) == expected


def test_a_is_the_letters_name(voices):
    voice = voices.draw(np.random.default_rng(0))
    assert voices.phonemes(["a"], NeuralVoice(voice.timbre, voice.prosody, "en-us")) == "ˈeɪ"


def test_habits_are_patterns_that_match_ipa():
    sounds = "θɹˈiː ðˈɪs hˈaʊs wˈaɪz ɡˈʊd bˈæɡ ˈeɪt ɔːlsoʊ tʃˈɪn dʒˈʌdʒ jˈɛs sˈɪks tˈuː əbˈaʊt ləʊ hˈɪv"
    assert not [pattern for pattern, _ in HABITS if not re.search(pattern, sounds)]


def test_digits_and_sentences_by_neural_voices(voices, tmp_path):
    paths = synthesise(tmp_path / "digits", clips=4, dev_clips=1, digits=True, neural=voices, progress=False)
    cuts = list(read_manifest(paths["train"])) + list(read_manifest(paths["dev"]))
    assert [cut.id for cut in cuts][::4] == ["neural-train-00000", "neural-dev-00000"]
    for cut in cuts:
        supervision = cut.supervisions[0]
        assert supervision.speaker.startswith("kokoro-") and supervision.text == supervision.custom["label"]
        assert cut.sampling_rate == 16000 and np.abs(cut.load_audio()).max() > 0.01
    spoken = [draw_clip(np.random.default_rng(seed), neural=voices) for seed in range(12)]
    again = [draw_clip(np.random.default_rng(seed), neural=voices) for seed in range(12)]
    assert all(np.array_equal(a.samples, b.samples) and a.text == b.text for a, b in zip(spoken, again))
    assert len({clip.speaker for clip in spoken}) > 3


def test_what_is_missing_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / neural_voices.MODEL).touch()
    assert main(["train", str(tmp_path / "out"), "--kokoro", str(tmp_path)]) == 1
    assert f"{tmp_path}: {neural_voices.VOICES} not found" in capsys.readouterr().err
    (tmp_path / neural_voices.VOICES).touch()
    monkeypatch.setitem(sys.modules, "kokoro_onnx", None)
    with pytest.raises(EarsightError, match="pip install kokoro-onnx"):
        NeuralVoices(tmp_path)
    assert not (tmp_path / "out").exists()
