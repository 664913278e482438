"""Speech that the project makes itself: part of `en-small`'s training data, and the demo's example clips.

    python scripts/synthesise.py train DEST [--clips 2500] [--dev-clips 200] [--seed 1] [--digits] [--kokoro FOLDER]
    python scripts/synthesise.py examples [DEST]

`train` writes DEST/audio/*.flac (16 kHz, mono, 16 bit), DEST/train.jsonl.gz and DEST/dev.jsonl.gz: sentences
over the words of AN4 and GRID, spoken by espeak-ng and flite, some of them in a room, in noise or over a
telephone band, and some clips without speech, whose text is empty. Seed and number settle all of a clip. With
`--kokoro` other voices speak, those of scripts/neural_voices.py, which are nearer to people's.
`examples` renders scripts/examples/ and its transcripts.csv; their sentences are never trained on.
Both engines are Debian packages: apt install espeak-ng flite.
"""

from __future__ import annotations

import argparse
import csv
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import neural_voices
import numpy as np
import soundfile
import soxr
from lhotse.cut import Cut
from neural_voices import NeuralVoices
from tqdm import tqdm

from earsight.audio.augmentation import coloured_noise
from earsight.common.batch_run import default_jobs, run_parallel
from earsight.common.data.cuts import recording_cut
from earsight.common.data.manifest import write_manifest
from earsight.common.errors import EarsightError
from earsight.common.files import whole_file, write_whole

RATE = 16000  # Hz
SILENT_SHARE = 0.06  # of the clips: no speech, empty text
LOUDEST = 0.95  # of full scale, so that nothing clips
EXAMPLES = Path(__file__).resolve().parent / "examples"


def _words(text: str) -> list[str]:
    return text.split()


# Sentences

DIGITS = _words("zero one two three four five six seven eight nine")
TEENS = _words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
LETTERS = list("abcdefghijklmnopqrstuvwxyz")
MONTHS = _words("january february march april may june july august september october november december")
# The ordinals that AN4 has words for; it lacks tenth, thirteenth and some others.
DAYS = _words(
    "first second third fourth fifth sixth seventh eighth ninth eleventh twelfth fifteenth sixteenth "
    "eighteenth twentieth thirtieth"
)
COMMANDS = _words("go start stop help yes no repeat erase rubout enter")
OTHER = _words("apostrophe area code half of and hundred thousand oh")
GRID = (
    _words("bin lay place set"),
    _words("blue green red white"),
    _words("at by in with"),
    LETTERS,
    DIGITS,
    _words("again now please soon"),
)
# What people spell: names, towns, streets.
SPELLED = _words("""
    aaron abigail adams alan albany albert alexandra alice allegheny amanda amsterdam amy anderson
    andrew angela anthony arthur ashley atlanta austin avenue baker baltimore barbara bell benjamin
    berkeley berlin betty boston boulevard bradley brandon brenda brian bridge brooklyn brown bruce
    buffalo cambridge campbell carl carnegie carol carter catherine charlotte chestnut chicago christine
    church clark cleveland collins columbus cooper court craig cynthia dallas daniel david davis deborah
    denver detroit diana donald dorothy douglas drive dublin edward edwards elizabeth elm emily eric
    erie eugene evans evelyn fairfax felix fifth florence forbes frances frank frederick garcia gary
    george gerald gloria gonzalez grace grant green greg hannah harold harris harvey heather helen henry
    hill houston howard hudson hughes irene jack jackson jacob jacqueline james janet jason jeffrey
    jennifer jessica joan joe johnson jonathan jones joseph joyce juan judith julia justin karen
    katherine kathleen keith kelly kenneth kevin king kyle larry laura lawrence lee leonard lewis
    liberty lincoln linda lisa london louis louise madison main maple marcus margaret maria marie mark
    martha martin mary max melissa memphis michael michelle miller mitchell monica monroe moore morgan
    morris murphy murray nancy nathan nelson newark nina noah norman northumberland oak oakland olivia
    omaha orlando oscar oxford pamela paris parker patricia patrick paul penn peter peterson
    philadelphia philip phillips phoenix pine portland quentin quincy rachel ralph raymond rebecca reed
    richard richmond river roberts robinson rochester rodriguez roger ronald rose roy russell ruth
    sacramento salem samuel sandra sarah scott seattle sharon shirley simon smith sophia squirrel
    stanley stephen steven stewart street susan sylvia syracuse taylor teresa texas thomas thompson tim
    toledo tracy tucson turner tyler ulysses union valerie vaughn victor victoria vincent virginia
    walker walnut walter washington watson wayne webster wendy wesley weston white wilbur william wilson
    winston wood wright wyoming xavier yolanda york young yvonne zachary zoe zurich
""")


