"""One function over many files: in parallel, each result as it is ready, a bad file never in the way of others."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from .errors import EarsightError
from .files import partial_of, write_whole
from .paths import output_names
from .signals import Stopped
from .threads import usable_cores
from .unfinished import Job
from .workers import Forks, Message, can_fork

Item = TypeVar("Item")
Result = TypeVar("Result")
# What has one function done over many items: (items, work, jobs) -> each item with its result or the error that it met.
Spread = Callable[[Sequence[Any], Callable[[Any], Any], int], Iterator[tuple[Any, Any]]]

BAR_FROM = 4  # files; fewer are done before a bar would help
FORKS_FROM = 4  # files; of fewer, one may be long, and has a bar of its own


def run_parallel(items: Sequence[Item], work: Callable[[Item], Result], jobs: int
                 ) -> Iterator[tuple[Item, Result | EarsightError]]:
    """Yield every item with its result, or the error that it met, in the order given.

    Threads serve: decoding, resampling and ONNX Runtime work outside Python's lock.
    """
    with thread_pool(jobs) as pool:
        yield from zip(items, pool.map(partial(attempt, work), items))


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
        outcome = attempt(work, items[message["item"]])
        if isinstance(outcome, EarsightError):
            raise outcome
        return outcome

    def ask(place: int) -> str | EarsightError:
        return attempt(lambda item: forks.ask({"item": place}, str(item)), items[place])

    with Forks(jobs, do) as forks, thread_pool(jobs) as pool:
        yield from zip(items, pool.map(ask, range(len(items))))


def attempt(work: Callable[[Item], Result], item: Item) -> Result | EarsightError:
    """What `work` gives of an item, or the error that it met."""
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


def run_command(paths: Sequence[Path], refused: Sequence[EarsightError], work: Callable[[Any], Result],
                write: Callable[[Result], str] | None, suffix: str, output: Path | None, jobs: int, header: str = "",
                inputs: Sequence[str | Path | None] = (), spread: Spread = run_parallel, job: str = "") -> int:
    """Work through files for the command line; print or write each result; report what failed.

    Args:
        paths: the files.
        refused: errors that were met while the files were looked up.
        work: file, or what `spread` has in its place, -> result.
        write: result -> text, without a line break at the end; None where `work` has printed it.
        suffix: of the files in `output`.
        output: folder for one file a clip; None prints to standard output.
        jobs: files at a time.
        header: printed before all results.
        inputs: files that are read besides; nothing is written over them or the others.
        spread: how the files are worked through, in any order. They are printed in the order given.
        job: what `work` does, in full; given, a job that was stopped goes on with the outputs that are missing.

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
    unfinished = Job(output, names, job) if output and job else None
    waiting = unfinished.begin() if unfinished else list(paths)
    if len(waiting) < len(paths):
        _complain(f"{len(paths) - len(waiting)} of {len(paths)} files are done already", "note")
    results = spread(waiting, partial(_text_of, work, write), jobs)
    with _told_of_kept(output, names, unfinished):
        for path, text in _with_bar(results if output else _in_order(waiting, results), len(waiting)):
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
    if unfinished and not errors:
        unfinished.end()
    if errors and len(paths) + len(refused) > 1:
        _complain(f"{len(errors)} of {len(paths) + len(refused)} inputs failed")
    return 1 if errors else 0


def _text_of(work: Callable[[Item], Result], write: Callable[[Result], str] | None, item: Item) -> str:
    result = work(item)
    return write(result) if write else ""


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


@contextmanager
def _told_of_kept(output: Path | None, names: Mapping[Path, str], unfinished: Job | None) -> Iterator[None]:
    """Have a signal's error say that what was done, or heard of a long recording, is kept."""
    try:
        yield
    except Stopped as stop:
        if unfinished:
            raise Stopped(stop.number, f"what is done is in {output}, and the same command goes on") from stop
        if output and any(partial_of(output / name).exists() for name in names.values()):
            raise Stopped(stop.number, f"what was heard is kept in {output}, and the same command goes on") from stop
        raise


def _in_order(paths: Sequence[Path], results: Iterator[tuple[Path, Result]]) -> Iterator[tuple[Path, Result]]:
    """Results as they come, each kept back until those before it have come."""
    early: dict[Path, Result] = {}
    expected = iter(paths)
    following = next(expected, None)
    for path, result in results:
        early[path] = result
        while following in early:
            yield following, early.pop(following)
            following = next(expected, None)


def _with_bar(items: Iterator[Item], total: int) -> Iterator[Item]:
    if total < BAR_FROM or not sys.stderr.isatty():
        return items
    from tqdm import tqdm

    return iter(tqdm(items, total=total, unit="file", file=sys.stderr))


def _complain(what: EarsightError | str, kind: str = "error") -> None:
    print(f"{kind}: {what}", file=sys.stderr, flush=True)
