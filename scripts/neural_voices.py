"""Voices nearer to people's than espeak-ng's and flite's: Kokoro-82M, its voices mixed, with foreign accents; Piper.

Kokoro needs `pip install kokoro-onnx` and a folder that holds two files of that project's model release (Apache 2.0):
kokoro-v1.0.int8.onnx and voices-v1.0.bin. Piper needs `pip install piper-tts` and a voice: NAME.onnx, and beside it
NAME.onnx.json.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from earsight.common.errors import EarsightError

MODEL, VOICES = "kokoro-v1.0.int8.onnx", "voices-v1.0.bin"
RATE = 24000  # Hz
DEV_VOICES = ("af_sky", "am_puck", "bf_lily", "bm_lewis", "if_sara")  # never trained on
FOREIGN_SHARE = 0.5  # of the speakers
HABIT_SHARE = 0.25  # of the habits below that a foreign speaker has
# What speakers of other languages make of English sounds: a pattern in espeak-ng's IPA, and what they say.
HABITS = (
    ("θ", "s"), ("θ", "t"), ("ð", "z"), ("ð", "d"), ("ɹ", "ʁ"), ("ɹ", "ɾ"), ("ɹ", "r"), ("w", "v"), ("w", "ʋ"),
    (r"v\b", "f"), (r"z\b", "s"), (r"d\b", "t"), (r"ɡ\b", "k"), ("h", ""), ("z", "s"), (r"\bˈ?s", "z"),
    (r"ɪ(?!ɹ)", "i"), ("ʌ", "a"), ("ɒ|ɔː", "o"), ("æ", "ɛ"), ("æ", "a"), ("oʊ|əʊ", "o"), ("eɪ", "e"), ("ə", "ɛ"),
    ("uː", "y"), ("ː", ""), ("t", "ʈ"), ("t(?!ʃ)", "tʰ"), ("tʃ", "ʃ"), ("dʒ", "ʒ"), ("j", "ʝ"), ("l", "ɫ"),
)  # fmt: skip
LETTER_A = "ˈeɪ"  # `a` is the letter's name in these corpora, not the article
SPELT_A = "eh"  # what espeak-ng, which both read with, says as that name within a sentence


@dataclass(frozen=True)
class NeuralVoice:
    """A speaker: shares of Kokoro's voices, apart for sound and for melody, a country, and habits."""

    timbre: tuple[tuple[str, float], ...]  # (voice, share), shares sum to 1
    prosody: tuple[tuple[str, float], ...]
    language: str  # espeak-ng's: en-us or en-gb
    habits: tuple[tuple[str, str], ...] = ()

    @property
    def speaker(self) -> str:
        return "kokoro-" + "+".join(name for name, _ in self.timbre)


