"""What is wrong with the clips of a manifest, found before training meets it: by the name of each clip."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audio import reading
from audio.corpora import OPENERS
from common.cuts import DOUBLE_ID, clip_files, group_of, label_of, speaker_of, text_of
from common.errors import EarsightError
from common.labels import Labels
from common.manifest import read_manifest
from common.model_folder import find_model, read_config

if TYPE_CHECKING:
    from lhotse import CutSet

FULL_SCALE = 0.9999  # 16-bit sound reaches 32767 / 32768
CLIPPED_SHARE = 0.001  # of the samples; loud speech touches full scale now and then, clipped speech stays
SILENCE = -60.0  # dB below full scale, root mean square

KINDS = {
    "unreadable": "cannot be read",
    "empty": "no sound in it",
    "cut short": "the file ends before the clip does",
    "silent": f"all zero, or below {SILENCE:g} dBFS",
    "clipped": f"more than {CLIPPED_SHARE:.1%} of the samples at full scale",
    "wrong rate": "not the rate that is asked for, or not the one that the manifest states",
    "not finite": "NaN or infinite values",
    "untold": "neither text nor label",
    "too long a target": "more labels than frames, so CTC has no path (its loss is infinite)",
    "outside the alphabet": "characters that the model cannot write",
    "double id": "two clips of one name",
    "clip in two splits": "found in another manifest too",
    "speaker in two splits": "found in another manifest too",
    "group in two splits": "found in another manifest too",
}


@dataclass(frozen=True)
class Finding:
    """One thing wrong: its kind (a key of KINDS), the clip's, speaker's or group's name, and the details."""

    kind: str
    name: str
    detail: str


@dataclass(frozen=True)
class CheckReport:
    """What `check` found in `clips` clips of `seconds` in all."""

    clips: int
    seconds: float
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def counts(self) -> dict[str, int]:
        """Findings by kind, in the order of KINDS; kinds that were not found are left out."""
        counted = Counter(finding.kind for finding in self.findings)
        return {kind: counted[kind] for kind in KINDS if kind in counted}

    def text(self, shown: int = 5) -> str:
        """A line for the whole, a line a kind, and the first `shown` names of each."""
        total = len(self.findings)
        lines = [
            f"{self.clips} clips, {self.seconds / 3600:.2f} h: "
            + (f"{total} finding{'s' * (total != 1)}" if total else "nothing wrong")
        ]
        for kind, count in self.counts.items():
            lines.append(f"{kind}: {count} ({KINDS[kind]})")
            found = [finding for finding in self.findings if finding.kind == kind]
            lines += [f"  {finding.name}: {finding.detail}" for finding in found[:shown]]
            if count > shown:
                lines.append(f"  ... and {count - shown} more")
        return "\n".join(lines)


def model_options(model: str | Path) -> dict[str, Any]:
    """Options of `check` that ask whether clips fit a model folder or an installed model."""
    config = read_config(find_model(model))
    labels = Labels.from_dict(config.labels)
    options: dict[str, Any] = {"frame_shift": config.frame_shift, "stride": config.stride}
    if config.task == "ctc":
        options["target_length"] = lambda text: labels.minimum_frames(labels.encode(text))
    return options


def check_files(paths: Iterable[str | Path], **options: Any) -> dict[Path, CheckReport]:
    """Check manifests (`.jsonl.gz`, `.csv`, a folder per class), each alone and against the ones before it.

    `options` are those of `check`. Clips that are missing or cannot be opened are findings too, not errors.
    """
    reports: dict[Path, CheckReport] = {}
    before: dict[str, CutSet] = {}
    for path in map(Path, paths):
        failures: list[tuple[str, str]] = []
        cuts = read_manifest(path, OPENERS, failures)
        unusable = [Finding(_kind_of(reason), name, reason) for name, reason in failures]
        report = check(cuts, against=before, **options)
        reports[path] = CheckReport(
            report.clips + len(unusable), report.seconds, (*unusable, *report.findings)
        )
        before[str(path)] = cuts
    return reports


