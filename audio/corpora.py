"""Speech corpora, each laid out as its makers publish it, turned into manifests: train, dev and test.

`prepare("an4", source, destination)` writes destination/{train,dev,test}.jsonl.gz and returns their paths.
Sound that soundfile reads stays where it is; other sound and feature files are converted into it.
"""

from __future__ import annotations

import difflib
import inspect
import random
import re
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audio import reading
from common.errors import EarsightError, require
from common.files import whole_file, write_whole
from common.manifest import (
    TABLE_SUFFIXES,
    Openers,
    clip_files,
    frames_cut,
    group_of,
    read_folder,
    read_table,
    recording_cut,
    speaker_of,
    write_manifest,
)

if TYPE_CHECKING:
    from lhotse.cut import Cut

SPLIT_WORDS = {
    "train": {"train", "training"},
    "dev": {"dev", "valid", "validation", "val"},
    "test": {"test"},
}
SPLITS = tuple(SPLIT_WORDS)
CASES = ("lower", "upper", "keep")
RATE = 16000  # Hz, of the sound that is converted

OPENERS = Openers(
    sound=reading.info,
    frames=reading.read_frames,
    suffixes=(*reading.SOUND_SUFFIXES, *reading.FRAME_SUFFIXES),
)


@dataclass
class Parts:
    """What an importer found: the cuts of each split, and the clips it could not use, with the reasons."""

    cuts: dict[str, list[Any]] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)

    def add(self, split: str, cut: Any) -> None:
        self.cuts.setdefault(split, []).append(cut)


def prepare(
    corpus: str, source: str | Path, destination: str | Path, *, progress: bool = True, **options: Any
) -> dict[str, Path]:
    """Write destination/{train,dev,test}.jsonl.gz, those that the corpus has; return their paths by split.

    `corpus` is a name in CORPORA, or `lhotse:NAME` for any of lhotse's recipes; `options` are the keyword
    arguments of that corpus's function below (a recipe's own, and `case`), as values or as strings. Broken
    clips are left out of the manifests, and named in the EarsightError that is raised once these are written.
    """
    require("lhotse", "train")
    source, destination = Path(source), Path(destination)
    importer, known = _importer(corpus)
    options = {name: _option(corpus, name, value, known) for name, value in options.items()}
    if not source.exists():
        raise EarsightError(f"{source}: not there; give the place where {corpus} lies")
    parts = importer(source, destination, progress=progress, **options)
    if not any(parts.cuts.values()):
        found = f" ({_summary(parts.failures)})" if parts.failures else ""
        raise EarsightError(f"{source}: no usable clip of {corpus} found{found}; check the folder's layout")
    paths = _write(parts, destination)
    if parts.failures:
        total = len(parts.failures) + sum(map(len, parts.cuts.values()))
        raise EarsightError(
            f"{source}: {len(parts.failures)} of {total} clips left out ({_summary(parts.failures)}); "
            f"the manifests in {destination} hold the others"
        )
    return paths


def _write(parts: Parts, destination: Path) -> dict[str, Path]:
    names = [*SPLITS, *(name for name in parts.cuts if name not in SPLITS)]
    paths = {}
    for split in names:
        path = destination / f"{split}.jsonl.gz"
        if parts.cuts.get(split):
            paths[split] = write_manifest(parts.cuts[split], path)
        else:
            # A manifest of an earlier run, split another way, would leak into this one.
            path.unlink(missing_ok=True)
    return paths


def _importer(corpus: str) -> tuple[Callable[..., Parts], dict[str, inspect.Parameter]]:
    """The function that imports `corpus`, and the options it takes."""
    if corpus in CORPORA:
        parameters = inspect.signature(CORPORA[corpus]).parameters
        known = {name: each for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY}
        return CORPORA[corpus], {name: each for name, each in known.items() if name != "progress"}
    recipes = _recipes()
    name = corpus.removeprefix("lhotse:")
    if corpus.startswith("lhotse:") and name in recipes:
        parameters = dict(inspect.signature(recipes[name]).parameters)
        # The first one is the corpus's folder, output_dir is ours to choose.
        known = {key: each for key, each in list(parameters.items())[1:] if key != "output_dir"}
        case = inspect.Parameter("case", inspect.Parameter.KEYWORD_ONLY, default="lower")
        return partial(prepare_recipe, recipes[name]), {**known, "case": case}
    near = difflib.get_close_matches(name.lower(), [*CORPORA, *recipes], n=3, cutoff=0.6)
    named = [each if each in CORPORA else f"lhotse:{each}" for each in near]
    hint = f"did you mean {' or '.join(named)}?" if named else f"known: {', '.join(CORPORA)}, lhotse:NAME"
    raise EarsightError(f"unknown corpus {corpus!r}; {hint}")