def vocabulary() -> list[str]:
    """Every word that a sentence can hold, sorted."""
    return sorted(
        {*DIGITS, *TEENS, *TENS, *MONTHS, *DAYS, *COMMANDS, *OTHER, *(w for slot in GRID for w in slot)}
    )


def draw_sentence(rng: np.random.Generator) -> str:
    """A random sentence of one of the kinds below, in lower case; never one of the examples."""
    makers = list(KINDS)
    shares = np.array(list(KINDS.values()), float)
    while True:
        sentence = makers[rng.choice(len(makers), p=shares / shares.sum())](rng)
        if sentence not in EXAMPLE_TEXTS:
            return sentence


def _pick(rng: np.random.Generator, words: list[str]) -> str:
    return words[rng.integers(len(words))]


def _grid(rng: np.random.Generator) -> str:
    return " ".join(_pick(rng, slot) for slot in GRID)


def _spelling(rng: np.random.Generator) -> str:
    return " ".join(_pick(rng, SPELLED)[:12])


def _letters(rng: np.random.Generator, longest: int = 6) -> str:
    return " ".join(_pick(rng, LETTERS) for _ in range(rng.integers(1, longest + 1)))


def _digits(rng: np.random.Generator) -> str:
    """One to ten digits; nought is read as "oh" or as "zero" throughout, as people do."""
    nought = _pick(rng, ["oh", "zero"])
    count = int(rng.choice([1, 2, 3, 4, 5, 7, 10]))
    return " ".join(_pick(rng, [nought, *DIGITS[1:]]) for _ in range(count))


def _below_hundred(rng: np.random.Generator) -> str:
    shape = rng.integers(4)
    if shape == 0:
        return _pick(rng, [*DIGITS, *TEENS])
    if shape == 1:
        return _pick(rng, [*TEENS, *TENS])
    return f"{_pick(rng, TENS)} {_pick(rng, DIGITS[1:])}"


def _number(rng: np.random.Generator) -> str:
    shape = rng.integers(6)
    if shape < 3:
        return _below_hundred(rng)
    if shape == 3:  # 760: seven sixty
        return f"{_pick(rng, DIGITS[1:])} {_pick(rng, [*TEENS, *TENS])}"
    joint = " and " if rng.random() < 0.4 else " "
    hundreds = f"{_pick(rng, DIGITS[1:])} hundred{joint}{_below_hundred(rng)}"
    if shape == 4:
        return hundreds
    return f"{_below_hundred(rng)} thousand" + (f"{joint}{hundreds}" if rng.random() < 0.7 else "")


def _date(rng: np.random.Generator) -> str:
    month, day = _pick(rng, MONTHS), _pick(rng, DAYS)
    if rng.random() < 0.25:
        day = f"{_pick(rng, ['twenty', 'thirty'])} {_pick(rng, DAYS[:9])}"
    century = _pick(rng, ["nineteen", "nineteen", "twenty", "eighteen"])
    year = f" {century} {_pick(rng, [_below_hundred(rng), 'oh ' + _pick(rng, DIGITS[1:]), 'hundred'])}"
    shape = rng.integers(4)
    if shape == 0:
        return f"{day} of {month}" + (year if rng.random() < 0.5 else "")
    return f"{month} {day}" + (year if shape > 1 else "")


