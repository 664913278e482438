"""What the command line takes: the arguments of each command, and their help."""

import argparse
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..audio.live.endpoints import EndpointRules
from ..video.live.settings import Rolling
from .examples import epilog
from .service.settings import KEYS, Settings

TRANSCRIPT_FORMATS = ("txt", "json", "jsonl", "srt", "vtt", "ctm", "stm", "TextGrid", "tsv")
CLASSIFICATION_FORMATS = ("txt", "json", "csv", "srt")
RULES = {  # of `listen`, under sherpa-onnx's names
    "rule1_min_trailing_silence": "silence after which sound without words is given up",
    "rule2_min_trailing_silence": "silence that ends an utterance",
    "rule3_min_utterance_length": "after which an utterance is ended without a pause",
}
SHELLS = ("bash", "zsh", "fish")


def parser(transcriber: str, classifiers: dict[str, str]) -> argparse.ArgumentParser:
    """The parser of all commands.

    Args:
        transcriber: the model of `transcribe` where none is named.
        classifiers: by medium, those of `classify`.
    """
    every = argparse.ArgumentParser(prog="earsight", description="Recognise sequences in speech and video.")
    every.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = every.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, help: str, more: str = "") -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.{more}",
                                   epilog=epilog(name), formatter_class=argparse.RawDescriptionHelpFormatter)

    for name, what, paths, model, formats in (
            ("transcribe", "write what is said in clips", "sound, videos, or frames (.npy, .mfc)",
             transcriber, TRANSCRIPT_FORMATS),
            ("classify", "name what is done or heard in clips",
             "videos, sound, frames (.npy), or tables of series (.csv .tsv .parquet .ts .arff .npz)",
             None, CLASSIFICATION_FORMATS)):
        sub = command(name, what)
        sub.add_argument("paths", nargs="+", metavar="PATHS", help=f"files, folders, globs or manifests: {paths}")
        default = model or ", ".join(f"{model} for {medium}" for medium, model in classifiers.items())
        sub.add_argument("--model", default=model, help=f"model folder or installed model (default: {default})")
        sub.add_argument("--format", choices=formats, default="txt", help="default: txt; json: one line a clip",
                         type=_format)
        sub.add_argument("--output", type=Path, metavar="DIR", help="write one file a clip into DIR")
        sub.add_argument("--jobs", type=_positive, help="clips at a time (default: what suits the cores)")
        _add_ray(sub, "With --output, the same command goes on with a job that was stopped")
        if name == "transcribe":
            _add_decoding(sub)
            sub.add_argument("--n-best", type=_positive, help="readings of a clip to give (json)")
            sub.add_argument("--min-confidence", type=_share, metavar="X",
                             help="leave out words of less confidence, 0 to 1")
            sub.add_argument("--doubtful", choices=("drop", "mark"), default="drop",
                             help="what --min-confidence does; mark: word(?), in every format (default: drop)")
            sub.add_argument("--channels", type=_channels, default="mix", metavar="mix|split|N",
                             help="mix all channels, give each a transcript (FILE-ch1, ...), or read one alone "
                             "(default: mix)")
            sub.add_argument("--track", type=_positive, metavar="N",
                             help="sound track of a film (default: the first that is not silent)")
            sub.add_argument("--damaged", choices=("refuse", "skip"), default="refuse",
                             help="what becomes of files that are damaged; skip: silence for what is (default: refuse)")
    sub.add_argument("--top", type=_positive, default=1, help="how many classes to print (default: 1)")
    sub.add_argument("--timeline", action="store_true", help="what is done when, for long clips")
    sub.add_argument("--plot", type=Path, metavar="DIR", help="draw each clip's timeline into DIR")

    sub = command("explain", "draw what a model does with a clip: frames, outputs, gates and memory in time")
    sub.add_argument("clip", type=Path, metavar="CLIP", help="sound, frames (.npy), a video or a table of a series")
    sub.add_argument("--output", type=Path, required=True, metavar="FILE.png", help="or .svg, .pdf")
    sub.add_argument("--model", help=f"model folder or installed model (default: {transcriber}, for videos "
                     f"{classifiers['video']})")
    sub.add_argument("--layer", type=_positive, metavar="N", help="from 1, the lowest (default: the last)")
    sub.add_argument("--direction", choices=("forward", "backward"), default="forward")
    sub.add_argument("--units", type=int, nargs="+", default=[], metavar="N",
                     help="from 0 (default: three that vary most, each in its own way)")

    sub = command("align", "find when the words of a known text are said")
    sub.add_argument("clip", type=Path, metavar="CLIP", help="sound or stored frames; without TEXT, a manifest")
    sub.add_argument("text", nargs="?", metavar="TEXT", help="what is said, or a .txt file of it")
    sub.add_argument("--model", default=transcriber, help=f"model folder or installed model (default: {transcriber})")
    sub.add_argument("--lexicon", type=Path, metavar="FILE", help="further words: `word phone phone ...` a line")
    sub.add_argument("--numbers", choices=("keep", "words"), default="keep",
                     help="words: read 21 as `twenty one`, in English (default: keep)")
    sub.add_argument("--format", choices=TRANSCRIPT_FORMATS, default="TextGrid", type=_format,
                     help="default: TextGrid, with a tier of words and one of their labels")
    sub.add_argument("--output", type=Path, metavar="DIR", help="write one file a clip into DIR")
    sub.add_argument("--jobs", type=_positive, help="clips at a time (default: the number of cores)")

    sub = command("listen", "write what is said while it is said",
                  " From a microphone, unless a source is named.")
    sub.add_argument("source", nargs="?", metavar="FILE|-", help="a sound file, or - for raw 16-bit mono samples from "
                     "the standard input (default: the microphone)")
    sub.add_argument("--rate", type=_positive, metavar="HZ", help="of raw samples, from - (default: 16000) or in FILE")
    sub.add_argument("--device", metavar="N|NAME", help="which microphone (default: the system's choice)")
    sub.add_argument("--list-devices", action="store_true", help="tell which microphones there are, and end")
    sub.add_argument("--model", default=transcriber, help=f"model folder or installed model (default: {transcriber})")
    sub.add_argument("--format", choices=("txt", "jsonl"), default="txt", type=_format,
                     help="txt: each utterance when it is over; jsonl: partial words too, times and confidences "
                     "(default: txt)")
    sub.add_argument("--subtitles", type=Path, metavar="FILE.srt|.vtt", help="write what is heard into a file that "
                     "grows")
    for rule in fields(EndpointRules):
        sub.add_argument(f"--{rule.name.replace('_', '-')}", type=_amount, default=rule.default, metavar="SECONDS",
                         help=f"{RULES[rule.name]} (default: {rule.default})")
    _add_decoding(sub)

    sub = command("watch", "tell what is done while it is done",
                  " In the pictures of a camera, a film, or a stream of a network camera.")
    sub.add_argument("source", metavar="N|FILE|URL", help="a camera's number (0 is the first), a video, or an address "
                     "(rtsp://, http://, ...)")
    sub.add_argument("--model", default=classifiers["video"],
                     help=f"model folder or installed model (default: {classifiers['video']})")
    sub.add_argument("--format", choices=("txt", "jsonl"), default="txt", type=_format,
                     help="txt: each action when it is over; jsonl: its start too, when that is seen (default: txt)")
    for name, what, kind, metavar in (
            ("on", "probability from which an action is taken to be done", _share, "X"),
            ("off", "probability below which it is taken to be over", _share, "X"),
            ("window", "of pictures that the model sees at once", _amount, "SECONDS"),
            ("hop", "from one window to the next", _amount, "SECONDS")):
        default = getattr(Rolling, name)
        sub.add_argument(f"--{name}", type=kind, default=default, metavar=metavar,
                         help=f"{what} (default: {default:g})")

    _add_service(command("serve", "transcribe and classify for others, over HTTP and websockets",
                         " OpenAI's interface for transcriptions, vosk-server's for live sound."))

    sub = command("prepare", "turn a corpus into manifests")
    sub.add_argument("corpus", help="an4, grid, fsdd, librispeech, ucf101, hmdb51, kinetics, csv, folder, series "
                     "for tables of them, lhotse:NAME for lhotse's recipes, or embeddings, mouths, shards of what is "
                     "prepared")
    sub.add_argument("source", type=Path)
    sub.add_argument("destination", type=Path)
    sub.add_argument("option", nargs="*", metavar="NAME=VALUE", help="options of the corpus, e.g. hold_out=theo")

    sub = command("check", "look for what spoils training in manifests")
    sub.add_argument("manifests", nargs="+", type=Path, metavar="MANIFEST",
                     help="several are taken for the splits of one corpus")
    sub.add_argument("--model", help="model folder or installed model whose alphabet and frames the clips must fit")
    sub.add_argument("--sample-rate", type=_positive, help="Hz that every recording should have")
    sub.add_argument("--sheet", type=Path, metavar="FILE.png", help="draw some of the mouths that `prepare mouths` "
                     "stored")
    sub.add_argument("--shared-speakers", action="store_true", help="a speaker may be in several splits")

    sub = command("learn", "make a measured model of clips, with one command",
                  " Takes folders of a class each, tables (.csv, .tsv) and manifests, of sound, videos or frames.")
    sub.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="clips with their labels or texts")
    sub.add_argument("--output", type=Path, required=True, metavar="DIR",
                     help="the model folder; reports, recipes and frames go to DIR-learning. The same command goes on "
                     "where it was stopped")
    sub.add_argument("--minutes", type=float, default=15.0, metavar="M", help="the time to take (default: 15)")
    sub.add_argument("--add", action="store_true", help="teach the model in DIR further classes or clips, beside those "
                     "that it knows")
    sub.add_argument("--task", choices=("auto", "classes", "text"), default="auto",
                     help="what to learn (default: classes where each clip has a label, else texts)")

    sub = command("train", "train under Lightning: fit, validate or test")
    sub.add_argument("arguments", nargs=argparse.REMAINDER, metavar="fit --config RECIPE.yaml ...",
                     help="LightningCLI's; `earsight train fit --help` lists them")

    sub = command("tune", "search for settings by trials, or find the learning rate or the batches' duration",
                  " All other options are those of `earsight train fit`.")
    sub.allow_abbrev = False  # other options are passed on
    what = sub.add_mutually_exclusive_group(required=True)
    what.add_argument("--trials", type=_positive, metavar="N", help="of the study in all; the same command goes on "
                      "with a study that was stopped, and several at a time share it")
    what.add_argument("--find", choices=("lr", "batch"), help="test learning rates, or batches' durations, and suggest")
    sub.add_argument("--space", nargs="+", default=[], metavar="SETTING=RANGE", help="what to search: log(1e-4,1e-2), "
                     "uniform(0,0.5), int(64,256,64), choice(lstm,gru); or a YAML file of SETTING: RANGE")
    sub.add_argument("--study", type=Path, default=Path("runs/study"), metavar="DIR",
                     help="folder of the trials and the report, which all processes see (default: runs/study)")
    sub.add_argument("--storage", metavar="URL", help="database of the study, e.g. sqlite:///study.db (default: a file "
                     "in DIR)")
    sub.add_argument("--seed", type=int, default=1, help="of the choice of settings (default: 1)")
    sub.add_argument("--no-prune", dest="prune", action="store_false", help="end no trial that looks worse than others")
    sub.add_argument("--memory", type=float, metavar="GB", help="for --find batch on a CPU: what the process may take")

    sub = command("evaluate", "measure a checkpoint or a model folder on a manifest")
    sub.add_argument("model", metavar="MODEL", help="checkpoint, model folder or installed model")
    sub.add_argument("manifest", metavar="MANIFEST")
    sub.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    sub.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the confusion matrix (classification), "
                     "or with --noise the errors at each ratio")
    sub.add_argument("--report", type=Path, metavar="DIR", help="write DIR/index.html: figures, and the worst clips to "
                     "hear and see")
    sub.add_argument("--others", dest="other_clips", nargs="+", default=[], metavar="MANIFEST",
                     help="clips that are none of a calibrated classifier's classes: how many of them get a name")
    sub.add_argument("--worst", type=_positive, default=10, help="how many of the worst clips to show (default: 10)")
    sub.add_argument("--noise", choices=("babble", "white", "music"), help="add noise to the clips' sound, babble of "
                     "the other clips, and count errors at each of --snr; of films for sound, lips and both")
    sub.add_argument("--snr", nargs="+", metavar="DB", default=["-10", "-5", "0", "5", "10", "20", "clean"],
                     help="signal-to-noise ratios of --noise, and clean (default: -10 -5 0 5 10 20 clean)")
    _add_decoding(sub)

    sub = command("predict", "recognise a manifest with a checkpoint, one JSON line a clip",
                  " Takes options of Lightning's Trainer too: --trainer.devices N, --trainer.strategy ddp, ...")
    sub.add_argument("--model", required=True, metavar="CHECKPOINT")
    sub.add_argument("manifest", metavar="MANIFEST")
    sub.add_argument("--output", type=Path, required=True, metavar="FILE.jsonl",
                     help="what is there of it is not done again")
    sub.add_argument("--workers", type=_whole, default=1, metavar="N",
                     help="processes that read clips, a device (default: 1)")

    sub = command("export", "turn a checkpoint into a model folder")
    sub.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    sub.add_argument("destination", type=Path, metavar="DIR")
    sub.add_argument("--int8", action="store_true", help="8-bit weights: a quarter of the size, faster")
    sub.add_argument("--card", type=Path, metavar="FILE.json",
                     help="what `earsight models` tells: description, trained_on, licence, figures")

    sub.add_argument("--frontend", metavar="MODEL", help="of a model of stored frames: the model folder or installed "
                     "model whose frontend made them (`prepare embeddings ... model=MODEL`); it comes along")

    sub = command("lm", "make an n-gram language model of text")
    sub.add_argument("texts", nargs="+", type=Path, metavar="TEXT", help="text, a sentence a line; manifests; tables")
    sub.add_argument("--order", type=_positive, default=3, help="the longest n-grams (default: 3)")
    sub.add_argument("--output", type=Path, required=True, metavar="FILE",
                     help="lm.bin: KenLM's binary format, small and quick to load; any other name: ARPA, which is text")
    sub.add_argument("--vocabulary", type=_vocabulary, metavar="N|FILE",
                     help="the N commonest words, or those of a list; others become <unk>")
    sub.add_argument("--size", type=_megabytes, metavar="MB", help="leave out the n-grams that tell least, until "
                     "lm.bin is no larger")
    sub.add_argument("--characters", action="store_true", help="of characters, for beam search without a lexicon")
    sub.add_argument("--mix", metavar="LM|MODEL", help="mix it with another language model: an ARPA file, one that "
                     "this command made, or a model's own")
    sub.add_argument("--share", type=_share, metavar="X",
                     help="how much the text counts there, between 0 and 1 (default: 0.5)")

    sub = command("tune-decoder", "tune a model folder's beam search and confidence on development sets")
    sub.add_argument("model", metavar="MODEL", help="model folder; its settings are replaced, unless --output is given")
    sub.add_argument("manifests", nargs="+", type=Path, metavar="DEV_MANIFEST")
    sub.add_argument("--output", type=Path, metavar="DIR", help="write a tuned copy, and leave the model as it is; "
                     "installed models need it")
    sub.add_argument("--lm", type=Path, metavar="FILE", help="n-gram model to search with; copied into the folder")
    sub.add_argument("--lexicon", type=Path, metavar="FILE", help="words to search over; copied into the folder")

    sub = command("calibrate", "have a classifier's folder tell what is none of its classes, and how sure it is",
                  " Fitted on clips that the model was not trained on.")
    sub.add_argument("model", metavar="MODEL", help="model folder, which is changed unless --output is given")
    sub.add_argument("manifests", nargs="*", type=Path, metavar="DEV_MANIFEST", help="held-out clips of the classes")
    sub.add_argument("--others", dest="other_clips", nargs="+", type=Path, default=[], metavar="MANIFEST",
                     help="clips of anything else, labelled or not, the more various the better")
    sub.add_argument("--keep", type=_share, default=0.95, metavar="X",
                     help="share of the classes' clips that shall get a name (default: 0.95)")
    sub.add_argument("--score", choices=("auto", "energy", "states", "frames"), default="auto",
                     help="what tells how familiar a clip is (default: auto, what lets fewest other clips pass); "
                     "frames: clips of the training serve as DEV_MANIFEST too, and probabilities stay as they are")
    sub.add_argument("--like", type=Path, metavar="MODEL", help="instead of manifests: take over the calibration of a "
                     "model that was trained alike on a part of the clips, and calibrated on the others")
    sub.add_argument("--output", type=Path, metavar="DIR",
                     help="write a calibrated copy, and leave the model as it is; installed models need it")

    what = command("models", "list the installed models, or install, remove or pack one").add_subparsers(
        dest="action", metavar="ACTION")
    sub = what.add_parser("pull", help="install a model from an archive")
    sub.add_argument("name", metavar="NAME", help="what --model shall call it")
    sub.add_argument("source", metavar="FILE|URL", help="zip or tar of a model folder; a checksum in FILE.sha256 or "
                     "URL.sha256 is minded")
    sub.add_argument("--sha256", metavar="HEX", help="the archive's checksum, where somebody you trust tells it")
    sub = what.add_parser("remove", help="remove a model that was pulled")
    sub.add_argument("name", metavar="NAME")
    sub = what.add_parser("pack", help="write a model folder into an archive, and its checksum to the screen")
    sub.add_argument("model", metavar="FOLDER", help="model folder or installed model")
    sub.add_argument("output", type=Path, metavar="OUTPUT.zip")

    command("doctor", "tell what this installation can do, what it lacks, and what mends it")
    sub = command("completion", "print what completes this command line in a shell")
    sub.add_argument("shell", choices=SHELLS)
    return every


