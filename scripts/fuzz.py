"""Looks for input that is met by something else than a result or an `EarsightError`: damaged files, odd arguments.

    pip install atheris==2.3.0                              # for Python 3.11; 3.0.0 for later ones
    python scripts/fuzz.py all --minutes 60                 # divided among the targets by what they are worth
    python scripts/fuzz.py sound --minutes 5 --seed 2
    python scripts/fuzz.py arguments --minutes 60           # hypothesis, without atheris
    python scripts/fuzz.py sound --input FILE               # one input again

Each target begins with valid input, made on the fly, changes it guided by coverage (atheris, libFuzzer), and calls the
public function that reads such a thing. The first byte of an input chooses how the rest is read. What is found goes to
DIR/findings/TARGET/, one folder for each kind of error and place in this project: the input, and a traceback. A process
that crashes, takes too long or too much memory is a finding if it does so again with that input alone; another one goes
on. Inputs that reach something new are kept in DIR/TARGET, and are where the next run begins. The end is a table.

Coverage is that of the project's own Python: what libav, libsndfile or KenLM do with an input is not seen, but whether
they live through it.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib.util
import io
import os
import pickle
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fuzz_arguments import argument_calls
from fuzz_changes import mutate_json, mutate_text
from fuzz_files import (
    archive_seeds,
    config_seeds,
    film_seeds,
    frames_seeds,
    lm_seeds,
    manifest_seeds,
    read_archive,
    read_clip_table,
    read_cuts,
    read_film,
    read_language_model,
    read_model,
    read_series_table,
    read_sound,
    read_state,
    read_stored_frames,
    read_texts_of,
    series_seeds,
    sound_seeds,
    state_seeds,
    table_seeds,
    text_seeds,
)
from fuzz_material import make_material

REPOSITORY = Path(__file__).resolve().parent.parent
LONGEST = 10.0  # seconds of the processor that an input may take
TRAINING = 40.0  # the same of a call, which may train: 4 series of 9 steps take 7
WALL = 300.0  # seconds by the clock, of a machine with other work
MEMORY = 2 << 30  # bytes that an input may take
LIMIT = 3  # exit status of a process whose input took too much memory


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes:
        seeds: material -> valid inputs, each behind its first byte.
        read: material, a folder to write to, the first byte, the rest -> nothing.
        mutate: bytes, their utmost number, a seed -> other bytes; None leaves that to libFuzzer.
        worth: share of the time of `all`.
    """

    seeds: Callable[[Path], Iterator[bytes]]
    read: Callable[[Path, Path, int, bytes], object]
    mutate: Callable[[bytes, int, int], bytes] | None = None
    worth: float = 1.0


# A process that tries inputs

TARGETS = {
    "sound": Target(sound_seeds, read_sound, worth=3),
    "film": Target(film_seeds, read_film, worth=2),
    "frames": Target(frames_seeds, read_stored_frames, worth=0.7),
    "table": Target(table_seeds, read_clip_table, mutate_text),
    "manifest": Target(manifest_seeds, read_cuts, mutate_json, worth=2),
    "series": Target(series_seeds, read_series_table, mutate_text, worth=2),
    "lm": Target(lm_seeds, read_language_model, mutate_text, worth=1.5),
    "text": Target(text_seeds, read_texts_of, mutate_text, worth=0.8),
    "config": Target(config_seeds, read_model, mutate_json, worth=2),
    "state": Target(state_seeds, read_state, mutate_json, worth=0.5),
    "archive": Target(archive_seeds, read_archive, worth=0.5),
}
ARGUMENTS = "arguments"


class Trial:
    """Tries inputs one by one, and writes down what is found; the process ends with LIMIT at one that takes too much.

    Args:
        target: its name.
        place: DIR.
        work: a folder for this run: `input`, the last one; `log`, why the process ended; `count`, of inputs.
        longest: seconds of the processor that an input may take.
    """

    def __init__(self, target: str, place: Path, work: Path, longest: float = LONGEST):
        self.target, self.place, self.work, self.longest = target, place, work, longest
        self.log = open(work / "log", "w")
        self.input = os.open(work / "input", os.O_RDWR | os.O_CREAT)
        self.noted = ""  # of the last finding, what is told
        self.count = int((work / "count").read_text() or 0) if (work / "count").exists() else 0
        self.counter = os.open(work / "count", os.O_RDWR | os.O_CREAT)
        faulthandler.enable(self.log)
        faulthandler.register(signal.SIGPROF, self.log, chain=True)  # and the process ends

    def __call__(self, content: bytes, call: Callable[[], object], told: str = "") -> None:
        from earsight.common.errors import EarsightError

        os.ftruncate(self.input, 0)
        os.pwrite(self.input, content, 0)
        self.count += 1
        os.pwrite(self.counter, str(self.count).encode(), 0)
        signal.setitimer(signal.ITIMER_PROF, self.longest)
        faulthandler.dump_traceback_later(WALL, exit=True, file=self.log)
        try:
            call()
        except EarsightError as error:
            str(error)
        except MemoryError:
            traceback.print_exc(file=self.log)
            os._exit(LIMIT)
        except BaseException as error:
            self.note(error, content, told)
        finally:
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_PROF, 0)

    def note(self, error: BaseException, content: bytes, told: str) -> None:
        key = f"{type(error).__name__}-{innermost(error)}"
        self.noted = told + "".join(traceback.format_exception(error))
        keep_finding(self.place, self.target, key, content, self.noted)