def check(
    cuts: CutSet,
    *,
    sample_rate: int | None = None,
    alphabet: Iterable[str] | None = None,
    frame_shift: float = 0.01,
    stride: int = 2,
    target_length: Callable[[str], int] | None = None,
    against: dict[str, CutSet] | None = None,
    shared_speakers: bool = False,
    progress: bool = True,
) -> CheckReport:
    """Read every clip and its transcript, and report what training would stumble over.

    Args:
        cuts: the manifest, from `common.manifest.read_manifest`.
        sample_rate: Hz that every recording must have; any, if None.
        alphabet: the characters that transcripts may hold; any, if None.
        frame_shift: seconds a frame of the model's frontend (stored frames have their own).
        stride: frames that the encoder turns into one output.
        target_length: how many outputs CTC needs for a text: its labels, and a blank between two equal ones.
            By default the labels are characters.
        against: other splits by name, which should share no clip, group or speaker with this one.
        shared_speakers: speakers may be in several splits (FSDD, GRID's overlapped talkers).
        progress: show a bar on a terminal.
    """
    from tqdm import tqdm

    allowed = None if alphabet is None else frozenset(alphabet)
    findings: list[Finding] = []
    clips, seconds = 0, 0.0
    open_file = _Reader()
    names: Counter[str] = Counter()
    for cut in tqdm(cuts, desc="checking", unit="clip", disable=None if progress else True):
        clips, seconds = clips + 1, seconds + cut.duration
        names[cut.id] += 1
        frames = _check_clip(cut, open_file, sample_rate, frame_shift, findings)
        _check_target(cut, frames, stride, target_length or characters_and_blanks, allowed, findings)
    findings += [Finding("double id", name, f"{n} clips") for name, n in names.items() if n > 1]
    for split, others in (against or {}).items():
        findings += _shared("clip in two splits", cuts, others, split, lambda cut: cut.id)
        findings += _shared("group in two splits", cuts, others, split, group_of)
        if not shared_speakers:
            findings += _shared("speaker in two splits", cuts, others, split, speaker_of)
    return CheckReport(clips, seconds, tuple(findings))


def characters_and_blanks(text: str) -> int:
    """Outputs that CTC needs to spell `text`: a character each, and a blank between two equal ones."""
    text = " ".join(text.split())
    return len(text) + sum(a == b for a, b in pairwise(text))


def _check_clip(
    cut: Any, reader: _Reader, sample_rate: int | None, frame_shift: float, findings: list[Finding]
) -> int | None:
    """Note what is wrong with the sound or frames; return how many frames the encoder will see, if known."""

    def note(kind: str, detail: str) -> None:
        findings.append(Finding(kind, cut.id, detail))

    try:
        if "frames" in (getattr(cut, "custom", None) or {}):
            return _check_frames(reader.frames(cut), note)
        samples, rate, stated = reader.samples(cut)
    except EarsightError as error:
        note(_kind_of(str(error)), str(error))
        return None
    if sample_rate is not None and rate != sample_rate:
        note("wrong rate", f"{rate} Hz instead of {sample_rate} Hz")
    elif rate != stated:
        note("wrong rate", f"the file has {rate} Hz, the manifest says {stated} Hz")
    if len(samples) == 0:
        note("empty", "no samples")
        return 0
    # A decoder may give a few samples more or less than the header promises.
    if len(samples) / rate < cut.duration - 0.05:
        note("cut short", f"{len(samples) / rate:.2f} s of {cut.duration:.2f} s are there")
    if not np.isfinite(samples).all():
        note("not finite", f"{np.count_nonzero(~np.isfinite(samples))} samples are NaN or infinite")
    else:
        _check_level(samples, note)
    return round(len(samples) / rate / frame_shift)


def _check_level(samples: np.ndarray, note: Callable[[str, str], None]) -> None:
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    if power == 0:
        note("silent", "all samples are zero")
    elif 10 * math.log10(power) < SILENCE:
        note("silent", f"{10 * math.log10(power):.0f} dBFS")
    share = float(np.mean(np.abs(samples) >= FULL_SCALE))
    if share > CLIPPED_SHARE:
        note("clipped", f"{share:.2%} of the samples at full scale")