class _Version(argparse.Action):
    """Prints the version; looked up when it is asked for, since that takes longer than parsing."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"earsight {version()}")
        parser.exit()


def version() -> str:
    """Of the installed package."""
    import importlib.metadata

    return importlib.metadata.version("earsight")


def _add_decoding(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--decoder", choices=("greedy", "beam"), help="default: what the model folder stores, else greedy")
    sub.add_argument("--lm", metavar="FILE", help="n-gram language model (ARPA or KenLM binary), for beam search")
    sub.add_argument("--lexicon", metavar="FILE", help="words to search over: `word` or `word symbol ...` a line")
    sub.add_argument("--hotwords", nargs="+", metavar="WORDS[:WEIGHT]",
                     help="words to listen for: 'new york:5', or with phones 'york:5=Y AO R K'")


def _add_service(sub: argparse.ArgumentParser) -> None:
    def option(name: str, what: str, kind: Callable[[str], Any], metavar: str) -> None:
        default = getattr(Settings, name)
        told = "" if default is None else f" (default: {default:g})" if kind is _amount else f" (default: {default})"
        sub.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, metavar=metavar, help=what + told)

    option("host", "address to listen at; 0.0.0.0 for all of this machine's", str, "ADDRESS")
    option("port", "0 for one that is free", _port, "N")
    option("model", "model folder or installed model that transcribes", str, "MODEL")
    option("video_model", "likewise, that classifies videos", str, "MODEL")
    option("jobs", "worker processes (default: one a core)", _positive, "N")
    _add_ray(sub, "As many are begun as requests wait for, up to --jobs")
    option("keys", f"API keys, one a line; also those of {KEYS} in the environment", Path, "FILE")
    sub.add_argument("--allow-host", type=str, nargs="+", default=(), metavar="NAME",
                     help="names by which requests may call this machine, as behind a proxy, where it listens for "
                     "itself alone and without keys (default: localhost and addresses)")
    option("certificate", "PEM file, for HTTPS", Path, "FILE")
    option("certificate_key", "its private key, where that is in a file of its own", Path, "FILE")
    option("temporary", "where uploads are while they are read (default: the system's folder)", Path, "DIR")
    option("max_upload", "of a request", _amount, "MB")
    option("max_duration", "of a file or a stream", _amount, "SECONDS")
    option("max_queue", "requests that wait; more get 429", _positive, "N")
    option("max_streams", "websockets at a time", _positive, "N")
    option("max_time", "of a worker for a request", _amount, "SECONDS")
    option("max_memory", "of a worker", _amount, "GB")
    option("max_connections", "open sockets", _positive, "N")
    option("upload_time", "for a request's body", _amount, "SECONDS")
    option("idle_time", "for the next part of a request", _amount, "SECONDS")
    option("stream_idle", "for the next message of a websocket", _amount, "SECONDS")
    option("drain", "for requests under way, after SIGTERM", _amount, "SECONDS")


def _add_ray(sub: argparse.ArgumentParser, more: str) -> None:
    sub.add_argument("--ray", type=_address, nargs="?", const=os.environ.get("RAY_ADDRESS") or "local",
                     metavar="ADDRESS", help="work in the processes of a Ray cluster: auto, HOST:PORT, or local, one "
                     f"of this machine's (default: RAY_ADDRESS, else local). {more}")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, a number from 0 to 65535")
    return int(text)


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number between 0 and 1")
    return value


def _vocabulary(text: str) -> int | Path:
    return _positive(text) if text.isdecimal() else Path(text)


def _megabytes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of megabytes")
    return value


def _format(name: str) -> str:
    known = {form.lower(): form for form in (*TRANSCRIPT_FORMATS, *CLASSIFICATION_FORMATS)}
    return known.get("txt" if name == "text" else name.lower(), name)


def _channels(text: str) -> str | int:
    return text if text in ("mix", "split") else _positive(text)


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if text not in ("local", "auto") and not (host and "/" not in host and port.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is none of local, auto and HOST:PORT; write files before --ray, and "
                                         "in the place of an address of Ray's clients run this on a machine of the "
                                         "cluster, with auto")
    return text


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**15:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return int(text)
