"""The model folder: `config.json` and ONNX graphs that recognise, readable by a person and free of pickles."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from itertools import chain
from pathlib import Path

from .errors import EarsightError
from .files import write_whole
from .labels import CTC_KINDS

FORMAT = 1  # raised when a folder of an older program can no longer be read
CONFIG = "config.json"
FRONTEND = "frontend.onnx"  # waveform (1, samples) -> frames (1, time, feature)
ENCODER = "encoder.onnx"  # frames (batch, time, feature) -> log-probabilities or logits
LATER = ("longest_clip", "decoding", "confidence", "times", "unknown")  # fields that folders of older programs lack
EDGES = ("inside", "tail", "inside_fft", "centre", "round")  # see `audio.frontends.mfcc.MfccSettings`
UNKNOWN_KEYS = {"temperature", "threshold", "scale", "keep", "score"}  # of a classifier's `Rejection`
ORIGIN = "origin.json"  # in a model that was pulled: where it came from
PACKAGE_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class ModelConfig:
    """What `config.json` holds.

    Attributes:
        medium: "speech", "video", "lips" (films of a face), "audiovisual" (with their sound), "series" (tables),
            or "frames" (stored frames of any origin).
        task: "ctc" (text) or "classification".
        labels: what the outputs mean; see `common.labels.Labels`.
        n_features: features of a frame that goes into the encoder.
        frame_shift: seconds between two input frames.
        stride: input frames an output frame.
        sample_rate: Hz, of the sound that the frontend takes; 0 without a frontend.
        precision: "float32" or "int8".
        longest_clip: seconds, of those that it was trained on; longer ones are cut into utterances no longer than that.
        frontend, model: the settings that trained, for the reader's information.
        decoding: how text is decoded unless the user says otherwise: fields of
            `common.decoding.options.DecodingOptions`, its files by their names in the folder; empty for greedy.
        confidence: `common.inference.confidence.Calibration` as plain types; empty where none was fitted.
        times: seconds added to words' `start` and `end`, see `common.inference.word_times`; empty where they were not
            fitted.
        unknown: `common.inference.unknown.Rejection` as plain types, of a classifier; empty where none was fitted.
        about: free text of a model's card: description, trained_on, licence, figures.
        versions: of the programs that wrote the folder.
    """

    medium: str
    task: str
    labels: dict
    n_features: int
    frame_shift: float
    stride: int
    sample_rate: int
    precision: str = "float32"
    longest_clip: float = 20.0
    frontend: dict = field(default_factory=dict)
    model: dict = field(default_factory=dict)
    decoding: dict = field(default_factory=dict)
    confidence: dict = field(default_factory=dict)
    times: dict = field(default_factory=dict)
    unknown: dict = field(default_factory=dict)
    about: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    format: int = FORMAT


def write_config(folder: Path, config: ModelConfig) -> None:
    """Write `config.json` into `folder`, a list a line."""
    text = json.dumps(asdict(config), indent=2, ensure_ascii=False)
    text = re.sub(r"\[\n\s+([^\[\]]*?)\n\s+\]", lambda found: "[" + re.sub(r"\n\s+", " ", found[1]) + "]", text)
    write_whole(folder / CONFIG, text + "\n")


def read_config(folder: Path) -> ModelConfig:
    """Read and check a folder's `config.json`.

    Raises:
        EarsightError: the file is missing or damaged, or a newer program wrote it.
    """
    path = folder / CONFIG
    try:
        stat = path.stat()
        as_it_is = stat.st_size, stat.st_mtime_ns, stat.st_ino
    except OSError:  # who reads it says what is wrong
        as_it_is = ()
    return _read_config(folder, as_it_is)


@lru_cache(4)  # a command asks several times, and a large lexicon takes a while
def _read_config(folder: Path, _: tuple[int, ...]) -> ModelConfig:
    path = folder / CONFIG
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EarsightError(f"{folder}: no {CONFIG}, so this is no model folder; make one with `earsight export`"
                            ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise EarsightError(f"{path}: damaged ({error}); export the model again") from error
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise EarsightError(f"{path}: not of format {FORMAT}, which this version reads; export the model again")
    try:
        names = [f.name for f in fields(ModelConfig) if f.name in plain or f.name not in LATER]
        config = ModelConfig(**{name: plain[name] for name in names})
    except (KeyError, TypeError) as error:
        raise EarsightError(f"{path}: damaged, {error} is missing or wrong; export the model again") from error
    if wrong := next((name for name, right in _examined(config) if not right), ""):
        raise EarsightError(f"{path}: damaged, {wrong!r} is missing or wrong; export the model again")
    return config


def _examined(config: ModelConfig) -> Iterator[tuple[str, bool]]:
    """What the program reckons with, and whether it is as it should be: anybody may edit the file."""
    yield "medium", config.medium in ("speech", "video", "lips", "audiovisual", "series", "frames")
    yield "task", config.task in ("ctc", "classification")
    for name in ("n_features", "stride"):
        yield name, _is_count(getattr(config, name))
    yield "sample_rate", config.sample_rate == 0 or _is_count(config.sample_rate)
    for name in ("frame_shift", "longest_clip"):
        yield name, _is_number(getattr(config, name)) and getattr(config, name) > 0
    yield "precision", isinstance(config.precision, str)
    for name in ("labels", "frontend", "model", "decoding", "confidence", "times", "unknown", "about", "versions"):
        yield name, isinstance(getattr(config, name), dict)
    labels = config.labels
    yield "labels.kind", labels.get("kind") in (*CTC_KINDS, "classes")
    yield "labels.symbols", _are_texts(labels.get("symbols")) and len(labels["symbols"]) > 0
    lexicon = labels.get("lexicon", {})
    yield "labels.lexicon", (isinstance(lexicon, dict) and {*map(type, lexicon.values())} <= {list}
                             and _are_texts([*chain.from_iterable(lexicon.values())]))
    yield "labels.bpe_model", isinstance(labels.get("bpe_model", ""), str)
    if "encoder" in config.frontend and config.medium == "speech":
        for name in ("hop_length", "shortest"):
            yield f"frontend.{name}", _is_count(config.frontend.get(name))
        silence = config.frontend.get("silence", [0, 0])  # samples before and after a clip
        yield "frontend.silence", (isinstance(silence, list) and len(silence) == 2
                                   and all(each == 0 or _is_count(each) for each in silence))
        longest = config.frontend.get("longest")
        yield "frontend.longest", isinstance(longest, int | float) and _is_number(longest) and longest > 0
    elif config.frontend and config.medium == "speech":
        for name in ("sample_rate", "window_length", "n_fft", "hop_length"):
            yield f"frontend.{name}", _is_count(config.frontend.get(name))
        yield "frontend.edges", config.frontend.get("edges") in EDGES
        yield "frontend.top_db", config.frontend.get("top_db", "") is None or _is_number(config.frontend.get("top_db"))
    if config.medium in ("lips", "audiovisual"):
        for name in ("side", "every"):
            yield f"frontend.{name}", _is_count(config.frontend.get(name))
        for name in ("rate", "width"):
            number = config.frontend.get(name)
            yield f"frontend.{name}", isinstance(number, int | float) and _is_number(number) and number > 0
        yield "frontend", config.frontend.keys() == {"rate", "side", "width", "every", "detector"}
    for name, stream in config.frontend.items() if config.medium == "video" else ():
        values = [value for key, value in stream.items() if key != "graphs"] if isinstance(stream, dict) else [stream]
        yield f"frontend.{name}", stream is None or all(
            _is_number(value) or isinstance(value, list) and all(map(_is_count, value)) for value in values)
    if config.medium == "series":
        channels, window = config.frontend.get("channels"), config.frontend.get("window")
        yield "frontend.channels", (isinstance(channels, list) and _are_texts(channels)
                                    and len(channels) == config.n_features)
        yield "frontend.window", isinstance(window, int | float) and _is_number(window) and window > 0
        yield "frontend.named", isinstance(config.frontend.get("named"), bool)
        yield "frontend.table", isinstance(config.frontend.get("table"), dict)
    for name, one in config.confidence.items():
        yield f"confidence.{name}", (isinstance(one, dict) and _is_number(one.get("bias"))
                                     and isinstance(one.get("weights"), list) and all(map(_is_number, one["weights"])))
    yield "confidence", not config.confidence or {"words", "transcript"} <= config.confidence.keys() <= {
        "words", "transcript", "sound"}
    numbers = {name: value for name, value in config.unknown.items() if name != "score"}
    yield "unknown", not config.unknown or (
        config.unknown.keys() == UNKNOWN_KEYS and all(map(_is_number, numbers.values()))
        and min(numbers["temperature"], numbers["scale"]) > 0 and isinstance(config.unknown["score"], str))
    yield "times", config.times.keys() <= {"start", "end"} and all(map(_is_number, config.times.values()))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9  # nor NaN


def _is_count(value: object) -> bool:
    return isinstance(value, int) and _is_number(value) and value > 0


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and {*map(type, value)} <= {str}


def find_model(name: str | Path) -> Path:
    """The folder of a model that is given by its path or, for those in the package, by name."""
    folder = Path(name).expanduser()
    if os.path.isdir(folder):  # which takes what the system refuses, as a name too long, for none
        return folder
    for known in (package_models, pulled_models):
        if found := known().get(str(name)):
            return found
    known = installed_models()
    raise EarsightError(f"model {str(name)!r}: no such file or folder, and none of that name is installed; "
                        f"installed are {', '.join(known) or 'none'} (see `earsight models`)")


def demand_own(folder: Path) -> None:
    """Refuse to change an installed model: all of its users share it.

    Raises:
        EarsightError: it is one of `installed_models`.
    """
    if any(folder.resolve() == installed.resolve() for installed in installed_models().values()):
        raise EarsightError(f"{folder}: an installed model, which stays as it is; name a folder of your own "
                            "(`tune-decoder --output DIR`)")


def medium_of(model: str | Path) -> str:
    """What a model folder or an installed model takes; see `ModelConfig.medium`."""
    return read_config(find_model(model)).medium


def installed_models() -> dict[str, Path]:
    """Name -> folder of the models that come with the package, and of those that were pulled."""
    return {**pulled_models(), **package_models()}


def package_models() -> dict[str, Path]:
    """Name -> folder of the models that come with the package; a service asks for each request, and they stay."""
    return {**_package_models(PACKAGE_ROOT)}


@lru_cache(4)
def _package_models(root: Path) -> dict[str, Path]:
    return _models_in(root.glob(f"*/models/*/{CONFIG}"))


def pulled_models() -> dict[str, Path]:
    """Name -> folder of the models that `earsight models pull` installed."""
    return _models_in(models_home().glob(f"[!.]*/{CONFIG}"))


def models_home() -> Path:
    """Where pulled models are: EARSIGHT_MODELS, or the folder that the system has for a user's data."""
    if given := os.environ.get("EARSIGHT_MODELS"):
        return Path(given).expanduser()
    from platformdirs import user_data_path  # not loaded for models of the package

    return user_data_path("earsight", appauthor=False) / "models"


def _models_in(configs: Iterable[Path]) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in sorted(configs, key=lambda path: path.parent.name)}


def describe_models() -> str:
    """What is installed, from where, trained on what, with which figures and licence."""
    return "\n\n".join(_described(name, folder) for name, folder in installed_models().items())


def _described(name: str, folder: Path) -> str:
    origin = {}
    if (folder / ORIGIN).is_file():
        try:
            plain = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
            origin = {"from": plain["source"], "sha256": plain["sha256"]}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            origin = {"from": "not known"}
    try:
        config = read_config(folder)
    except EarsightError as error:  # of a model that was pulled for another version
        about = {"unusable": error}
    else:
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        about = {"task": f"{config.medium}, {config.task}, {config.labels['kind']}, {config.precision}, {size:.1f} MB",
                 **config.about}
    lines = [name]
    for key, value in {**origin, **about}.items():
        if isinstance(value, dict):
            lines += [f"  {key}:", *(f"    {k}: {v}" for k, v in value.items())]
        else:
            lines.append(f"  {key}: {value}")
    return "\n".join(lines)