def _option(corpus: str, name: str, value: Any, known: dict[str, inspect.Parameter]) -> Any:
    """Check an option's name, and turn a string from the command line into its default's type."""
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
        raise EarsightError(f"{corpus} has no option {name!r}; {hint}")
    if name == "case" and value not in CASES:
        raise EarsightError(f"option case is {value!r}; it is one of {', '.join(CASES)}")
    default = known[name].default
    if isinstance(value, str) and isinstance(default, bool):
        if value.lower() not in ("true", "false"):
            raise EarsightError(f"option {name} is {value!r}; it is true or false")
        return value.lower() == "true"
    if isinstance(value, str) and isinstance(default, (int, float)):
        try:
            return type(default)(value)
        except ValueError as error:
            raise EarsightError(f"option {name} is {value!r}; it is a number like {default}") from error
    return value


def _summary(failures: list[tuple[str, str]], shown: int = 3) -> str:
    named = "; ".join(f"{name}: {reason}" for name, reason in failures[:shown])
    more = len(failures) - shown
    return f"{named}; and {more} more" if more > 0 else named


def _progress(items: Iterable[Any], description: str, progress: bool) -> Iterator[Any]:
    from tqdm import tqdm

    # disable=None: no bar where nobody watches (a log file, a pipe)
    return iter(tqdm(items, desc=description, unit="clip", disable=None if progress else True))


def _cased(text: str, case: str) -> str:
    return {"lower": text.lower(), "upper": text.upper(), "keep": text}[case]


def _read_lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise EarsightError(f"{path}: not UTF-8 text; is it the corpus's own file?") from error
    except OSError as error:
        raise EarsightError(f"{path}: {error.strerror}; the corpus is not complete") from error


def _write_flac(samples: np.ndarray, path: Path, sample_rate: int = RATE) -> None:
    """Write mono sound as 16-bit FLAC, whole or not at all."""
    import soundfile

    with whole_file(path) as temporary:
        soundfile.write(temporary, samples, sample_rate, format="FLAC", subtype="PCM_16")


def _write_frames(frames: np.ndarray, path: Path) -> None:
    with whole_file(path) as temporary:
        np.save(temporary, frames.astype(np.float32), allow_pickle=False)


# CMU AN4

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
    for split, utterance in _progress(work, "AN4", progress):
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
    files = _read_lines(source / "etc" / f"an4_{part}.fileids")
    path = source / "etc" / f"an4_{part}.transcription"
    lines = _read_lines(path)
    if len(files) != len(lines):
        raise EarsightError(f"{path}: {len(lines)} lines for {len(files)} utterances; is it cut short?")
    utterances = []
    for number, (file, line) in enumerate(zip(files, lines, strict=True), start=1):
        words, _, name = line.rpartition("(")
        if name.removesuffix(")") != file.split("/")[-1]:
            raise EarsightError(f"{path}, line {number}: {line!r} is not the transcript of {file}")
        # Some editions wrap training transcripts in sentence marks.
        text = " ".join(word for word in words.split() if word not in ("<s>", "</s>", "<sil>"))
        utterances.append(_An4Utterance(file, _cased(text, case)))
    return utterances


def _an4_frames(source: Path, destination: Path, utterance: _An4Utterance) -> Cut:
    frames = reading.read_frames(source / "feat" / f"{utterance.file}.mfc")
    path = destination / "frames" / f"{utterance.identity}.npy"
    _write_frames(frames, path)
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
        _write_flac(samples, path)
    return _sound_cut(utterance.identity, path, text=utterance.text, speaker=utterance.speaker)


