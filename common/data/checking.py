"""What is wrong with the clips of a manifest, found before training meets it: by the name of each clip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import EarsightError
from ..labels import Labels
from ..model_folder import find_model, read_config
from .corpora.parts import SPLITS, split_named
from .cuts import (
    DOUBLE_ID,
    EMPTY_CLASS,
    clip_files,
    custom_of,
    frames_of,
    group_of,
    label_of,
    speaker_of,
    text_of,
    video_of,
)
from .manifest import read_manifest
from .openers import Openers
from .shards import load_frames
from .splits import Key, class_of, source_of

if TYPE_CHECKING:
    from lhotse import CutSet

KINDS = {
    "unreadable": "cannot be read",
    "empty": "nothing in it",
    "cut short": "the file ends before the clip does",
    "too few frames": "no motion can be seen in one picture",
    "silent": "all zero, or hardly anything",
    "clipped": "too many samples at full scale",
    "wrong rate": "not the rate that is asked for, or not the one that the manifest states",
    "wrong size": "not the size that the manifest states",
    "not finite": "NaN or infinite values",
    "other width": "not as many features a frame as the other clips have, or as the model takes",
    "untold": "neither text nor label",
    "nothing said": "a text that is empty, in every clip that has one",
    "too long a target": "more labels than frames, so CTC has no path (its loss is infinite)",
    "outside the alphabet": "characters that training or the model lacks",
    "unknown class": "a label that training or the model lacks",
    "one class": "all clips have one label, and a classifier needs two or more",
    "empty class": "a class folder with no clip",
    "double id": "two clips of one name",
    "clip in two splits": "found in another manifest too",
    "speaker in two splits": "found in another manifest too",
    "group in two splits": "found in another manifest too",
    "video in two splits": "parts of one file are in another manifest too",
}

Note = Callable[[str, str], None]  # notes a kind of finding, and its details, of the clip that is looked at


class ClipCheck(Protocol):
    """Reads the sound or the pictures of a clip: `audio.checking.SoundCheck`, `video.checking.VideoCheck`."""

    def __call__(self, cut: Any, note: Note, frame_shift: float | None) -> int | None:
        """Note what is wrong; how many frames of `frame_shift` seconds (None: the medium's usual) there are.

        Raises EarsightError for a clip that cannot be read.
        """


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
    # What is stored for a model of films are pictures of mouths, and not its frames.
    width = config.frontend["side"]**2 if config.medium in ("lips", "audiovisual") else config.n_features
    options: dict[str, Any] = {"frame_shift": config.frame_shift, "stride": config.stride, "width": width}
    if config.task == "ctc":
        options["target_length"] = lambda text: labels.minimum_frames(labels.encode(text))
    else:
        options["classes"] = labels.symbols
    return options


def check_files(
    paths: Iterable[str | Path], openers: Openers, checks: Mapping[str, ClipCheck], **options: Any
) -> dict[Path, CheckReport]:
    """Check manifests (`.jsonl.gz`, `.csv`, a folder per class), each alone and against the ones before it.

    The first that is called train, or else the first that is not called dev or test, is taken for the training part:
    the others may have its labels and characters only. `checks` and `options` are those of `check`. Clips that are
    missing or cannot be opened are findings too, not errors.
    """
    manifests = [Path(path) for path in paths]
    reports: dict[Path, CheckReport] = {}
    failures: dict[Path, list[tuple[str, str]]] = {path: [] for path in manifests}
    splits = {path: read_manifest(path, openers, failures[path]) for path in manifests}
    named = {path: split_named(path.name) for path in manifests}
    others = [path for path in manifests if named[path] not in SPLITS]
    training = next((path for path in manifests if named[path] == "train"), others[0] if others else None)
    learnt = splits[training] if training else ()
    trained = {class_of(cut) for cut in learnt} - {None}
    alphabet = {character for cut in learnt for character in text_of(cut) or ""}
    known = {**({"classes": trained} if trained else {}),
             "width": _usual_width(learnt),
             **({"alphabet": alphabet} if alphabet and "target_length" not in options else {})}
    for number, (path, cuts) in enumerate(splits.items()):
        unusable = [Finding(_kind_of(reason), name, reason) for name, reason in failures[path]]
        before = {str(other): splits[other] for other in manifests[:number]}
        report = check(cuts, checks, against=before, **{**known, **options})
        one = [*_one_class(cuts)] if path == training or len(manifests) == 1 else []
        clips = report.clips + sum(finding.kind != "empty class" for finding in unusable)
        silent = [*_nothing_said(cuts)]
        reports[path] = CheckReport(clips, report.seconds, (*unusable, *report.findings, *one, *silent))
    return reports


def check(
    cuts: CutSet,
    checks: Mapping[str, ClipCheck],
    *,
    alphabet: Iterable[str] | None = None,
    classes: Collection[str] | None = None,
    frame_shift: float | None = None,
    stride: int = 2,
    target_length: Callable[[str], int] | None = None,
    width: int | None = None,
    against: Mapping[str, CutSet] | None = None,
    shared_speakers: bool = False,
    progress: bool = True,
) -> CheckReport:
    """Read every clip and its transcript, and report what training would stumble over.

    Args:
        cuts: the manifest, from `common.data.manifest.read_manifest`.
        checks: how clips are read, by medium: `sound`, `video`. Stored frames are read here.
        alphabet: the characters that transcripts may hold; any, if None.
        classes: the labels that clips without text may have; any, if None.
        frame_shift: seconds a frame of the model's frontend (stored frames have their own).
        stride: frames that the encoder turns into one output.
        target_length: how many outputs CTC needs for a text: its labels, and a blank between two equal ones.
            By default the labels are characters.
        width: features of a stored frame, all of which a model takes; by default as most clips have.
        against: other splits by name, which should share no clip, group, video file or speaker with this one.
        shared_speakers: speakers may be in several splits (FSDD, GRID's overlapped talkers).
        progress: show a bar on a terminal.
    """
    from tqdm import tqdm

    allowed = None if alphabet is None else frozenset(alphabet)
    findings: list[Finding] = []
    clips, seconds = 0, 0.0
    width = width or _usual_width(cuts)
    names: Counter[str] = Counter()
    for cut in tqdm(cuts, desc="checking", unit="clip", disable=None if progress else True):
        clips, seconds = clips + 1, seconds + cut.duration
        names[cut.id] += 1

        def note(kind: str, detail: str, name: str = cut.id) -> None:
            findings.append(Finding(kind, name, detail))

        frames = _check_clip(cut, checks, frame_shift, note)
        if (own := _width_of(cut)) != width and own is not None:
            note("other width", f"{own} features a frame, and {width} are expected")
        _check_target(cut, frames, stride, target_length or characters_and_blanks, allowed, note)
        if classes is not None and class_of(cut) is not None and class_of(cut) not in classes:
            note("unknown class", f"{class_of(cut)} is not one of {len(classes)} classes of training or the model")
    findings += [Finding("double id", name, f"{n} clips") for name, n in names.items() if n > 1]
    for split, others in (against or {}).items():
        findings += _shared("clip in two splits", cuts, others, split, lambda cut: cut.id)
        findings += _shared("group in two splits", cuts, others, split, group_of)
        findings += _shared("video in two splits", cuts, others, split, source_of)
        if not shared_speakers:
            findings += _shared("speaker in two splits", cuts, others, split, speaker_of)
    return CheckReport(clips, seconds, tuple(findings))


def characters_and_blanks(text: str) -> int:
    """Outputs that CTC needs to spell `text`: a character each, and a blank between two equal ones."""
    text = " ".join(text.split())
    return len(text) + sum(a == b for a, b in pairwise(text))


def _check_clip(cut: Any, checks: Mapping[str, ClipCheck], frame_shift: float | None, note: Note) -> int | None:
    """Note what is wrong with a clip; return how many frames the encoder will see, if known."""
    try:
        if frames_of(cut) is not None:
            return _check_frames(_stored_frames(cut), note, gaps="series" in custom_of(cut))
        medium = "sound" if video_of(cut) is None else "video"
        if medium not in checks:
            raise EarsightError(f"a clip of {medium}, which is not checked here; use `earsight check`")
        return checks[medium](cut, note, frame_shift)
    except EarsightError as error:
        note(_kind_of(str(error)), str(error))
        return None


def _stored_frames(cut: Any) -> np.ndarray:
    """A cut's frames (time, feature); EarsightError if they cannot be read."""
    # Not through audio.reading: it refuses a file with one NaN, and here they are counted.
    where = next(map(str, clip_files(cut)), "frames in memory")
    try:
        frames = np.asarray(load_frames(cut))
    except Exception as error:  # damaged files and manifests, each with its own kind
        raise EarsightError(f"{where}: cannot be read ({error}); compute the frames again") from error
    if frames.ndim != 2 or not np.issubdtype(frames.dtype, np.number):
        raise EarsightError(f"{where}: {frames.dtype} of shape {frames.shape}, not (time, feature)")
    return frames


def _check_frames(frames: np.ndarray, note: Note, gaps: bool) -> int:
    if gaps:
        if np.isnan(frames).all():
            note("empty", "no number in any channel")
        frames = np.where(np.isnan(frames), 0, frames)
    if frames.size == 0:
        note("empty", f"frames of shape {frames.shape}")
    elif not np.isfinite(frames).all():
        broken = np.count_nonzero(~np.isfinite(frames).all(axis=1))
        note("not finite", f"{broken} of {len(frames)} frames hold NaN or infinite values")
    return len(frames)


def _width_of(cut: Any) -> int | None:
    """Features of a clip's stored frames."""
    frames = frames_of(cut)
    return frames.shape[1] if frames is not None and len(frames.shape) == 2 else None


def _usual_width(cuts: Iterable[Any]) -> int | None:
    """As most clips have it; None without stored frames."""
    widths = Counter(width for width in map(_width_of, cuts) if width is not None)
    return max(widths, key=widths.__getitem__) if widths else None


def _check_target(
    cut: Any,
    frames: int | None,
    stride: int,
    target_length: Callable[[str], int],
    allowed: frozenset[str] | None,
    note: Note,
) -> None:
    text = text_of(cut)
    if text is None:
        if label_of(cut) is None:
            note("untold", "give a text or a label")
        return
    strange = sorted(set(text) - allowed) if allowed is not None else []
    if strange:
        note("outside the alphabet", f"{''.join(strange)!r} in {text!r}")
    if frames is None or strange:
        return
    try:
        needed = target_length(text)
    except EarsightError as error:  # labels that do not know a word of it
        note("outside the alphabet", str(error))
        return
    outputs = -(-frames // stride)  # rounded up, as the encoder does
    if needed > outputs:
        note("too long a target", f"needs {needed} outputs, {frames} frames give {outputs}")


def _shared(kind: str, cuts: Iterable[Any], others: Iterable[Any], split: str, key: Key) -> list[Finding]:
    here, there = Counter(map(key, cuts)), Counter(map(key, others))
    both = sorted(name for name in here if name is not None and name in there)
    return [Finding(kind, name, f"{here[name]} here, {there[name]} in {split}") for name in both]


def _one_class(cuts: Iterable[Any]) -> Iterator[Finding]:
    counted = Counter(class_of(cut) for cut in cuts)
    if len(counted) == 1 and None not in counted:
        (label, count), *_ = counted.items()
        yield Finding("one class", str(label), f"{count} clips, and no other class")


def _nothing_said(cuts: Iterable[Any]) -> Iterator[Finding]:
    texts = [text for cut in cuts if (text := text_of(cut)) is not None]
    if texts and not any(texts):
        yield Finding("nothing said", "text", f"{len(texts)} clips, and no word in any")


def _kind_of(reason: str) -> str:
    """The kind of a failure that another module words; what is not told apart is unreadable."""
    phrases = {
        DOUBLE_ID: "double id",
        EMPTY_CLASS: "empty class",
        "(0 samples)": "empty",
        "(0 bytes)": "empty",
        "(0 frames)": "empty",
        "NaN or infinite": "not finite",
        "frames can be decoded": "cut short",
    }
    return next((kind for phrase, kind in phrases.items() if phrase in reason), "unreadable")