def _command(rng: np.random.Generator) -> str:
    shape = rng.integers(8)
    if shape < 3:
        return f"enter {_number(rng)}"
    if shape == 3:
        return _pick(rng, COMMANDS)
    if shape == 4:
        return "area code " + " ".join(_pick(rng, DIGITS) for _ in range(3))
    if shape == 5:
        return f"{_pick(rng, ['go', 'start', 'stop', 'help', 'repeat'])} {_pick(rng, [*DIGITS, *LETTERS])}"
    return f"{_pick(rng, ['rubout', 'erase'])} {_letters(rng)} {_number(rng)}"


def _letters_and_number(rng: np.random.Generator) -> str:
    return f"{_letters(rng)} {_number(rng)}"


def _single_word(rng: np.random.Generator) -> str:
    return _pick(rng, vocabulary())


def _mix(rng: np.random.Generator) -> str:
    """Words in any order: the rare ones get their share, and no grammar is to be relied on."""
    return " ".join(_pick(rng, vocabulary()) for _ in range(rng.integers(2, 8)))


KINDS: dict[Callable[[np.random.Generator], str], float] = {
    _grid: 0.28,
    _spelling: 0.14,
    _letters: 0.06,
    _digits: 0.14,
    _number: 0.06,
    _date: 0.06,
    _command: 0.10,
    _letters_and_number: 0.04,
    _single_word: 0.05,
    _mix: 0.07,
}


# Voices


@dataclass(frozen=True)
class Voice:
    """One way for one engine to speak; a manifest's speaker."""

    engine: str  # espeak-ng or flite
    name: str  # en-gb+f2, slt

    @property
    def speaker(self) -> str:
        return f"{self.engine}-{self.name}"


@dataclass(frozen=True)
class Manner:
    """How a sentence is spoken. What the engine does not know is left to what it knows."""

    rate: float = 1.0  # of speech, against about 150 words a minute
    pitch: float = 1.0  # against the voice's usual
    gap: int = 0  # pause between words, 10 ms each (espeak-ng)
    halting: bool = False  # a comma after every word
    tract: float = 1.0  # resampling that moves pitch and formants alike: another throat, at the same rate


ACCENTS = _words("en-us en-us en-us-nyc en-gb en-gb-x-rp en-gb-scotland en-gb-x-gbclan en-gb-x-gbcwmd en-029")
# espeak-ng's voice variants, without its robots and whispers. Those for development are never trained on.
VARIANTS = _words(
    "m1 m2 m3 m5 m6 m7 f1 f2 f4 f5 Alex Alicia Andrea Andy Annie Denis Gene Hugo Jacky Lee Marco Mario "
    "Michael Mike anika antonio aunty belinda benjamin boris caleb david edward iven john linda michel "
    "miguel norbert pablo paul pedro quincy robert sandro shelby steph travis victor klatt klatt2 klatt4"
)
DEV_VARIANTS = _words("m4 f3 adam rob steph2 klatt3")
FLITE = {"slt": 175.0, "rms": 95.0, "awb": 130.0, "kal16": 105.0, "kal": 105.0}  # Hz, usual pitch
FLITE_SHARE = 0.4  # few voices, but they sound most like people
NEURAL_PACE = 1.2  # Kokoro's speed at which it says about 150 words a minute
NEURAL_ENDS = ["", "", "", ".", "!", "?", ","]


def draw_voice(rng: np.random.Generator, dev: bool) -> Voice:
    """A voice for training, or one of those kept for development."""
    if dev:
        return Voice("espeak-ng", f"{_pick(rng, ACCENTS)}+{_pick(rng, DEV_VARIANTS)}")
    if rng.random() < FLITE_SHARE:
        return Voice("flite", list(FLITE)[rng.choice(5, p=(0.3, 0.26, 0.26, 0.12, 0.06))])
    return Voice("espeak-ng", f"{_pick(rng, ACCENTS)}+{_pick(rng, VARIANTS)}")


