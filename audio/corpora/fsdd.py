"""The Free Spoken Digit Dataset: single digits of a few speakers."""

from __future__ import annotations

import re
from pathlib import Path

from ...common.data.corpora.parts import Parts, cased, progress_bar
from ...common.errors import EarsightError
from .files import sound_cut

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FSDD_TEST, FSDD_DEV = range(5), range(5, 10)  # take numbers: the official test part, and ours beside it


def prepare_fsdd(
    source: Path,
    destination: Path,
    *,
    case: str = "lower",
    hold_out: str | None = None,
    progress: bool = True,
) -> Parts:
    """FSDD: single digits, recordings/DIGIT_SPEAKER_TAKE.wav, 8 kHz, referred to where they lie.

    The digit's word is both text and label. Takes 0 to 4 are test (the official split), 5 to 9 dev, the rest
    train. Option `hold_out`: test is all of that speaker; of the others takes 5 to 9 are dev, the rest train.
    `case`: lower, upper or keep.
    """
    folder = source / "recordings" if (source / "recordings").is_dir() else source
    clips = sorted(
        (match[2], int(match[1]), int(match[3]), path)
        for path in folder.glob("*.wav")
        if (match := re.fullmatch(r"(\d)_([^_]+)_(\d+)", path.stem))
    )
    speakers = sorted({speaker for speaker, *_ in clips})
    if hold_out is not None and hold_out not in speakers:
        known = ", ".join(speakers) or "none"
        raise EarsightError(f"option hold_out is {hold_out!r}; the speakers are {known}")
    parts = Parts()
    for speaker, digit, take, path in progress_bar(clips, "FSDD", progress):
        word = cased(DIGITS[digit], case)
        try:
            cut = sound_cut(path.stem, path, text=word, label=word, speaker=speaker)
        except EarsightError as error:
            parts.failures.append((path.stem, str(error)))
            continue
        parts.add(_fsdd_split(speaker, take, hold_out), cut)
    return parts


def _fsdd_split(speaker: str, take: int, hold_out: str | None) -> str:
    if hold_out is None:
        return "test" if take in FSDD_TEST else "dev" if take in FSDD_DEV else "train"
    return "test" if speaker == hold_out else "dev" if take in FSDD_DEV else "train"
