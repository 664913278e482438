"""One function over many files: in parallel, each result as it is ready, a bad file never in the way of others."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from .errors import EarsightError
from .files import partial_of, write_whole
from .paths import output_names
from .signals import Stopped
from .threads import usable_cores
from .workers import Forks, Message, can_fork

Item = TypeVar("Item")
Result = TypeVar("Result")

BAR_FROM = 4  # files; fewer are done before a bar would help
FORKS_FROM = 4  # files; of fewer, one may be long, and has a bar of its own


def run_parallel(items: Sequence[Item], work: Callable[[Item], Result], jobs: int
                 ) -> Iterator[tuple[Item, Result | EarsightError]]:
    """Yield every item with its result, or the error that it met, in the order given.

    Threads serve: decoding, resampling and ONNX Runtime work outside Python's lock.
    """
    with thread_pool(jobs) as pool:
        yield from zip(items, pool.map(partial(_attempt, work), items))


def run_forked(items: Sequence[Item], work: Callable[[Item], str], jobs: int
               ) -> Iterator[tuple[Item, str | EarsightError]]:
    """The same in forks of this process, for work that holds Python's lock for much of its time.

    `work` gives a text, and what else it changes in memory is lost. Where there are no forks, or they would not help,
    threads do it.
    """
    if jobs == 1 or len(items) < FORKS_FROM or not can_fork():
        yield from run_parallel(items, work, jobs)
        return

    def do(message: Message) -> str:
        outcome = _attempt(work, items[message["item"]])
        if isinstance(outcome, EarsightError):
            raise outcome
        return outcome

    def ask(place: int) -> str | EarsightError:
        return _attempt(lambda item: forks.ask({"item": place}, str(item)), items[place])

    with Forks(jobs, do) as forks, thread_pool(jobs) as pool:
        yield from zip(items, pool.map(ask, range(len(items))))


def _attempt(work: Callable[[Item], Result], item: Item) -> Result | EarsightError:
    try:
        return work(item)
    except EarsightError as error:
        return error
    except MemoryError:
        return EarsightError(f"{item}: too long for this machine's memory; split it")


@contextmanager
def thread_pool(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads that is waited for if all went well, and left to itself if not: an error is told at once."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def run_command(paths: Sequence[Path], refused: Sequence[EarsightError], work: Callable[[Path], Result],
                write: Callable[[Result], str] | None, suffix: str, output: Path | None, jobs: int, header: str = "",
                inputs: Sequence[str | Path | None] = (), forks: bool = False) -> int:
    """Work through files for the command line; print or write each result; report what failed.

    Args:
        paths: the files.
        refused: errors that were met while the files were looked up.
        work: file -> result.
        write: result -> text, without a line break at the end; None where `work` has printed it.
        suffix: of the files in `output`.
        output: folder for one file a clip; None prints to standard output.
        jobs: files at a time.
        header: printed before all results.
        inputs: files that are read besides; nothing is written over them or the others.
        forks: have forks of this process do it; see `run_forked`.

    Returns:
        The exit status: 0 if every file was done, else 1.
    """
    errors = list(refused)
    for error in errors:
        _complain(error)
    names = output_names(paths, suffix) if output else {}
    read = {os.path.realpath(path) for path in (*paths, *inputs) if path}
    if output and (both := read.intersection(os.path.realpath(output / name) for name in names.values())):
        raise EarsightError(f"{min(both)}: this command reads it, and would write over it; choose another --output")
    if header and not output:
        print(header)

    def text_of(path: Path) -> str:
        result = work(path)
        return write(result) if write else ""

    results = (run_forked if forks else run_parallel)(paths, text_of, jobs)
    for path, text in _with_bar(_told_of_partials(results, output, names), len(paths)):
        try:
            if isinstance(text, EarsightError):
                raise text
            if write is None:
                continue
            if output:
                write_whole(output / names[path], text + "\n")
                partial_of(output / names[path]).unlink(missing_ok=True)
            else:
                if suffix == ".txt" and len(paths) > 1:
                    # Several lines, as a timeline's, stand below their clip's name.
                    gap = "\n" if "\n" in text else " "
                    text = f"{path}:{gap}{text}"
                if text or suffix == ".txt":
                    print(text, flush=True)
        except EarsightError as error:
            errors.append(error)
            _complain(error)
    if errors and len(paths) + len(refused) > 1:
        _complain(f"{len(errors)} of {len(paths) + len(refused)} inputs failed")
    return 1 if errors else 0


def default_jobs() -> int:
    """As many files at a time as this process may use cores."""
    return usable_cores()


def share_cores(jobs: int | None, files: int) -> tuple[int, int]:
    """How many files at a time, and how many threads for each: of many files one, of one file all.

    Args:
        jobs: files at a time, if the user says so.
    """
    cores = default_jobs()
    jobs = min(jobs or cores, max(files, 1))
    return jobs, max(1, cores // jobs)


def _told_of_partials(items: Iterator[Item], output: Path | None, names: Mapping[Path, str]) -> Iterator[Item]:
    """Have a signal's error say that what was heard of a long recording is kept."""
    try:
        yield from items
    except Stopped as stop:
        if output and any(partial_of(output / name).exists() for name in names.values()):
            raise Stopped(stop.number, f"what was heard is kept in {output}, and the same command goes on") from stop
        raise


def _with_bar(items: Iterator[Item], total: int) -> Iterator[Item]:
    if total < BAR_FROM or not sys.stderr.isatty():
        return items
    from tqdm import tqdm

    return iter(tqdm(items, total=total, unit="file", file=sys.stderr))


def _complain(error: EarsightError | str) -> None:
    print(f"error: {error}", file=sys.stderr, flush=True)