def draw_manner(rng: np.random.Generator) -> Manner:
    return Manner(
        rate=rng.uniform(0.65, 1.3),
        pitch=rng.uniform(0.8, 1.25),
        gap=int(rng.integers(1, 16)) if rng.random() < 0.35 else 0,
        halting=rng.random() < 0.15,
        tract=rng.uniform(0.87, 1.15) if rng.random() < 0.7 else 1.0,
    )


def speak(sentence: str, voice: Voice, manner: Manner = Manner(), letter_a: str = "a") -> np.ndarray:
    """The sentence as the voice says it: float32 (n,) at RATE, peak 1, without silence around it.

    `letter_a` is the word that stands for the name of the letter.
    """
    check_engines()
    words = [respell("a", voice.engine) if word == letter_a else word for word in sentence.split()]
    text = (", " if manner.halting else " ").join(words)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        _run(_command_line(text, voice, manner, path))
        samples, rate = soundfile.read(path, dtype="float32")
    if not samples.size or not np.abs(samples).max() > 0:
        raise EarsightError(f"{voice.engine} says nothing for {sentence!r}; is it installed whole?")
    return trim(soxr.resample(samples, rate * manner.tract, RATE).astype(np.float32))


def respell(word: str, engine: str) -> str:
    """The word as the engine must read it: `a` is the letter's name in this corpus, not the article."""
    if word != "a":
        return word
    return "[[eI]]" if engine == "espeak-ng" else "ay"


def _command_line(text: str, voice: Voice, manner: Manner, path: Path) -> list[str]:
    # Resampling changes the rate by `tract` too; the engine makes up for it.
    rate = manner.rate / manner.tract
    if voice.engine == "espeak-ng":
        speed = f"-s{150 * rate:.0f}"  # words a minute
        pitch = f"-p{np.clip(50 + 60 * (manner.pitch - 1), 0, 99):.0f}"
        return ["espeak-ng", "-v", voice.name, speed, pitch, f"-g{manner.gap}", "-w", str(path), text]
    stretch = f"duration_stretch={1 / (0.8 * rate):.3f}"  # flite hurries, above all through spelling
    pitch = f"int_f0_target_mean={FLITE[voice.name] * manner.pitch:.1f}"
    said = ["--setf", stretch, "--setf", pitch, "-t", text]
    return ["flite", "-voice", voice.name, *said, "-o", str(path)]


@cache
def check_engines() -> None:
    """Raise EarsightError unless espeak-ng and flite, with its voices, are installed."""
    for engine in ("espeak-ng", "flite"):
        if shutil.which(engine) is None:
            raise EarsightError(
                f"{engine} is not installed, and it does the speaking: apt install espeak-ng flite"
            )
    found = _run(["flite", "-lv"]).split()
    missing = [voice for voice in FLITE if voice not in found]
    if missing:
        raise EarsightError(f"flite has no voice {', '.join(missing)}: apt install --reinstall flite")


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    except (subprocess.SubprocessError, OSError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise EarsightError(
            f"{command[0]} failed ({said[-1] if said else 'no message'}); does it run by hand?"
        ) from error


def trim(samples: np.ndarray, margin: float = 0.03, threshold: float = 0.004) -> np.ndarray:
    """Scale to peak 1 and cut what is below `threshold` off both ends, but for `margin` seconds."""
    samples = samples / np.abs(samples).max()
    heard = np.flatnonzero(np.abs(samples) > threshold)
    edge = round(margin * RATE)
    return samples[max(heard[0] - edge, 0) : heard[-1] + edge + 1]


# Places: what a room, a noise and a line do to sound. All take and give float32 (n,) at RATE.


def draw_place(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put trimmed speech somewhere: silence around it, perhaps a room, a noise, a telephone; any loudness."""
    silence = [np.zeros(round(rng.uniform(0.1, 0.6) * RATE), np.float32) for _ in range(2)]
    samples = np.concatenate([silence[0], samples, silence[1]])
    if rng.random() < 0.35:
        samples = in_room(samples, rng, decay=rng.uniform(0.1, 0.6), wetness=rng.uniform(0.05, 0.5))
    if rng.random() < 0.55:
        samples = in_noise(samples, rng, snr=rng.uniform(10, 30), slope=rng.uniform(-0.5, 2))
    if rng.random() < 0.25:
        samples = over_telephone(samples)
    return at_level(samples, rng.uniform(-28, -1))


def in_room(samples: np.ndarray, rng: np.random.Generator, decay: float, wetness: float) -> np.ndarray:
    """Add reverberation: noise that falls 60 dB in `decay` seconds, `wetness` of the speech's energy."""
    time = np.arange(round(decay * RATE)) / RATE
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / decay)
    tail[: round(rng.uniform(0.001, 0.01) * RATE)] = 0  # the first wall's distance
    tail *= np.sqrt(wetness / np.sum(tail**2))
    size = len(samples) + len(tail)
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)[: len(samples)]
    return (samples + wet).astype(np.float32)