def _headerless(path: Path) -> np.ndarray:
    """AN4's .raw: 16-bit samples at 16 kHz, published in either byte order."""
    content = path.read_bytes()
    if not content or len(content) % 2:
        raise EarsightError(f"{path}: {len(content)} bytes are not 16-bit samples; the file is cut short")
    orders = [np.frombuffer(content, order).astype(np.float32) / 32768 for order in ("<i2", ">i2")]
    # Speech is smooth, and noise when its bytes are swapped.
    return min(orders, key=lambda samples: float(np.abs(np.diff(samples)).sum()))


def _sound_cut(identity: str, path: Path, **said: Any) -> Cut:
    info = reading.info(path)
    return recording_cut(
        identity,
        path,
        sample_rate=info.sample_rate,
        num_samples=info.frames,
        channels=info.channels,
        **{"language": "en", **said},
    )


def _write_lexicon(source: Path, destination: Path, case: str) -> None:
    """Sphinx's dictionary (`A(2)  EY` is a variant of A) as plain lines `word phone phone ...`."""
    lines = []
    # Training takes a word's first pronunciation, and AN4's speakers spell: A is the letter, not the article.
    for line in sorted(_read_lines(source), key=lambda line: line.split() == ["A", "AH"]):
        word, *phones = line.split()
        lines.append(" ".join([_cased(re.sub(r"\(\d+\)$", "", word), case), *phones]))
    write_whole(destination, "\n".join(lines) + "\n")


# GRID

GRID_UNITS = 25000  # a second, in the .align files
GRID_UNSEEN = ("s1", "s2", "s20", "s22")  # the talkers that LipNet keeps for its test (Assael et al. 2016)
_GRID_SOUND = (".wav", ".flac")
_GRID_VIDEO = (".mp4", ".mpg", ".mov", ".avi", ".mkv", ".webm")


def prepare_grid(
    source: Path,
    destination: Path,
    *,
    case: str = "lower",
    split: str = "auto",
    unseen: Iterable[str] = GRID_UNSEEN,
    progress: bool = True,
) -> Parts:
    """GRID: six-word commands, with picture and sound.

    Clips lie in folders named after the talker (s1, s2, ...), wherever those are; sound is taken from a .wav
    if there is one, else from the video, and written as destination/audio/TALKER/ID.flac, 16 kHz. The cut's
    custom field `video` is the video's path; its supervision's custom field `words` is a list of
    [word, start, end] in seconds, without silences.

    Options: `split`: `files` follows source/splits/{train,dev,test}.txt; `overlapped` gives each talker's
    every tenth clip in alphabetical order to test and every tenth (five later) to dev; `unseen` gives the
    talkers in the option `unseen` to test and divides the others as before into train and dev; `auto` is
    `files` where that folder exists, else `overlapped`. `case`: lower, upper or keep.
    """
    if split == "auto":
        split = "files" if (source / "splits").is_dir() else "overlapped"
    if split not in ("files", "overlapped", "unseen"):
        raise EarsightError(f"option split is {split!r}; it is auto, files, overlapped or unseen")
    aligns = _by_talker(source, (".align",))
    sounds, videos = _by_talker(source, _GRID_SOUND), _by_talker(source, _GRID_VIDEO)
    clips = sorted(sounds.keys() | videos.keys(), key=_talker_order)
    if not clips:
        raise EarsightError(f"{source}: no GRID clips; they lie in folders s1, s2, ... as .mpg, .mp4 or .wav")
    parts = Parts()
    if split == "files":
        chosen = _grid_listed(source / "splits", clips, parts.failures)
    else:
        chosen = _grid_divided(clips, frozenset(_names(unseen)) if split == "unseen" else frozenset())
    for talker, name in _progress([clip for clip in clips if clip in chosen], "GRID", progress):
        clip = (talker, name)
        try:
            if clip not in aligns:
                raise EarsightError(f"no {name}.align for talker {talker}")
            words = _grid_words(aligns[clip], case)
            waveform = reading.read(sounds.get(clip) or videos[clip], RATE)
            sound = destination / "audio" / talker / f"{name}.flac"
            _write_flac(waveform.samples, sound)
            cut = recording_cut(
                f"{talker}-{name}",
                sound,
                sample_rate=RATE,
                num_samples=len(waveform.samples),
                text=" ".join(word for word, _, _ in words),
                speaker=talker,
                language="en",
                supervision_custom={"words": words},
                custom={"video": str(videos[clip].resolve())} if clip in videos else None,
            )
        except EarsightError as error:
            parts.failures.append((f"{talker}/{name}", str(error)))
            continue
        parts.add(chosen[clip], cut)
    return parts


