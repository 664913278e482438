"""Drawn people who speak: part of `grid-av`'s training data, and the demo's example films for it.

    python scripts/drawn_speakers.py train DEST [--clips 400] [--dev-clips 40] [--seed 1]
    python scripts/drawn_speakers.py examples [DEST]

`train` writes DEST/films/*.mp4 (360 x 288, 25 pictures a second) and DEST/drawn.csv, which `earsight prepare csv`
takes: sentences of GRID's grammar, spoken by flite's voices, whose times of phones move the mouths. Seed and number
settle all of a clip. `examples` renders scripts/speakers/ and its transcripts.csv; their sentences are never trained
on.
flite is a Debian package: apt install flite.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from drawn_video import x264_options
from tqdm import tqdm

from earsight.audio.augmentation import add_noise, coloured_noise
from earsight.audio.reading import read
from earsight.common.batch_run import default_jobs, run_parallel
from earsight.common.errors import EarsightError
from earsight.common.files import whole_file, write_whole

RATE, PICTURES = 16000, 25  # samples and pictures a second
WIDTH, HEIGHT = 360, 288  # pixels, as GRID's
FINER = 2  # faces are drawn at this scale and shrunk, so that edges are smooth
LENGTH = 3.0  # seconds, as GRID's clips
EARLY, SPREAD = 0.04, 0.045  # seconds: lips are ahead of the sound, and glide from one phone's shape to the next's
EXAMPLES = Path(__file__).resolve().parent / "speakers"

VOICES = ("awb", "rms", "slt", "kal16")
GRAMMAR = ("bin lay place set", "blue green red white", "at by in with", "a b c d e f g h i j k l m n o p q r s t u v "
           "x y z", "zero one two three four five six seven eight nine", "again now please soon")
SPOKEN = {"a": "ay"}  # flite would say the article
# Of a dozen each, the first that `grid-av` reads without an error: it misreads 30 % of the words from drawn lips alone.
EXAMPLE_SENTENCES = (("noisy", "set blue with o four now", 32), ("silent", "lay white by e six now", 35))
EXAMPLE_SNR = -5.0  # dB, of the noisy one


# What is said, and when


@dataclass(frozen=True)
class Lips:
    """A mouth's shape.

    Attributes:
        opening: how far the jaw is down, 0 to 1.
        width: 1 for spread corners, -1 for rounded lips.
        bite: 1 where the lower lip is at the upper teeth.
        tongue: 1 where its tip is between the teeth.
        press: 1 where the lips are pressed together.
    """

    opening: float = 0.0
    width: float = 0.0
    bite: float = 0.0
    tongue: float = 0.0
    press: float = 0.0

    def array(self) -> np.ndarray:
        return np.array([self.opening, self.width, self.bite, self.tongue, self.press])


_FLAT, _ROUND, _BACK = Lips(0.2, 0.35), Lips(0.22, -0.55), Lips(0.32, 0.1)
VISEMES = {
    "pau": Lips(0.02), "p": Lips(press=1), "b": Lips(press=1), "m": Lips(press=1),
    "f": Lips(0.12, 0.1, bite=1), "v": Lips(0.12, 0.1, bite=1), "th": Lips(0.22, 0.1, tongue=1),
    "dh": Lips(0.22, 0.1, tongue=1), "t": _FLAT, "d": _FLAT, "n": _FLAT, "s": Lips(0.1, 0.5), "z": Lips(0.1, 0.5),
    "l": Lips(0.35, 0.1, tongue=0.6), "sh": _ROUND, "zh": _ROUND, "ch": _ROUND, "jh": _ROUND, "k": _BACK, "g": _BACK,
    "ng": _BACK, "hh": _BACK, "r": Lips(0.25, -0.45), "er": Lips(0.3, -0.45), "w": Lips(0.12, -1.0),
    "y": Lips(0.2, 0.5), "iy": Lips(0.25, 0.8), "ih": Lips(0.32, 0.45), "eh": Lips(0.5, 0.3), "ey": Lips(0.4, 0.55),
    "ae": Lips(0.7, 0.4), "aa": Lips(0.9, 0.0), "ah": Lips(0.55, 0.0), "ax": Lips(0.35, 0.0), "ay": Lips(0.75, 0.3),
    "aw": Lips(0.7, -0.4), "ao": Lips(0.65, -0.5), "ow": Lips(0.45, -0.8), "oy": Lips(0.5, -0.6),
    "uw": Lips(0.18, -1.0), "uh": Lips(0.3, -0.6),
}


def sentence(rng: np.random.Generator) -> str:
    """One of GRID's 64,000, the letter w left out as there."""
    return " ".join(str(rng.choice(words.split())) for words in GRAMMAR)