def in_noise(samples: np.ndarray, rng: np.random.Generator, snr: float, slope: float) -> np.ndarray:
    """Add noise of power 1 / f ** slope, `snr` dB below the speech (its mean power where there is any)."""
    loud = samples[np.abs(samples) > 0.01 * np.abs(samples).max()]
    level = np.sqrt(np.mean(loud**2)) * 10 ** (-snr / 20)
    return samples + coloured_noise(len(samples), slope, rng) * np.float32(level)


def over_telephone(samples: np.ndarray) -> np.ndarray:
    """Keep what 8 kHz sampling keeps."""
    return soxr.resample(soxr.resample(samples, RATE, 8000), 8000, RATE)[: len(samples)]


def at_level(samples: np.ndarray, peak: float) -> np.ndarray:
    """Scale to a peak of `peak` dB below full scale, LOUDEST at most."""
    most = np.abs(samples).max()
    return samples * np.float32(min(10 ** (peak / 20), LOUDEST) / most) if most > 0 else samples


def draw_silence(rng: np.random.Generator) -> np.ndarray:
    """0.3 to 4 s in which nobody speaks: nothing at all, noises, hum, clicks, tones."""
    size = round(rng.uniform(0.3, 4.0) * RATE)
    time = np.arange(size) / RATE
    noise = coloured_noise(size, rng.uniform(-1, 2), rng)
    kind = rng.integers(8)
    if kind == 0:
        return np.zeros(size, np.float32)
    if kind == 1:  # a quiet room
        return at_level(noise, rng.uniform(-75, -50))
    if kind == 2:  # wind, breath: noise that swells
        swell = np.interp(time, np.linspace(0, time[-1], 8), rng.uniform(0, 1, 8) ** 2)
        sound = noise * swell
    elif kind == 3:  # mains
        mains = rng.choice([50, 60])
        sound = sum(np.sin(2 * np.pi * mains * k * time + k) / k ** rng.uniform(0.5, 2) for k in range(1, 8))
        sound = sound + 0.02 * noise
    elif kind == 4:  # clicks, knocks
        sound = 0.01 * noise
        for _ in range(rng.integers(1, 9)):
            at = rng.integers(size)
            knock = (
                rng.standard_normal(min(800, size - at))
                * np.exp(-np.arange(800) / rng.uniform(5, 150))[: size - at]
            )
            sound[at : at + len(knock)] += knock * rng.uniform(0.2, 1)
    elif kind == 5:  # a tone that comes and goes
        pulse = np.sin(2 * np.pi * rng.uniform(0.5, 4) * time) > 0
        sound = np.sin(2 * np.pi * rng.uniform(200, 3000) * time) * pulse + 0.02 * noise
    else:
        sound = noise
    return at_level(sound.astype(np.float32), rng.uniform(-45, -3))


# Clips


@dataclass(frozen=True)
class Clip:
    """A rendered clip: samples (n,) float32 at RATE, what is said, and who says it (None: nobody)."""

    samples: np.ndarray
    text: str
    speaker: str | None