class NeuralVoices:
    """Kokoro's model and voices, read from `folder`; raises EarsightError where they or kokoro-onnx are missing."""

    def __init__(self, folder: str | Path):
        missing = [name for name in (MODEL, VOICES) if not (Path(folder) / name).is_file()]
        if missing:
            raise EarsightError(
                f"{folder}: {' and '.join(missing)} not found; they belong to kokoro-onnx's model release"
            )
        try:
            import onnxruntime
            from kokoro_onnx import Kokoro
        except ImportError as error:
            raise EarsightError(f"kokoro-onnx does not load ({error}): pip install kokoro-onnx") from error
        try:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1  # callers work in parallel
            session = onnxruntime.InferenceSession(str(Path(folder) / MODEL), options)
            self._kokoro = Kokoro.from_session(session, str(Path(folder) / VOICES))
            self._voices = {name: self._kokoro.get_voice_style(name) for name in sorted(self._kokoro.voices)}
        except Exception as error:  # ONNX Runtime and numpy raise types of their own
            raise EarsightError(f"{folder}: Kokoro does not load ({error}); fetch its files again") from error

    def draw(self, rng: np.random.Generator, dev: bool = False, english: float = 0.0) -> NeuralVoice:
        """A speaker for training, or one mixed of the voices that are kept for development.

        `english` is the share of speakers who are mixed of English and American voices alone.
        """
        names = [name for name in self._voices if (name in DEV_VOICES) == dev]
        if english and rng.random() < english:
            names = [name for name in names if name[0] in "ab"]
        timbre = _mixture(names, rng)
        prosody = _mixture(names, rng) if rng.random() < 0.4 else timbre
        foreign = rng.random() < FOREIGN_SHARE
        habits = tuple(habit for habit in HABITS if foreign and rng.random() < HABIT_SHARE)
        return NeuralVoice(timbre, prosody, "en-gb" if rng.random() < 0.3 else "en-us", habits)

    def phonemes(self, words: list[str], voice: NeuralVoice, running: bool = False) -> str:
        """The words in espeak-ng's IPA, as the speaker says them: one by one, or `running` as a sentence."""
        if running:
            text = self._kokoro.tokenizer.phonemize(" ".join(words), voice.language)
        else:
            text = " ".join(self._word(word, voice.language) for word in words)
        for pattern, replacement in voice.habits:
            text = re.sub(pattern, replacement, text)
        return text

    def speak(
        self, words: list[str], voice: NeuralVoice, speed: float = 1.0, joint: str = " ", end: str = "",
        running: bool = False
    ) -> np.ndarray:
        """The words as the voice says them: float32 (n,) at RATE, silence around it included.

        `speed` is within 0.5 and 2; `joint` stands between words (", " makes pauses), `end` after the last, as
        punctuation that settles the melody.
        """
        style = np.concatenate([self._style(voice.timbre)[..., :128], self._style(voice.prosody)[..., 128:]], axis=-1)
        phonemes = self.phonemes(words, voice, running).replace(" ", joint) + end
        samples, _ = self._kokoro.create(phonemes, style, speed=speed, is_phonemes=True, trim=False)
        return samples

    @cache
    def _word(self, word: str, language: str) -> str:
        return LETTER_A if word == "a" else self._kokoro.tokenizer.phonemize(word, language)

    def _style(self, shares: tuple[tuple[str, float], ...]) -> np.ndarray:
        """(510, 1, 256): a style by the number of phonemes; its first half is the sound, the second the melody."""
        return sum(np.float32(share) * self._voices[name] for name, share in shares)


class PiperVoice:
    """A voice of Piper's, read from `path`; raises EarsightError where it or piper-tts is missing."""

    def __init__(self, path: str | Path):
        try:
            import onnxruntime
            from piper import PiperConfig, PiperVoice, SynthesisConfig
        except ImportError as error:
            raise EarsightError(f"Piper does not load ({error}): pip install piper-tts") from error
        try:
            config = PiperConfig.from_dict(json.loads(Path(f"{path}.json").read_text("utf-8")))
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1  # as above; PiperVoice.load takes every core
            self._piper = PiperVoice(onnxruntime.InferenceSession(str(path), options), config)
        except Exception as error:  # ONNX Runtime raises types of its own
            raise EarsightError(f"{path}: no voice of Piper's ({error}); give its .onnx, .json beside it") from error
        self._settings = SynthesisConfig
        self.speaker, self.rate, self.speakers = f"piper-{Path(path).stem}", config.sample_rate, config.num_speakers

    def speak(self, text: str, rng: np.random.Generator, pace: float = 1.0) -> tuple[np.ndarray, str]:
        """The text in a random manner, float32 (n,) at `rate`, and the speaker; `pace` is against the usual."""
        number = int(rng.integers(self.speakers)) if self.speakers > 1 else None
        settings = self._settings(
            speaker_id=number,
            length_scale=1 / pace,
            noise_scale=rng.uniform(0.4, 0.9),
            noise_w_scale=rng.uniform(0.5, 1.0),
        )
        chunks = [chunk.audio_float_array for chunk in self._piper.synthesize(text, settings)]
        return np.concatenate(chunks), self.speaker if number is None else f"{self.speaker}-{number}"


def _mixture(names: list[str], rng: np.random.Generator) -> tuple[tuple[str, float], ...]:
    """One to three of the voices, and their shares."""
    chosen = rng.choice(len(names), size=rng.integers(1, 4), replace=False)
    return tuple((names[index], float(share)) for index, share in zip(chosen, rng.dirichlet(np.ones(len(chosen)))))
