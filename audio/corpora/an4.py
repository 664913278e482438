"""CMU AN4: letters, digits and commands, with frames of its makers' own front end."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...common.data.corpora.parts import Parts, cased, progress_bar, read_lines
from ...common.data.cuts import frames_cut
from ...common.errors import EarsightError
from ...common.files import write_whole
from .. import reading
from .files import RATE, sound_cut, write_flac, write_frames

if TYPE_CHECKING:
    from lhotse.cut import Cut

AN4_DEV = 100  # utterances, the development part that ESPnet uses
AN4_FRAME_SHIFT = 0.01  # seconds, of the corpus's own front end


def prepare_an4(
    source: Path,
    destination: Path,
    *,
    case: str = "lower",
    source_kind: str = "features",
    progress: bool = True,
) -> Parts:
    """CMU AN4: letters, digits and commands, 948 training and 130 test utterances.

    Training utterances are sorted by `speaker-utterance`; the first 100 are dev, the rest train. The lexicon
    is written as destination/lexicon.txt, in the same case as the text, a line a pronunciation.

    Options: `source_kind`: `features` takes the corpus's own 13 MFCC, 100 frames a second, into
    destination/frames/*.npy; `waveforms` takes the sound of those utterances that have it (.wav in place,
    .sph and .raw as destination/audio/*.flac) and warns of how many have none. `case`: lower, upper or keep.
    """
    if source_kind not in ("features", "waveforms"):
        raise EarsightError(f"option source_kind is {source_kind!r}; it is features or waveforms")
    listed = {name: _an4_utterances(source, name, case) for name in ("train", "test")}
    train = sorted(listed["train"], key=lambda utterance: utterance.identity)
    by_split = {
        "dev": train[:AN4_DEV],
        "train": train[AN4_DEV:],
        "test": sorted(listed["test"], key=lambda utterance: utterance.identity),
    }
    _write_lexicon(source / "etc" / "an4.dic", destination / "lexicon.txt", case)
    make = _an4_frames if source_kind == "features" else _an4_sound
    parts, without_sound = Parts(), 0
    work = [(split, utterance) for split, listed in by_split.items() for utterance in listed]
    for split, utterance in progress_bar(work, "AN4", progress):
        try:
            cut = make(source, destination, utterance)
        except EarsightError as error:
            parts.failures.append((utterance.identity, str(error)))
            continue
        if cut is None:
            without_sound += 1
        else:
            parts.add(split, cut)
    if without_sound:
        warnings.warn(f"{source}: {without_sound} of {len(work)} utterances have no waveform", stacklevel=2)
    return parts


@dataclass(frozen=True)
class _An4Utterance:
    file: str  # an4_clstk/fash/an251-fash-b
    text: str

    @property
    def speaker(self) -> str:
        return self.file.split("/")[-2]

    @property
    def identity(self) -> str:
        return f"{self.speaker}-{self.file.split('/')[-1]}"


def _an4_utterances(source: Path, part: str, case: str) -> list[_An4Utterance]:
    files = read_lines(source / "etc" / f"an4_{part}.fileids")
    path = source / "etc" / f"an4_{part}.transcription"
    lines = read_lines(path)
    if len(files) != len(lines):
        raise EarsightError(f"{path}: {len(lines)} lines for {len(files)} utterances; is it cut short?")
    utterances = []
    for number, (file, line) in enumerate(zip(files, lines, strict=True), start=1):
        words, _, name = line.rpartition("(")
        if name.removesuffix(")") != file.split("/")[-1]:
            raise EarsightError(f"{path}, line {number}: {line!r} is not the transcript of {file}")
        # Some editions wrap training transcripts in sentence marks.
        text = " ".join(word for word in words.split() if word not in ("<s>", "</s>", "<sil>"))
        utterances.append(_An4Utterance(file, cased(text, case)))
    return utterances


def _an4_frames(source: Path, destination: Path, utterance: _An4Utterance) -> Cut:
    frames = reading.read_frames(source / "feat" / f"{utterance.file}.mfc")
    path = destination / "frames" / f"{utterance.identity}.npy"
    write_frames(frames, path)
    return frames_cut(
        utterance.identity,
        path,
        shape=frames.shape,
        frame_shift=AN4_FRAME_SHIFT,
        text=utterance.text,
        speaker=utterance.speaker,
        language="en",
    )


def _an4_sound(source: Path, destination: Path, utterance: _An4Utterance) -> Cut | None:
    stems = [source / "wav" / utterance.file, source / "wav" / utterance.file.split("/")[-1]]
    found = [Path(f"{stem}{suffix}") for stem in stems for suffix in (".wav", ".sph", ".raw")]
    path = next((each for each in found if each.is_file()), None)
    if path is None:
        return None
    if path.suffix != ".wav":
        samples = _headerless(path) if path.suffix == ".raw" else reading.read(path, RATE).samples
        path = destination / "audio" / f"{utterance.identity}.flac"
        write_flac(samples, path)
    return sound_cut(utterance.identity, path, text=utterance.text, speaker=utterance.speaker)


def _headerless(path: Path) -> np.ndarray:
    """AN4's .raw: 16-bit samples at 16 kHz, published in either byte order."""
    content = path.read_bytes()
    if not content or len(content) % 2:
        raise EarsightError(f"{path}: {len(content)} bytes are not 16-bit samples; the file is cut short")
    orders = [np.frombuffer(content, order).astype(np.float32) / 32768 for order in ("<i2", ">i2")]
    # Speech is smooth, and noise when its bytes are swapped.
    return min(orders, key=lambda samples: float(np.abs(np.diff(samples)).sum()))


def _write_lexicon(source: Path, destination: Path, case: str) -> None:
    """Sphinx's dictionary (`A(2)  EY` is a variant of A) as plain lines `word phone phone ...`."""
    lines = []
    # Training takes a word's first pronunciation, and AN4's speakers spell: A is the letter, not the article.
    for line in sorted(read_lines(source), key=lambda line: line.split() == ["A", "AH"]):
        word, *phones = line.split()
        lines.append(" ".join([cased(re.sub(r"\(\d+\)$", "", word), case), *phones]))
    write_whole(destination, "\n".join(lines) + "\n")