def draw_digit(rng: np.random.Generator, dev: bool = False, neural: NeuralVoices | None = None) -> Clip:
    """One digit, at times through noise, and cut as closely as FSDD's clips: some end within a soft sound."""
    word = _pick(rng, DIGITS)
    spoken, speaker = draw_speech(word, rng, dev, neural)
    samples = trim(spoken, margin=rng.uniform(0, 0.03), threshold=10 ** (-rng.uniform(18, 48) / 20))
    if rng.random() < 0.5:
        samples = in_noise(samples, rng, snr=rng.uniform(15, 40), slope=rng.uniform(-0.5, 2))
    return Clip(at_level(samples, rng.uniform(-28, -1)), word, speaker)


def draw_clip(rng: np.random.Generator, dev: bool = False, neural: NeuralVoices | None = None) -> Clip:
    """A random clip: mostly speech, SILENT_SHARE of the time none."""
    if rng.random() < SILENT_SHARE:
        return Clip(draw_silence(rng), "", None)
    sentence = draw_sentence(rng)
    spoken, speaker = draw_speech(sentence, rng, dev, neural)
    return Clip(draw_place(spoken, rng), sentence, speaker)


def draw_speech(
    sentence: str, rng: np.random.Generator, dev: bool, neural: NeuralVoices | None
) -> tuple[np.ndarray, str]:
    """The sentence in a random voice and manner, trimmed, at RATE; and the speaker's name."""
    if neural is None:
        voice, manner = draw_voice(rng, dev), draw_manner(rng)
        return speak(sentence, voice, manner), voice.speaker
    voice, manner = neural.draw(rng, dev), draw_manner(rng)
    speed = np.clip(NEURAL_PACE * manner.rate / manner.tract, 0.5, 2.0)
    joint = ", " if manner.halting else " "
    samples = neural.speak(sentence.split(), voice, float(speed), joint, _pick(rng, NEURAL_ENDS))
    return trim(soxr.resample(samples, neural_voices.RATE * manner.tract, RATE).astype(np.float32)), voice.speaker


def synthesise(
    destination: str | Path, *, clips: int = 2500, dev_clips: int = 200, seed: int = 1, digits: bool = False,
    neural: NeuralVoices | None = None, progress: bool = True
) -> dict[str, Path]:
    """Render the training and development clips, and return the manifests' paths by split.

    With `digits` every clip is one digit and has its word as its label, for classification. With `neural` these
    voices speak, in place of espeak-ng and flite.
    """
    draw = draw_digit if digits else draw_clip
    if neural is None:
        check_engines()
    if clips < 1 or dev_clips < 0 or seed < 0:
        raise EarsightError(
            f"{clips} clips, {dev_clips} for development, seed {seed}: give 1, 0 and 0 or more"
        )
    destination = Path(destination)
    manifests = {}
    bar = tqdm(total=clips + dev_clips, desc="synthesis", unit="clip", disable=None if progress else True)
    for split, count in (("train", clips), ("dev", dev_clips)):

        def render(number: int, split: str = split) -> Cut:
            clip = draw(np.random.default_rng((seed, split == "dev", number)), split == "dev", neural)
            name = f"{'synth' if neural is None else 'neural'}-{split}-{number:05d}"
            return _stored(clip, name, destination / "audio" / f"{name}.flac", digits)

        cuts = []
        for _, cut in run_parallel(range(count), render, default_jobs()):
            if isinstance(cut, EarsightError):
                raise cut
            cuts.append(cut)
            bar.update()
        if cuts:
            manifests[split] = write_manifest(cuts, destination / f"{split}.jsonl.gz")
    bar.close()
    return manifests


def _stored(clip: Clip, name: str, path: Path, labelled: bool) -> Cut:
    _write_sound(path, clip.samples, RATE)
    return recording_cut(
        name,
        path,
        sample_rate=RATE,
        num_samples=len(clip.samples),
        text=clip.text,
        label=clip.text if labelled else None,
        speaker=clip.speaker,
        language="English",
    )