def _check_frames(frames: np.ndarray, note: Callable[[str, str], None]) -> int:
    if frames.size == 0:
        note("empty", f"frames of shape {frames.shape}")
    elif not np.isfinite(frames).all():
        broken = np.count_nonzero(~np.isfinite(frames).all(axis=1))
        note("not finite", f"{broken} of {len(frames)} frames hold NaN or infinite values")
    return len(frames)


def _check_target(
    cut: Any,
    frames: int | None,
    stride: int,
    target_length: Callable[[str], int],
    allowed: frozenset[str] | None,
    findings: list[Finding],
) -> None:
    text = text_of(cut)
    if text is None:
        if label_of(cut) is None:
            findings.append(Finding("untold", cut.id, "give a text or a label"))
        return
    strange = sorted(set(text) - allowed) if allowed is not None else []
    if strange:
        findings.append(Finding("outside the alphabet", cut.id, f"{''.join(strange)!r} in {text!r}"))
    if frames is None or strange:
        return
    try:
        needed = target_length(text)
    except EarsightError as error:  # labels that do not know a word of it
        findings.append(Finding("outside the alphabet", cut.id, str(error)))
        return
    outputs = -(-frames // stride)  # rounded up, as the encoder does
    if needed > outputs:
        findings.append(
            Finding("too long a target", cut.id, f"needs {needed} outputs, {frames} frames give {outputs}")
        )


def _shared(
    kind: str, cuts: Iterable[Any], others: Iterable[Any], split: str, key: Callable[[Any], str | None]
) -> list[Finding]:
    here, there = Counter(map(key, cuts)), Counter(map(key, others))
    both = sorted(name for name in here if name is not None and name in there)
    return [Finding(kind, name, f"{here[name]} here, {there[name]} in {split}") for name in both]


def _kind_of(reason: str) -> str:
    """The kind of a failure that another module words; what is not told apart is unreadable."""
    phrases = {
        DOUBLE_ID: "double id",
        "0 samples": "empty",
        "0 bytes": "empty",
        "NaN or infinite": "not finite",
    }
    return next((kind for phrase, kind in phrases.items() if phrase in reason), "unreadable")


class _Reader:
    """Reads clips through `audio.reading`, the last file once for all the clips that are parts of it."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._waveform: reading.Waveform | None = None

    def samples(self, cut: Any) -> tuple[np.ndarray, int, int]:
        """A cut's mono samples, their rate, and the rate that the manifest states; or EarsightError."""
        files = clip_files(cut)
        if not getattr(cut, "has_recording", False):
            raise EarsightError("the manifest gives it neither sound nor frames")
        if len(files) != 1 or len(getattr(cut, "tracks", [])) > 0 or cut.recording.transforms:
            return self._through_lhotse(cut)
        if files[0] != self._path:
            self._path, self._waveform = None, None
            self._waveform = reading.read(files[0])
            self._path = files[0]
        rate = self._waveform.sample_rate
        first = round(cut.start * rate)
        return self._waveform.samples[first : first + round(cut.duration * rate)], rate, cut.sampling_rate

    def frames(self, cut: Any) -> np.ndarray:
        """A cut's frames (time, feature); EarsightError if they cannot be read."""
        # Not through audio.reading: it refuses a file with one NaN, and here they are counted.
        where = next(map(str, clip_files(cut)), "frames in memory")
        try:
            frames = np.asarray(cut.load_frames())
        except Exception as error:  # damaged files and manifests, each with its own kind
            raise EarsightError(f"{where}: cannot be read ({error}); compute the frames again") from error
        if frames.ndim != 2 or not np.issubdtype(frames.dtype, np.number):
            raise EarsightError(f"{where}: {frames.dtype} of shape {frames.shape}, not (time, feature)")
        return frames

    def _through_lhotse(self, cut: Any) -> tuple[np.ndarray, int, int]:
        try:
            return cut.load_audio().mean(axis=0), cut.sampling_rate, cut.sampling_rate
        except Exception as error:  # each of lhotse's backends raises its own kind
            raise EarsightError(f"cannot be read ({error})") from error
