"""Sentences read aloud by synthesised voices: what a model of general English trains on, beside people's speech.

    python scripts/speak_sentences.py SENTENCES.txt DEST (--kokoro FOLDER | --piper FILE.onnx | --flite | --espeak)
                                      [--hours 1] [--skip 0] [--seed 1]

SENTENCES.txt has a sentence a line, in lower case, such as scripts/choose_sentences.py writes. DEST/KIND/*.flac
(16 kHz, mono) are the clips, and DEST/KIND.csv their `path,text,speaker`, a row as soon as its clip is there: what is
made can be used while more is being made, and the same command goes on where it was ended. Sentences are taken from
the `--skip`th on, round and round until `--hours` are spoken, so that kinds of voices side by side say different ones.
Seed and number settle all of a clip. Kokoro's and Piper's needs are told in scripts/neural_voices.py.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import neural_voices
import numpy as np
import soundfile
import soxr
import synthesise
from neural_voices import SPELT_A, NeuralVoices, PiperVoice
from synthesise import RATE, Manner, trim
from tqdm import tqdm

from earsight.common.errors import EarsightError
from earsight.common.files import whole_file
from earsight.common.texts import read_text

ENGLISH = 0.75  # of Kokoro's speakers: mixed of its English and American voices
QUESTIONS = frozenset(
    "who whose what which when where why how is are am was were do does did can could will would shall should may "
    "have has had isn't aren't don't doesn't didn't can't won't".split()
)
LETTER_A = "A"  # marks the name of the letter; "a" is the article
Speaking = Callable[[str, np.random.Generator], tuple[np.ndarray, str]]  # a sentence to samples at RATE, speaker


def marked(sentence: str) -> str:
    """The sentence with LETTER_A where letters are spelt: "j a m" and "two p a", but not "have i a"."""
    words = []
    for single, run in groupby(sentence.split(), key=lambda word: len(word) == 1):
        run = list(run)
        spelt = single and len(run) > 1 and not {"a", "i"}.issuperset(run)
        words += [LETTER_A if spelt and word == "a" else word for word in run]
    return " ".join(words)


def ending(sentence: str, rng: np.random.Generator) -> str:
    """The mark that settles the melody."""
    if sentence.split()[0] in QUESTIONS and rng.random() < 0.8:
        return "?"
    return str(rng.choice([".", ".", ".", ".", "", "!", ","]))


def draw_manner(rng: np.random.Generator) -> Manner:
    """How somebody reads: steadier than how somebody spells."""
    return Manner(
        rate=rng.uniform(0.65, 1.25),
        pitch=rng.uniform(0.8, 1.25),
        gap=int(rng.integers(1, 8)) if rng.random() < 0.15 else 0,
        tract=rng.uniform(0.87, 1.15) if rng.random() < 0.6 else 1.0,
    )


def by_engine(engine: str) -> Speaking:
    """espeak-ng's and flite's voices."""
    synthesise.check_engines()

    def speak(sentence: str, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        while (voice := synthesise.draw_voice(rng, dev=False)).engine != engine:
            pass
        words = marked(sentence) + ending(sentence, rng)
        return synthesise.speak(words, voice, draw_manner(rng), letter_a=LETTER_A), voice.speaker

    return speak


def by_kokoro(folder: Path) -> Speaking:
    voices = NeuralVoices(folder)

    def speak(sentence: str, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        voice, manner = voices.draw(rng, english=ENGLISH), draw_manner(rng)
        speed = float(np.clip(synthesise.NEURAL_PACE * manner.rate / manner.tract, 0.5, 2.0))
        words = [SPELT_A if word == LETTER_A else word for word in marked(sentence).split()]
        samples = voices.speak(words, voice, speed, end=ending(sentence, rng), running=True)
        return trim(_other_throat(samples, neural_voices.RATE, manner)), voice.speaker

    return speak


def by_piper(path: Path) -> Speaking:
    voice = PiperVoice(path)

    def speak(sentence: str, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        manner = draw_manner(rng)
        words = [SPELT_A if word == LETTER_A else word for word in marked(sentence).split()]
        samples, speaker = voice.speak(" ".join(words) + ending(sentence, rng), rng, manner.rate / manner.tract)
        return trim(_other_throat(samples, voice.rate, manner)), speaker

    return speak


def _other_throat(samples: np.ndarray, rate: int, manner: Manner) -> np.ndarray:
    return soxr.resample(samples, rate * manner.tract, RATE).astype(np.float32)


def speak_all(
    sentences: list[str], destination: Path, kind: str, speak: Speaking, *, hours: float = 1.0, skip: int = 0,
    seed: int = 1, progress: bool = True
) -> Path:
    """Speak sentences until there are `hours` of them, those of an earlier run included; the table's path."""
    if not sentences:
        raise EarsightError("no sentences to speak; give a file with one a line")
    table = destination / f"{kind}.csv"
    done, seconds = _begun(table)
    shown = None if progress else True
    bar = tqdm(total=round(hours * 3600), initial=round(seconds), unit="s", desc=kind, disable=shown)
    with table.open("a", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        if not file.tell():
            rows.writerow(["path", "text", "speaker"])
        number = done
        while seconds < hours * 3600:
            sentence = sentences[(skip + number) % len(sentences)]
            rng = np.random.default_rng((seed, sum(kind.encode()), number))
            spoken, speaker = speak(sentence, rng)
            silence = [np.zeros(round(rng.uniform(0.05, 0.4) * RATE), np.float32) for _ in range(2)]
            samples = synthesise.at_level(np.concatenate([silence[0], spoken, silence[1]]), rng.uniform(-20, -1))
            path = (destination / kind / f"{kind}-{number:06d}.flac").resolve()
            with whole_file(path) as temporary:
                soundfile.write(temporary, samples, RATE, format="FLAC", subtype="PCM_16")
            rows.writerow([path, sentence, speaker])
            file.flush()
            number += 1
            seconds += len(samples) / RATE
            bar.update(round(seconds) - bar.n)
    bar.close()
    return table


def _begun(table: Path) -> tuple[int, float]:
    """How many clips an earlier run wrote, and their seconds; a row that it was ended in is taken off."""
    table.parent.mkdir(parents=True, exist_ok=True)
    if not table.exists():
        return 0, 0.0
    content = table.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        table.write_bytes(whole)
    rows = list(csv.DictReader(whole.decode("utf-8").splitlines()))
    return len(rows), sum(soundfile.info(row["path"]).duration for row in rows)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Sentences read aloud by synthesised voices.")
    parser.add_argument("sentences", type=Path, metavar="SENTENCES")
    parser.add_argument("destination", type=Path, metavar="DEST")
    voices = parser.add_mutually_exclusive_group(required=True)
    voices.add_argument("--kokoro", type=Path, metavar="FOLDER", help="where Kokoro's files are")
    voices.add_argument("--piper", type=Path, metavar="FILE", help="a voice of Piper's, its .onnx")
    voices.add_argument("--flite", action="store_true")
    voices.add_argument("--espeak", action="store_true")
    parser.add_argument("--hours", type=float, default=1.0, help="of speech (default: 1)")
    parser.add_argument("--skip", type=int, default=0, help="sentences to start after (default: 0)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    try:
        sentences = read_text(given.sentences, "the sentences").split("\n")
        sentences = [sentence.strip() for sentence in sentences if sentence.strip()]
        if given.kokoro:
            kind, speak = "kokoro", by_kokoro(given.kokoro)
        elif given.piper:
            kind, speak = "piper", by_piper(given.piper)
        else:
            kind = "flite" if given.flite else "espeak"
            speak = by_engine("flite" if given.flite else "espeak-ng")
        print(speak_all(sentences, given.destination, kind, speak, hours=given.hours, skip=given.skip, seed=given.seed))
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