def _by_talker(source: Path, suffixes: tuple[str, ...]) -> dict[tuple[str, str], Path]:
    """Files by (talker, clip); the talker is the nearest folder named s and a number."""
    files = {}
    for path in sorted(source.rglob("*")):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            folders = path.relative_to(source.parent if re.fullmatch(r"s\d+", source.name) else source).parts
            talker = next((name for name in reversed(folders[:-1]) if re.fullmatch(r"s\d+", name)), None)
            if talker is not None:
                files.setdefault((talker, path.stem), path)
    return files


def _talker_order(clip: tuple[str, str]) -> tuple[int, str]:
    return int(clip[0][1:]), clip[1]


def _grid_listed(
    folder: Path, clips: list[tuple[str, str]], failures: list[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Follow lists of `ID` or `TALKER/ID`; a listed clip that is not there is a failure."""
    chosen: dict[tuple[str, str], str] = {}
    for split in SPLITS:
        path = folder / f"{split}.txt"
        for line in _read_lines(path) if path.is_file() else []:
            talker, _, name = line.rpartition("/")
            found = [clip for clip in clips if clip == (talker, name) or (not talker and clip[1] == name)]
            if not found:
                failures.append((line, f"listed in {path.name} and not there"))
            for clip in found:
                if chosen.setdefault(clip, split) != split:
                    raise EarsightError(f"{path}: {line} is in {chosen[clip]} too; keep it in one part")
    return chosen


def _grid_divided(clips: list[tuple[str, str]], unseen: frozenset[str]) -> dict[tuple[str, str], str]:
    """Every tenth clip, not a block of them: in alphabetical order a block would hold one command only."""
    if unseen and not unseen & {talker for talker, _ in clips}:
        raise EarsightError(f"option unseen names {', '.join(sorted(unseen))}; no clip is of these talkers")
    chosen, place = {}, {}
    for talker, name in clips:
        if talker in unseen:
            chosen[talker, name] = "test"
            continue
        number = place[talker] = place.get(talker, -1) + 1
        held = {0: "train" if unseen else "test", 5: "dev"}
        chosen[talker, name] = held.get(number % 10, "train")
    return chosen


def _grid_words(path: Path, case: str) -> list[list[Any]]:
    """Read `start end word` lines into [word, start, end] in seconds, leaving out silences."""
    words = []
    for number, line in enumerate(_read_lines(path), start=1):
        try:
            start, end, word = line.split()
            times = int(start) / GRID_UNITS, int(end) / GRID_UNITS
        except ValueError as error:
            raise EarsightError(f"{path}, line {number}: {line!r} is not `start end word`") from error
        if word not in ("sil", "sp"):
            words.append([_cased(word, case), *times])
    if not words:
        raise EarsightError(f"{path}: holds no words")
    return words


def _names(value: Any) -> list[str]:
    """A list of names, or one string of them with commas as the command line gives it."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return list(value)


# Free Spoken Digit Dataset

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
    for speaker, digit, take, path in _progress(clips, "FSDD", progress):
        word = _cased(DIGITS[digit], case)
        try:
            cut = _sound_cut(path.stem, path, text=word, label=word, speaker=speaker)
        except EarsightError as error:
            parts.failures.append((path.stem, str(error)))
            continue
        parts.add(_fsdd_split(speaker, take, hold_out), cut)
    return parts


def _fsdd_split(speaker: str, take: int, hold_out: str | None) -> str:
    if hold_out is None:
        return "test" if take in FSDD_TEST else "dev" if take in FSDD_DEV else "train"
    return "test" if speaker == hold_out else "dev" if take in FSDD_DEV else "train"


# LibriSpeech and lhotse's other recipes


def prepare_librispeech(
    source: Path, destination: Path, *, parts: str = "", case: str = "lower", progress: bool = True
) -> Parts:
    """LibriSpeech, or the part of it that is there: source/{train-clean-100,dev-clean,...}/.../*.flac.

    All training parts make up train, and so on; where there are several, each has its own manifest too
    (test-clean.jsonl.gz, test-other.jsonl.gz). Option `parts`: those to take, with commas between; all that
    are there if it is empty. `case`: lower, upper or keep (the corpus's own is upper).
    """
    from lhotse.recipes import prepare_librispeech as recipe

    wanted = _names(parts)
    for part in wanted:
        if not (source / part).is_dir():
            raise EarsightError(f"{source / part}: no such part of LibriSpeech; download it or leave it out")
    return prepare_recipe(
        recipe, source, destination, case=case, progress=progress, dataset_parts=wanted or "auto"
    )


def prepare_recipe(
    recipe: Callable[..., Any],
    source: Path,
    destination: Path,
    *,
    case: str = "lower",
    progress: bool = True,
    **options: Any,
) -> Parts:
    """Run one of lhotse's recipes, and cut what it gives into one cut a supervision.

    Its parts go to train, dev and test by their names; a part of another name keeps it. The recipe's own
    folders besides the first are options.
    """
    parameters = inspect.signature(recipe).parameters
    first = next(iter(parameters))
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in (first, "output_dir", *options):
            raise EarsightError(f"{recipe.__name__} needs the option {name}; see its lhotse documentation")
    with tempfile.TemporaryDirectory() as scratch:
        if "output_dir" in parameters and parameters["output_dir"].default is inspect.Parameter.empty:
            options["output_dir"] = scratch
        try:
            given = recipe(**{first: source}, **options)
        except EarsightError:
            raise
        except Exception as error:  # recipes assert, and raise what their parsers do
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise EarsightError(
                f"{source}: lhotse's {recipe.__name__} cannot read it ({reason[0]}); check its layout"
            ) from error
        found = [(_part_name(keys), list(_supervised_cuts(leaf))) for keys, leaf in _leaves(given)]
    parts = Parts()
    by_split: dict[str, set[str]] = {}
    for name, _ in found:
        by_split.setdefault(_split_named(name), set()).add(name)
    identities: set[str] = set()
    for name, cuts in found:
        split = _split_named(name)
        for cut in _progress(cuts, name, progress):
            if cut.id in identities:
                cut = cut.with_id(f"{cut.id}-{name}")
            identities.add(cut.id)
            try:
                for said in cut.supervisions:
                    said.text = _cased(said.text, case) if said.text else said.text
                cut = _in_place(cut, destination, LHOTSE_READS)
            except EarsightError as error:
                parts.failures.append((cut.id, str(error)))
                continue
            parts.add(split, cut)
            if len(by_split[split]) > 1:
                parts.add(name, cut)
    return parts


def _recipes() -> dict[str, Callable[..., Any]]:
    from lhotse import recipes

    prefix = "prepare_"
    names = [name for name in dir(recipes) if name.startswith(prefix)]
    return {name.removeprefix(prefix): getattr(recipes, name) for name in names}


def _leaves(given: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Find the {recordings, supervisions} or {cuts} in what a recipe returns, however it nests them."""
    from lhotse import CutSet

    if isinstance(given, CutSet):
        given = {"cuts": given}
    elif isinstance(given, tuple) and len(given) == 2:
        given = dict(zip(("recordings", "supervisions"), given, strict=True))
    if not isinstance(given, dict):
        return
    if given.get("cuts") is not None or given.get("supervisions") is not None:
        yield keys, given
        return
    for key, value in given.items():
        yield from _leaves(value, (*keys, str(key)))


def _supervised_cuts(leaf: dict[str, Any]) -> Iterator[Cut]:
    """One cut a supervision, called as the supervision is."""
    from lhotse import CutSet

    cuts = leaf.get("cuts")
    if cuts is None:
        cuts = CutSet.from_manifests(recordings=leaf["recordings"], supervisions=leaf["supervisions"])
    for cut in cuts.trim_to_supervisions(keep_overlapping=False):
        yield cut.with_id(cut.supervisions[0].id)


def _part_name(keys: tuple[str, ...]) -> str:
    return re.sub(r"[^\w.-]+", "-", "-".join(keys)) or "train"


def _split_named(name: str) -> str:
    """The split that a part's name tells of: train-clean-100 is train, valid is dev, TEST is test."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    return next((split for split, names in SPLIT_WORDS.items() if names & words), name)


# A table or a folder of one's own


def prepare_csv(
    source: Path,
    destination: Path,
    *,
    dev_share: float = 0.1,
    test_share: float = 0.1,
    by: str = "auto",
    seed: int = 0,
    case: str = "lower",
    progress: bool = True,
) -> Parts:
    """A CSV or TSV as `common.manifest.read_table` describes it.

    The column `split` says what goes where (train, dev, test). Without it whole groups are drawn at random
    until test and dev hold their shares of the time. Options: `dev_share`, `test_share`; `by`: group, speaker
    or clip, never divided between two splits (`auto`: the first of these that every clip has); `seed` of the
    draw; `case` of the text: lower, upper or keep.
    """
    if source.suffix.lower() not in TABLE_SUFFIXES or not source.is_file():
        raise EarsightError(f"{source}: not a table; give a .csv or .tsv file")
    return _own_clips(read_table, source, destination, dev_share, test_share, by, seed, case, progress)


def prepare_folder(
    source: Path,
    destination: Path,
    *,
    dev_share: float = 0.1,
    test_share: float = 0.1,
    by: str = "auto",
    seed: int = 0,
    case: str = "lower",
    progress: bool = True,
) -> Parts:
    """A folder per class, source/LABEL/*.wav, divided as `prepare_csv` does it."""
    if not source.is_dir():
        raise EarsightError(f"{source}: not a folder; give one that holds a folder per class")
    return _own_clips(read_folder, source, destination, dev_share, test_share, by, seed, case, progress)


def _own_clips(
    read: Callable[..., Any],
    source: Path,
    destination: Path,
    dev_share: float,
    test_share: float,
    by: str,
    seed: int,
    case: str,
    progress: bool,
) -> Parts:
    if min(dev_share, test_share) < 0 or dev_share + test_share >= 1:
        shares = f"dev_share {dev_share:g} and test_share {test_share:g}"
        raise EarsightError(f"options {shares}: give each at least 0, and less than 1 in all")
    parts = Parts()
    openers = replace(OPENERS, watch=lambda clips: _progress(clips, source.name, progress))
    cuts = []
    for cut in read(source, openers, parts.failures):
        said = cut.supervisions[0]
        said.text = _cased(said.text, case) if said.text else said.text
        try:
            cuts.append(_in_place(cut, destination))
        except EarsightError as error:
            parts.failures.append((cut.id, str(error)))
    given = {cut.id: (cut.supervisions[0].custom or {}).get("split") for cut in cuts}
    if any(given.values()):
        chosen = _given_splits(given, source)
        _demand_whole_groups(cuts, chosen, source)
    else:
        chosen = divide(cuts, {"test": test_share, "dev": dev_share}, by=by, seed=seed)
    for cut in cuts:
        parts.add(chosen[cut.id], cut)
    return parts


def divide(cuts: list[Any], shares: dict[str, float], *, by: str = "auto", seed: int = 0) -> dict[str, str]:
    """Give each cut's id its split: whole groups at random, until each split holds its share of the time.

    What `shares` does not ask for is train. Raises EarsightError where there are fewer groups than splits.
    """
    units = _units(cuts, by)
    seconds: dict[str, float] = {}
    for cut in cuts:
        seconds[units[cut.id]] = seconds.get(units[cut.id], 0.0) + cut.duration
    wanted = {split: share for split, share in shares.items() if share > 0}
    if len(seconds) < len(wanted) + 1:
        raise EarsightError(
            f"{len(seconds)} {by if by != 'auto' else 'group or speaker'}s cannot be divided into "
            f"{len(wanted) + 1} splits; name the splits in the table's column split, or divide by=clip"
        )
    order = sorted(seconds)
    random.Random(seed).shuffle(order)
    total, split_of = sum(seconds.values()), {}
    for split, share in wanted.items():
        held = 0.0
        # At least one group each, and one left for train and for every split still to come.
        to_come = len(wanted) - len(set(split_of.values()))
        while len(order) > to_come and (held == 0 or held + seconds[order[-1]] / 2 <= share * total):
            unit = order.pop()
            held += seconds[unit]
            split_of[unit] = split
    return {name: split_of.get(unit, "train") for name, unit in units.items()}


def _units(cuts: list[Any], by: str) -> dict[str, str]:
    """What each cut must stay together with, by the cut's id."""
    ways = {"group": group_of, "speaker": speaker_of, "clip": lambda cut: cut.id}
    if by == "auto":
        by = next(name for name, way in ways.items() if all(way(cut) is not None for cut in cuts))
    if by not in ways:
        raise EarsightError(f"option by is {by!r}; it is auto, {', '.join(ways)}")
    without = next((cut.id for cut in cuts if ways[by](cut) is None), None)
    if without is not None:
        raise EarsightError(f"clip {without} has no {by} to divide by; fill that column or choose another")
    return {cut.id: str(ways[by](cut)) for cut in cuts}


def _given_splits(given: dict[str, str | None], source: Path) -> dict[str, str]:
    chosen = {}
    for name, split in given.items():
        if not split:
            raise EarsightError(f"{source}: clip {name} has no split; it is one of {', '.join(SPLITS)}")
        chosen[name] = _split_named(split)
        if chosen[name] not in SPLITS:
            names = ", ".join(SPLITS)
            raise EarsightError(f"{source}: clip {name} has the split {split!r}; it is one of {names}")
    return chosen


def _demand_whole_groups(cuts: list[Any], chosen: dict[str, str], source: Path) -> None:
    first: dict[str, Any] = {}
    for cut in cuts:
        group = group_of(cut)
        other = first.setdefault(group, cut) if group is not None else cut
        if chosen[other.id] != chosen[cut.id]:
            raise EarsightError(
                f"{source}: group {group} is in {chosen[other.id]} ({other.id}) and in {chosen[cut.id]} "
                f"({cut.id}); keep a group in one split"
            )


# Sound and frames that manifests cannot refer to

# Suffixes of sound that lhotse loads just as `audio.reading` does. Decoders disagree about an mp3's length,
# so one is left to lhotse only where lhotse measured it.
REFERRED = (".wav", ".flac", ".ogg", ".aif", ".aiff", ".npy")
LHOTSE_READS = (*REFERRED, ".mp3", ".opus", ".sph")


def _in_place(cut: Cut, destination: Path, referred: tuple[str, ...] = REFERRED) -> Cut:
    """The cut itself if training can read its file; else a cut of its part converted into `destination`."""
    frames = (cut.custom or {}).get("frames")
    if frames is not None and frames.is_in_memory:
        values = cut.load_frames()
        path = destination / "frames" / f"{_file_name(cut.id)}.npy"
        _write_frames(values, path)
        made = frames_cut(cut.id, path, shape=values.shape, frame_shift=frames.frame_shift)
    else:
        files = clip_files(cut)
        if len(files) != 1 or files[0].suffix.lower() in referred:
            return cut
        waveform = reading.read(files[0])
        first = round(cut.start * waveform.sample_rate)
        samples = waveform.samples[first : first + round(cut.duration * waveform.sample_rate)]
        path = destination / "audio" / f"{_file_name(cut.id)}.flac"
        _write_flac(samples, path, waveform.sample_rate)
        made = recording_cut(cut.id, path, sample_rate=waveform.sample_rate, num_samples=len(samples))
    said = replace(cut.supervisions[0], recording_id=cut.id, channel=0, duration=made.duration)
    return replace(made, supervisions=[said])


def _file_name(identity: str) -> str:
    return identity.replace("%", "%25").replace("/", "%2F")  # two ids never make one name


CORPORA: dict[str, Callable[..., Parts]] = {
    "an4": prepare_an4,
    "grid": prepare_grid,
    "fsdd": prepare_fsdd,
    "librispeech": prepare_librispeech,
    "csv": prepare_csv,
    "folder": prepare_folder,
}