def innermost(error: BaseException) -> str:
    """The last place of this project in a traceback, the parts of this script left out."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if Path(frame.filename).is_relative_to(REPOSITORY)
              and Path(frame.filename).parent != Path(__file__).resolve().parent]
    if not frames:
        return "outside"
    return f"{Path(frames[-1].filename).relative_to(REPOSITORY)}-{frames[-1].lineno}".replace("/", ".")


def keep_finding(place: Path, target: str, key: str, content: bytes, told: str) -> None:
    folder = place / "findings" / target / re.sub(r"[^\w.-]", "_", key)
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / "input").write_bytes(content)
        (folder / "traceback.txt").write_text(told, errors="backslashreplace")


def limit_memory(more: int = MEMORY) -> None:
    """So many bytes more than what is mapped now."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + more, resource.RLIM_INFINITY))


def try_inputs(name: str, place: Path, work: Path, seconds: float, seed: int, single: Path | None) -> str:
    """A process's work: one input, or such as atheris makes, for so long; what is told of a single one's error."""
    target, trial = TARGETS[name], Trial(name, place, work)
    material, folder = place / "material", work / "files"

    def read(data: bytes) -> None:
        for old in (folder, Path(os.environ["EARSIGHT_MODELS"])):
            shutil.rmtree(old, ignore_errors=True)
        folder.mkdir()
        target.read(material, folder, data[0], data[1:])

    def one(data: bytes) -> None:
        if data:
            trial(data, partial(read, data))

    with redirect_stdout(Nothing()), redirect_stderr(Nothing()):
        if single:
            one(single.read_bytes())
            return trial.noted
        import atheris

        corpus = place / name
        with atheris.instrument_imports(include=["earsight"]):  # modules are loaded when they are needed
            for path in sorted(corpus.glob("seed*")):
                with suppress(Exception):
                    read(path.read_bytes())
        limit_memory()
        largest = max(path.stat().st_size for path in corpus.iterdir())
        options = [f"-max_total_time={round(seconds)}", f"-seed={seed}", f"-max_len={largest + 2000}", "-len_control=0",
                   "-rss_limit_mb=0", "-timeout=1000000", f"-artifact_prefix={work}/",
                   *(f"-handle_{signal}=0" for signal in ("segv", "abrt", "bus", "fpe"))]  # faulthandler has them
        mutator = {"custom_mutator": target.mutate} if target.mutate else {}
        atheris.Setup([sys.argv[0], *options, str(corpus)], one, **mutator)
        atheris.Fuzz()
    return ""


def try_arguments(place: Path, work: Path, seconds: float, seed: int, single: Path | None) -> str:
    """The same for calls, by hypothesis."""
    trial, material, folder = Trial(ARGUMENTS, place, work, TRAINING), place / "material", work / "files"
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    calls = argument_calls(material, folder)
    if single:
        name, given = pickle.loads(single.read_bytes())
        print(name, given)
        trial(single.read_bytes(), lambda: calls[name][1](**given))
        return trial.noted

    import hypothesis

    end, number = time.monotonic() + seconds, seed

    def attempt(name: str, given: dict[str, Any]) -> None:
        if time.monotonic() < end:
            trial(pickle.dumps((name, given)), lambda: calls[name][1](**given), f"{name} {given!r}\n\n")
            os.chdir(folder)

    rules = hypothesis.settings(max_examples=20, database=None, deadline=None, phases=[hypothesis.Phase.generate],
                                suppress_health_check=list(hypothesis.HealthCheck))
    limit_memory(4 * MEMORY)  # libraries are still to be loaded
    with redirect_stdout(Nothing()), redirect_stderr(Nothing()):
        while time.monotonic() < end:
            for name in random.Random(number).sample(list(calls), len(calls)):
                number += 1

                @hypothesis.seed(number)
                @rules
                @hypothesis.given(given=calls[name][0])
                def test(given: dict[str, Any]) -> None:
                    attempt(name, given)

                test()
    return ""


class Nothing(io.TextIOBase):
    """Where what is printed goes."""

    def write(self, text: str) -> int:
        return len(text)

    def fileno(self) -> int:
        return 1


def make_corpus(name: str, place: Path) -> None:
    """Seeds of a target, where there are none yet."""
    corpus, material = place / name, make_material(place / "material")
    if name in TARGETS and not corpus.exists():
        corpus.mkdir(parents=True)
        for number, seed in enumerate(TARGETS[name].seeds(material)):
            (corpus / f"seed{number:02}").write_bytes(seed)