def _write_sound(path: Path, samples: np.ndarray, rate: int) -> None:
    kind = path.suffix[1:].upper()
    with whole_file(path) as temporary:
        if kind in ("WAV", "FLAC"):
            soundfile.write(temporary, samples, rate, format=kind, subtype="PCM_16")
        else:
            soundfile.write(temporary, samples, rate, format=kind)


# Examples


@dataclass(frozen=True)
class Example:
    """One of the demo's clips, and how it is stored."""

    file: str
    text: str
    voice: Voice | None
    manner: Manner
    rate: int  # Hz
    channels: int = 1


EXAMPLE_SEED = 20260  # of the noise under them; no training seed comes near
EXAMPLE_CLIPS = (
    Example(
        "grid-sentence.wav",
        "place green by q seven again",
        Voice("espeak-ng", "en-gb+f2"),
        Manner(rate=0.95),
        22050,
    ),
    Example("spelled-name.flac", "a l e x a n d e r", Voice("flite", "slt"), Manner(rate=0.9), 16000),
    Example(
        "phone-number.ogg",
        "four one five two oh nine seven three six eight",
        Voice("flite", "rms"),
        Manner(),
        44100,
        channels=2,
    ),
    Example(
        "date.mp3",
        "november twenty third nineteen eighty four",
        Voice("flite", "awb"),
        Manner(rate=0.95),
        24000,
    ),
    Example(
        "command-telephone.wav", "enter j k w t eleven", Voice("espeak-ng", "en-us+f2"), Manner(), 8000
    ),
    Example("noise-without-speech.flac", "", None, Manner(), 16000),
)
EXAMPLE_TEXTS = frozenset(example.text for example in EXAMPLE_CLIPS)


def render_examples(destination: str | Path = EXAMPLES) -> list[Path]:
    """Render the example clips, write destination/transcripts.csv (`path,text`), return the clips' paths."""
    destination = Path(destination)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["path", "text"])
    paths = []
    for number, example in enumerate(EXAMPLE_CLIPS):
        rng = np.random.default_rng((EXAMPLE_SEED, number))
        samples = soxr.resample(_example_sound(example, rng), RATE, example.rate)
        if example.channels == 2:  # nearer to one side
            samples = np.stack([samples, 0.6 * samples], axis=1)
        paths.append(destination / example.file)
        _write_sound(paths[-1], samples, example.rate)
        rows.writerow([example.file, example.text])
    write_whole(destination / "transcripts.csv", table.getvalue())
    return paths


def _example_sound(example: Example, rng: np.random.Generator) -> np.ndarray:
    if example.voice is None:
        return at_level(coloured_noise(2 * RATE, 1.0, rng), -20)
    silence = np.zeros(round(0.25 * RATE), np.float32)
    samples = np.concatenate([silence, speak(example.text, example.voice, example.manner), silence])
    return at_level(in_noise(samples, rng, snr=30, slope=1.0), -3)


# Command line


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Speech that the project makes itself.")
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="clips and manifests to train on")
    train.add_argument("destination", type=Path)
    train.add_argument("--clips", type=int, default=2500, help="for training (default: 2500)")
    train.add_argument("--dev-clips", type=int, default=200, help="for development (default: 200)")
    train.add_argument("--seed", type=int, default=1)
    train.add_argument("--digits", action="store_true", help="one digit a clip, labelled, for configs/digits.yaml")
    train.add_argument("--kokoro", type=Path, metavar="FOLDER", help="where Kokoro's files are: speak with its voices")
    examples = commands.add_parser("examples", help="the clips that the demo transcribes")
    examples.add_argument("destination", type=Path, nargs="?", default=EXAMPLES)
    given = parser.parse_args(arguments)
    try:
        if given.command == "train":
            written = synthesise(
                given.destination, clips=given.clips, dev_clips=given.dev_clips, seed=given.seed,
                digits=given.digits, neural=given.kokoro and NeuralVoices(given.kokoro)
            )
            print(*written.values(), sep="\n")
        else:
            print(*render_examples(given.destination), sep="\n")
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
