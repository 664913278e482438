"""One function over many files: in parallel, each result as it is ready, a bad file never in the way of others."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any

from .errors import EarsightError
from .files import partial_of, write_whole
from .paths import output_names
from .signals import Stopped
from .steps import Item, Result, Steps, attempt, finished, in_step
from .threads import usable_cores
from .unfinished import Job
from .workers import TRIES, Forks, Message, can_fork

# What has one function done over many items: (items, work, jobs) -> each item with its result or the error that it met.
Spread = Callable[[Sequence[Any], Callable[[Any], Any], int], Iterator[tuple[Any, Any]]]

BAR_FROM = 4  # files; fewer are done before a bar would help
FORKS_FROM = 4  # files; of fewer, one may be long, and has a bar of its own
HANDFUL = 0.1  # seconds of work that is handed out at once


def run_parallel(items: Sequence[Item], work: Callable[[Item], Result], jobs: int
                 ) -> Iterator[tuple[Item, Result | EarsightError]]:
    """Yield every item with its result, or the error that it met, in the order given.

    Threads serve: decoding, resampling and ONNX Runtime work outside Python's lock.
    """
    with thread_pool(jobs) as pool:
        yield from zip(items, pool.map(partial(attempt, work), items))


def run_as_ready(items: Sequence[Item], work: Callable[[Item], Result], jobs: int
                 ) -> Iterator[tuple[Item, Result | EarsightError]]:
    """The same, each item as it is ready: what is done is told, or written, whatever others take."""
    with thread_pool(jobs) as pool:
        for place, one in in_handfuls(pool, lambda places: [attempt(work, items[place]) for place in places],
                                      len(items), jobs, lambda place: True):
            yield items[place], one


def run_forked(items: Sequence[Item], work: Callable[[Item], Steps[str | None]], jobs: int,
               short: Callable[[Item], bool] = lambda item: True) -> Iterator[tuple[Item, str | None | EarsightError]]:
    """The same in forks of this process, for work that holds Python's lock for much of its time.

    Where there are no forks, or they would not help, threads do it.

    Args:
        work: item -> the steps to a text or None; what else it changes in memory is lost.
        short: whether an item may be one of several that go side by side; all of them wait for the last.
    """
    if len(items) < FORKS_FROM:
        yield from run_as_ready(items, lambda item: finished(work(item)), jobs)
        return

    def alone(place: int) -> bool:
        return not short(items[place])

    def here(places: Sequence[int]) -> list[str | None | EarsightError]:
        return in_step(work, [items[place] for place in places])

    if jobs == 1 or not can_fork():
        with thread_pool(jobs) as pool:
            for place, one in in_handfuls(pool, here, len(items), jobs, alone):
                yield items[place], one
        return

    def do(message: Message) -> list[Message]:
        return [{"error": str(one)} if isinstance(one, EarsightError) else {"text": one}
                for one in here(message["items"])]

    def ask(places: Sequence[int], tries: int) -> list[str | None | EarsightError]:
        answers = forks.ask({"items": [*places]}, str(items[places[0]]), tries)
        return [EarsightError(one["error"]) if "error" in one else one["text"] for one in answers]

    def ask_one(place: int) -> str | None | EarsightError:
        return attempt(lambda _: ask([place], TRIES - 1)[0], items[place])

    def ask_handful(places: Sequence[int]) -> list[str | None | EarsightError]:
        try:
            return ask(places, 1)
        except EarsightError:  # one of them had the fork killed, and the others need not suffer for it
            return [ask_one(place) for place in places]

    with Forks(jobs, do) as forks, thread_pool(jobs) as pool:
        for place, one in in_handfuls(pool, ask_handful, len(items), jobs, alone):
            yield items[place], one


def in_handfuls(pool: ThreadPoolExecutor, work: Callable[[Sequence[int]], Sequence[Result]], count: int, jobs: int,
                alone: Callable[[int], bool]) -> Iterator[tuple[int, Result]]:
    """The numbers from 0 up to `count` with what `work` gives of them, each as it is ready.

    Each of `jobs` threads of the pool hands it as many numbers at once as take HANDFUL at the rate so far. Asked for
    clips of seconds one by one, the process that reads them waits for a twentieth of its time, and each costs more (see
    `steps`).

    Args:
        alone: which numbers it is asked for one by one.
    """
    results: SimpleQueue[tuple[int, Any]] = SimpleQueue()
    lock, first = Lock(), 0

    def take(size: int) -> range:
        nonlocal first
        with lock:
            most = min(first + min(size, (count - first) // (2 * jobs) + 1), count)
            last = min(first + 1, count)
            while last < most and not alone(first) and not alone(last):
                last += 1
            handful, first = range(first, last), last
        return handful

    def go_on() -> None:
        size = 1
        try:
            while handful := take(size):
                begun = time.monotonic()
                for place, result in zip(handful, work(handful), strict=True):
                    results.put((place, result))
                size = max(1, int(HANDFUL * len(handful) / max(time.monotonic() - begun, 1e-6)))
        except BaseException as error:  # whoever takes the results meets it
            results.put((-1, error))

    for _ in range(jobs):
        pool.submit(go_on)
    try:
        for _ in range(count):
            place, result = results.get()
            if place < 0:
                raise result
            yield place, result
    finally:
        first = count


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


def run_command(paths: Sequence[Path], refused: Sequence[EarsightError], work: Callable[[Any], Any], suffix: str,
                output: Path | None, jobs: int, header: str = "", inputs: Sequence[str | Path | None] = (),
                spread: Callable[..., Iterator[tuple[Any, Any]]] = run_as_ready, job: str = "") -> int:
    """Work through files for the command line; print or write each result; report what failed.

    Args:
        paths: the files.
        refused: errors that were met while the files were looked up.
        work: file, or what `spread` has in its place, -> its text, without a line break at the end, or None if that is
            printed already; for `run_forked` the steps to it.
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
    results = spread(waiting, work, jobs)
    with _told_of_kept(output, names, unfinished):
        for path, text in _with_bar(results if output else _in_order(waiting, results), len(waiting)):
            try:
                if isinstance(text, EarsightError):
                    raise text
                if text is None:
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


def text_of(work: Callable[[Item], Result], write: Callable[[Result], str], item: Item) -> str:
    """What `write` makes of what `work` gives; in part applied, it can be sent to other processes if they can."""
    return write(work(item))


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