# Processes, one after another


def fuzz(name: str, place: Path, minutes: float, seed: int) -> tuple[str, int, float, float, int]:
    """Try inputs for so long; the target, how many inputs, minutes by the clock and of the processor, findings."""
    begun, spent, restarts = time.monotonic(), processor(), 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        work = Path(folder)
        while (left := 60 * minutes - (time.monotonic() - begun)) > 3:
            before = counted(work)
            status = start(name, place, work, "--seconds", str(left), "--seed", str(seed + restarts))
            restarts += 1
            if status == 0:
                break
            if counted(work) == before:
                said = (work / "said").read_text(errors="replace")[-2000:]
                raise SystemExit(f"{name}: {said}\nerror: the process that tries inputs does not begin")
            confirm(name, place, work)
        tried = counted(work)
    found = place / "findings" / name
    findings = len(list(found.iterdir())) if found.exists() else 0
    return name, tried, (time.monotonic() - begun) / 60, (processor() - spent) / 60, findings


def processor() -> float:
    """Seconds of the processor that all ended processes have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def confirm(name: str, place: Path, work: Path) -> None:
    """Note the last input, if a process ends at it alone too."""
    content, told = (work / "input").read_bytes(), (work / "log").read_text(errors="replace")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        (Path(folder) / "single").write_bytes(content)
        status = start(name, place, Path(folder), "--input", str(Path(folder) / "single"))
    if status:
        places = re.findall(rf'File "{re.escape(str(REPOSITORY))}/(?!scripts)(\S+)", line (\d+)', told)
        where = "-".join(places[0]).replace("/", ".") if places else "outside"
        keep_finding(place, name, f"ended-{status}-{where}", content, told)


def start(name: str, place: Path, work: Path, *more: str) -> int:
    """One process to its end; its exit status."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2",
                   "EARSIGHT_MODELS": str(work / "models"), "CUDA_VISIBLE_DEVICES": "", "TMPDIR": str(work),
                   "OPENCV_FFMPEG_LOGLEVEL": "-8"}
    with open(work / "said", "w") as said:
        return subprocess.run([sys.executable, __file__, name, "--corpus", str(place), "--work", str(work), *more],
                              stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment).returncode


def counted(work: Path) -> int:
    return int((work / "count").read_text() or 0) if (work / "count").exists() else 0


def shares(names: Sequence[str], minutes: float) -> dict[str, float]:
    total = sum(TARGETS[name].worth for name in names if name in TARGETS) or 1.0
    return {name: minutes * TARGETS[name].worth / total if name in TARGETS else minutes for name in names}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("target", choices=["all", *TARGETS, ARGUMENTS], help="all: every one that reads files")
    arguments.add_argument("--minutes", type=float, default=1.0, help="in all (default: 1)")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--corpus", type=Path, default=Path(tempfile.gettempdir(), "earsight-fuzz"), metavar="DIR",
                           help="inputs that were kept, and findings (default: earsight-fuzz among temporary files)")
    arguments.add_argument("--input", type=Path, metavar="FILE", help="try this one")
    arguments.add_argument("--work", type=Path, help=argparse.SUPPRESS)  # of a process that tries inputs
    arguments.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    args = arguments.parse_args()
    needed = "hypothesis" if args.target == ARGUMENTS else "atheris"
    if importlib.util.find_spec(needed) is None:
        print(f"error: {needed} is not installed, and this needs it: pip install {needed}"
              f"{'==2.3.0 (Python 3.11; 3.0.0 for later ones)' if needed == 'atheris' else ''}", file=sys.stderr)
        return 1
    place = args.corpus.resolve()
    by_hand = args.work is None
    if by_hand:
        args.work = Path(tempfile.mkdtemp(prefix="fuzz-")) if args.input else None
    if args.work:
        os.environ.setdefault("EARSIGHT_MODELS", str(args.work / "models"))
        single = args.input.resolve() if args.input else None
        if args.target == ARGUMENTS:
            told = try_arguments(place, args.work, args.seconds or 0, args.seed, single)
        else:
            told = try_inputs(args.target, place, args.work, args.seconds or 0, args.seed, single)
        if by_hand:
            print(told or "a result, or an EarsightError")
        return int(by_hand and bool(told))
    print("| target | inputs | minutes | of the processor | findings |\n|---|---|---|---|---|")
    found = 0
    for name, minutes in shares(list(TARGETS) if args.target == "all" else [args.target], args.minutes).items():
        make_corpus(name, place)
        name, inputs, taken, spent, findings = fuzz(name, place, minutes, args.seed)
        print(f"| {name} | {inputs} | {taken:.1f} | {spent:.1f} | {findings} |", flush=True)
        found += findings
    print(f"\n{place / 'findings'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.path[:0] = [str(REPOSITORY / "tests")]
    sys.exit(main())