def speak(text: str, voice: str, stretch: float, pitch: float) -> tuple[np.ndarray, list[tuple[str, float]]]:
    """A waveform at RATE and its phones with their ends in seconds.

    Args:
        stretch: of durations.
        pitch: Hz, the voice's mean; 0 for its own.
    """
    said = " ".join(SPOKEN.get(word, word) for word in text.split())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "said.wav")
        command = ["flite", "-voice", voice, "-psdur", "--setf", f"duration_stretch={stretch:.3f}",
                   *(["--setf", f"int_f0_target_mean={pitch:.1f}"] if pitch else []), "-t", said, "-o", str(path)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise EarsightError(f"flite cannot speak ({error}); apt install flite") from error
        samples = read(path, RATE).samples
    phones = [(name, float(end)) for name, _, end in (phone.partition(":") for phone in done.stdout.split())]
    return samples, phones


def lips_over_time(phones: Sequence[tuple[str, float]], start: float, count: int) -> np.ndarray:
    """Shapes (picture, 5), in the order of `Lips`, of what begins `start` seconds after the film."""
    step = 0.005
    time = np.arange(0, count / PICTURES + 1, step)
    shapes = np.tile(VISEMES["pau"].array(), (len(time), 1))
    begin = 0.0
    for phone, end in phones:
        shapes[(time >= start + begin - EARLY) & (time < start + end - EARLY)] = VISEMES[phone].array()
        begin = end
    reach = np.arange(-4 * SPREAD, 4 * SPREAD + step / 2, step)
    weights = np.exp(-0.5 * (reach / SPREAD) ** 2)
    smooth = np.stack([np.convolve(np.pad(one, len(reach) // 2, mode="edge"), weights / weights.sum(), mode="valid")
                       for one in shapes.T], axis=1)
    # Lips that close do close, however short the sound is.
    brisk = np.exp(-0.5 * (reach / (SPREAD / 3)) ** 2)
    for column in (2, 3, 4):
        smooth[:, column] = np.convolve(np.pad(shapes[:, column], len(reach) // 2), brisk / brisk.sum(), mode="valid")
    return smooth[np.round(np.arange(count) / PICTURES / step).astype(int)]


# Who says it


@dataclass(frozen=True)
class Person:
    """Colours are RGB; lengths are in half widths of the face, which is `size` pixels."""

    skin: np.ndarray
    hair: np.ndarray
    lip: np.ndarray
    eyes: np.ndarray
    wall: np.ndarray
    coat: np.ndarray
    size: float
    long: float  # the face's half height
    eye: float
    brow: float
    nose: float
    mouth: float  # its half width at rest
    full: float  # thickness of a lip
    fringe: float
    sideburns: bool
    beard: float  # 0 to 1: how much darker the chin is
    light: float  # from the left, -1, to the right, 1

    @staticmethod
    def draw(rng: np.random.Generator) -> Person:
        tone = rng.uniform(0.35, 1.0)
        skin = np.array([235, 195, 170]) * tone + rng.uniform(-8, 8, 3)
        lip = skin * np.array([0.85, 0.58, 0.58]) + rng.uniform(-12, 12, 3)
        return Person(
            skin=skin, hair=np.array([90, 70, 50]) * rng.uniform(0.2, 1.6) + rng.uniform(-10, 10, 3), lip=lip,
            eyes=np.array([rng.uniform(40, 90), rng.uniform(60, 120), rng.uniform(50, 150)]),
            wall=rng.uniform(60, 220) + rng.uniform(-25, 25, 3), coat=rng.uniform(20, 200, 3),
            size=rng.uniform(52, 66), long=rng.uniform(1.28, 1.42), eye=rng.uniform(0.15, 0.19),
            brow=rng.uniform(0.03, 0.06), nose=rng.uniform(0.14, 0.2), mouth=rng.uniform(0.32, 0.4),
            full=rng.uniform(0.055, 0.1), fringe=rng.uniform(0.35, 0.65), sideburns=bool(rng.random() < 0.6),
            beard=float(rng.random() < 0.35) * rng.uniform(0.1, 0.35), light=rng.uniform(-1, 1))


def pictures(person: Person, shapes: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The film (HEIGHT, WIDTH, 3) uint8, picture by picture; the head moves a little, and the eyes blink."""
    count = len(shapes)
    sway = [_drift(count, rng) for _ in range(3)]
    blinks = rng.uniform(0, count, max(1, rng.poisson(count / PICTURES / 3)))
    middle = np.array([WIDTH / 2 + rng.uniform(-25, 25), HEIGHT * 0.47 + rng.uniform(-12, 12)])
    noise, blur = rng.uniform(1, 4), rng.uniform(0.5, 1.1)
    relief = _relief(person, rng)
    for number, shape in enumerate(shapes):
        closed = float(np.exp(-0.5 * ((number - blinks) / 1.2) ** 2).max())
        at = middle + 3 * np.array([sway[0][number], sway[1][number]])
        image = _portrait(person, shape, at, 3 * sway[2][number], closed, relief)
        image = cv2.GaussianBlur(image, (0, 0), blur) + noise * rng.standard_normal(image.shape, np.float32)
        yield image.clip(0, 255).astype(np.uint8)


def _drift(count: int, rng: np.random.Generator) -> np.ndarray:
    """(count,) about -1 to 1, slow."""
    time = np.arange(count) / PICTURES
    return sum((rng.uniform(0.2, 0.5) * np.sin(2 * np.pi * (rng.uniform(0.1, 0.7) * time + rng.random()))
                for _ in range(3)), np.zeros(count))


# Where a face comes forth or falls back, beside its roundness: middle, widths, and how much light that makes.
RELIEF = (*(((side * 0.4, -0.2), (0.24, 0.14), -0.22) for side in (-1, 1)),
          *(((side * 0.15, 0.12), (0.05, 0.24), -0.13) for side in (-1, 1)),
          *(((side * 0.48, 0.28), (0.2, 0.2), 0.08) for side in (-1, 1)),
          *(((side * 0.5, 0.62), (0.1, 0.3), -0.06) for side in (-1, 1)),
          ((0, 0.1), (0.05, 0.26), 0.14), ((0, 0.44), (0.14, 0.05), -0.14), ((0, 0.92), (0.2, 0.06), -0.12),
          ((0, 1.1), (0.2, 0.12), 0.08), ((0, -0.55), (0.5, 0.2), 0.06))


def _relief(person: Person, rng: np.random.Generator) -> np.ndarray:
    """Light (HEIGHT, WIDTH, 1) on a face in the picture's middle; 1 beside it."""
    x, y = np.meshgrid((np.arange(WIDTH) - WIDTH / 2) / person.size, (np.arange(HEIGHT) - HEIGHT / 2) / person.size)
    away = x**2 + (y / person.long) ** 2
    light = 1 - 0.3 * away
    for (left, top), (width, height), more in RELIEF:
        light += more * rng.uniform(0.7, 1.3) * np.exp(-0.5 * (((x - left) / width) ** 2 + ((y - top) / height) ** 2))
    mottled = cv2.resize(rng.normal(0, 0.025, (24, 30)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    inside = 1 / (1 + np.exp((away - 1) / 0.04))
    return (1 + inside * (light + mottled - 1))[..., None].astype(np.float32)


def _portrait(person: Person, shape: np.ndarray, middle: np.ndarray, turn: float, closed: float, relief: np.ndarray
              ) -> np.ndarray:
    canvas = np.full((HEIGHT * FINER, WIDTH * FINER, 3), person.wall.clip(0, 255), np.uint8)
    angle = np.deg2rad(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def at(points: np.ndarray) -> np.ndarray:
        """Points in the face's measure, x to the right and y down, as pixels of the canvas."""
        return (FINER * (middle + person.size * (np.atleast_2d(points) @ rotation.T))).round().astype(np.int32)

    def fill(points: np.ndarray, colour: np.ndarray) -> None:
        cv2.fillPoly(canvas, [at(points)], np.clip(colour, 0, 255).tolist(), cv2.LINE_AA)

    skin, opening = person.skin, shape[0]
    jaw = 0.16 * opening  # it takes the chin down
    fill(_ellipse((0, -0.25), 1.16, person.long * 0.98), person.hair)
    fill(np.array([[-0.42, 0.8], [0.42, 0.8], [0.5, 2.2], [-0.5, 2.2]]), skin * 0.82)
    fill(np.array([[-2.2, 3.5], [-1.6, 2.1], [-0.5, 1.75], [0, 2.05], [0.5, 1.75], [1.6, 2.1], [2.2, 3.5]]),
         person.coat)
    for side in (-1, 1):
        fill(_ellipse((1.0 * side, 0.02), 0.14, 0.26), skin * 0.9)
    face = _ellipse((0, 0), 1.0, person.long)
    face[:, 1] += jaw * (face[:, 1] > 0) * face[:, 1] / person.long
    face[:, 0] *= 1 - 0.12 * np.clip(face[:, 1] / person.long, 0, 1) ** 2
    fill(face, skin)
    if person.beard:
        chin = face[face[:, 1] > 0.42] * (0.97, 0.985)
        fill(chin, skin * (1 - person.beard))
        fill(_ellipse((0, 0.3), 0.62, 0.28), skin)
    fill(np.concatenate([_ellipse((0, 0), 1.02, person.long)[180:361:6], [[1.02, -0.2], [0.85, -person.fringe],
                        [0, -person.fringe - 0.12], [-0.85, -person.fringe], [-1.02, -0.2]]]), person.hair)
    if person.sideburns:
        for side in (-1, 1):
            fill(np.array([[side, -0.6], [side * 0.88, -0.5], [side * 0.93, 0.15], [side * 1.01, 0.15]]), person.hair)
    for side in (-1, 1):
        _eye(fill, person, side, closed)
    fill(np.array([[-0.06, -0.1], [0.06, -0.1], [person.nose, 0.3], [0, 0.38], [-person.nose, 0.3]]), skin * 0.95)
    for side in (-1, 1):
        fill(_ellipse((side * person.nose * 0.6, 0.33), 0.05, 0.03), skin * 0.55)
    _mouth(fill, person, shape)
    small = cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    across, down = np.linspace(-1, 1, WIDTH, dtype=np.float32), np.linspace(-1, 1, HEIGHT, dtype=np.float32)
    there = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), -turn, 1)
    there[:, 2] += middle - (WIDTH / 2, HEIGHT / 2)
    small = small * cv2.warpAffine(relief, there, (WIDTH, HEIGHT), borderValue=1.0)[..., None]
    return small * (1 + np.float32(0.22 * person.light) * across[:, None] - np.float32(0.1) * down[:, None, None])


def _ellipse(middle: tuple[float, float], width: float, height: float) -> np.ndarray:
    """361 points, from the right, first down (y is down)."""
    angle = np.deg2rad(np.arange(361))
    return np.stack([middle[0] + width * np.cos(angle), middle[1] + height * np.sin(angle)], axis=1)


def _eye(fill, person: Person, side: int, closed: float) -> None:
    x, y = 0.4 * side, -0.18
    high = 0.52 * person.eye * (1 - closed)
    fill(_ellipse((x, y), person.eye * 1.2, person.eye * 0.75), person.skin * 0.86)
    if high > 0.02:
        fill(_ellipse((x, y), person.eye, high), np.full(3, 235.0))
        fill(_ellipse((x, y), person.eye * 0.45, min(high, person.eye * 0.45)), person.eyes)
        fill(_ellipse((x, y), person.eye * 0.2, min(high, person.eye * 0.2)), np.full(3, 15.0))
    lid = np.array([[x - person.eye, y], [x, y - high - 0.015], [x + person.eye, y], [x, y - high - 0.045]])
    fill(lid, person.skin * 0.35)
    brow = y - 0.24
    fill(np.array([[x - 0.24, brow + 0.03], [x, brow - 0.04], [x + 0.24, brow + 0.03],
                   [x, brow - 0.04 + 2 * person.brow]]), person.hair * 0.8)


def _mouth(fill, person: Person, shape: np.ndarray) -> None:
    opening, width, bite, tongue, press = shape
    half = person.mouth * (1 + 0.22 * width)
    gap = 0.34 * opening * (1 - bite) * (1 - press) + 0.02 * bite
    thick = person.full * (1 - 0.55 * press) * (1 + 0.35 * max(-width, 0))
    y = 0.68
    upper, lower = y - 0.3 * gap, y + 0.7 * gap
    across = np.linspace(-1, 1, 41)
    arch = np.sqrt(np.clip(1 - across**2, 0, 1))
    bow = 1 - 0.28 * np.exp(-0.5 * (across / 0.14) ** 2)
    inner_top = np.stack([half * 0.9 * across, y + (upper - y) * arch], axis=1)
    inner_low = np.stack([half * 0.9 * across, y + (lower - y) * arch], axis=1)
    outer_top = np.stack([half * across, y + (upper - thick - y) * arch * bow], axis=1)
    outer_low = np.stack([half * across, y + (lower + thick * 1.25 * (1 - 0.6 * bite) - y) * arch], axis=1)
    fill(np.concatenate([outer_top, outer_low[::-1]]) * (1.06, 1) + (0, 0.03), person.skin * 0.9)  # its shadow
    fill(np.concatenate([outer_top, outer_low[::-1]]), person.lip)
    hole = np.concatenate([inner_top, inner_low[::-1]])
    fill(hole, np.array([45.0, 18, 20]))
    if gap > 0.015:
        if tongue < 0.5 or gap > 0.05:
            low = np.minimum(inner_top[:, 1] + 0.075, inner_low[:, 1])
            teeth = np.stack([inner_top[:, 0] * 0.85, low], axis=1)
            fill(np.concatenate([inner_top * (0.85, 1), teeth[::-1]]), np.full(3, 225.0))
        reach = lower - (0.45 + 0.4 * tongue) * gap
        top = np.maximum(inner_low[:, 1] - (lower - reach) * arch, inner_top[:, 1])
        fill(np.concatenate([np.stack([inner_low[:, 0] * 0.7, top], axis=1), (inner_low * (0.7, 1))[::-1]]),
             np.array([170.0, 80, 85]) * (0.7 + 0.3 * tongue))
    else:
        fill(np.concatenate([inner_top - (0, 0.008), inner_low[::-1] + (0, 0.008)]), person.lip * 0.5)
    if bite > 0.3:
        fill(np.stack([half * 0.6 * np.array([-1, 1, 1, -1]), np.array([upper, upper, y + 0.03, y + 0.03])], axis=1),
             np.full(3, 215.0) * bite + person.lip * (1 - bite))


# Films


@dataclass(frozen=True)
class Film:
    """A clip: its name, text, and the seed of all else; `snr` is of loud noise, dB."""

    name: str
    text: str
    seed: tuple[int, ...]
    silent: bool = False
    snr: float | None = None


def render(film: Film, folder: Path) -> Path:
    """Write a film."""
    rng = np.random.default_rng(film.seed)
    voice = str(rng.choice(VOICES))
    pitch = rng.uniform(170, 230) if voice == "slt" else rng.uniform(85, 135)
    samples, phones = speak(film.text, voice, rng.uniform(0.95, 1.25), pitch)
    spare = LENGTH - len(samples) / RATE
    start = rng.uniform(0, max(spare, 0.0)) if spare > 0 else 0.0
    seconds = max(LENGTH, len(samples) / RATE)
    count = round(seconds * PICTURES)
    sound = np.zeros(round(seconds * RATE), np.float32)
    sound[round(start * RATE):][:len(samples)] += samples[:len(sound) - round(start * RATE)]
    sound += coloured_noise(len(sound), rng.uniform(0, 2), rng) * 10 ** (-rng.uniform(50, 65) / 20)
    if film.snr is not None:
        sound = 0.5 * add_noise(sound, coloured_noise(len(sound), 1.0, rng), film.snr)
    shapes = lips_over_time(phones, start, count)
    shapes[:, 0] *= rng.uniform(0.8, 1.15)
    path = folder / f"{film.name}.mp4"
    _write(path, pictures(Person.draw(rng), shapes, rng), None if film.silent else sound)
    return path


def _write(path: Path, frames: Iterator[np.ndarray], sound: np.ndarray | None) -> None:
    with whole_file(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=PICTURES, options=x264_options(23))
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = None if sound is None else container.add_stream("aac", rate=RATE, layout="mono")
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode())
        if audio is not None and sound is not None:
            whole = av.AudioFrame.from_ndarray(sound.clip(-1, 1)[None].astype(np.float32), format="fltp", layout="mono")
            whole.sample_rate = RATE
            container.mux(audio.encode(whole))
            container.mux(audio.encode())


def training_films(clips: int, dev_clips: int, seed: int) -> list[tuple[Film, str]]:
    """Films with the split that each belongs to."""
    kept = {text for _, text, _ in EXAMPLE_SENTENCES}
    films = []
    for number in range(clips + dev_clips):
        rng = np.random.default_rng((seed, number, 0))
        while (text := sentence(rng)) in kept:
            pass
        films.append((Film(f"drawn{number:05}", text, (seed, number, 1)), "train" if number < clips else "dev"))
    return films


def write_training(destination: Path, clips: int, dev_clips: int, seed: int) -> None:
    """Write films and their table."""
    films = training_films(clips, dev_clips, seed)
    folder = destination / "films"
    folder.mkdir(parents=True, exist_ok=True)
    work = partial(render, folder=folder)
    for _, result in tqdm(run_parallel([film for film, _ in films], work, default_jobs()), total=len(films),
                          unit="film"):
        if isinstance(result, EarsightError):
            raise result
    rows = io.StringIO(newline="")
    table = csv.writer(rows)
    table.writerow(("path", "text", "speaker", "split"))
    table.writerows((f"films/{film.name}.mp4", film.text, film.name, split) for film, split in films)
    write_whole(destination / "drawn.csv", rows.getvalue())


def write_examples(destination: Path) -> None:
    """Write the demo's films and what is said in them."""
    destination.mkdir(parents=True, exist_ok=True)
    for name, text, seed in EXAMPLE_SENTENCES:
        silent = name == "silent"
        render(Film(name, text, (seed, int(silent)), silent, None if silent else EXAMPLE_SNR), destination)
    lines = ["path,text", *(f"{name}.mp4,{text}" for name, text, _ in EXAMPLE_SENTENCES)]
    write_whole(destination / "transcripts.csv", "\n".join(lines) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train")
    train.add_argument("destination", type=Path)
    train.add_argument("--clips", type=int, default=400)
    train.add_argument("--dev-clips", type=int, default=40)
    train.add_argument("--seed", type=int, default=1)
    examples = commands.add_parser("examples")
    examples.add_argument("destination", type=Path, nargs="?", default=EXAMPLES)
    args = parser.parse_args(arguments)
    try:
        if args.command == "train":
            write_training(args.destination, args.clips, args.dev_clips, args.seed)
        else:
            write_examples(args.destination)
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
