"""Workers that do several short requests at once: each gets what it would get alone, whatever becomes of the others."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

import earsight
from conftest import REPOSITORY, write_hours
from earsight.app.service import processes
from earsight.app.service.errors import ApiError
from earsight.app.service.processes import ProcessPool, Worker
from earsight.common import steps

EXAMPLES = REPOSITORY / "scripts" / "examples"
CLIPS = [EXAMPLES / name for name in ("command-telephone.wav", "date.mp3", "grid-sentence.wav", "phone-number.ogg")]


@pytest.fixture
def sent(monkeypatch) -> list[list[Path]]:
    """The files that workers have been sent, those that they read side by side together."""
    lists, send = [], Worker.send

    async def noted(worker, message):
        if "tasks" in message:
            lists.append([Path(arguments["path"]) for _, arguments in message["tasks"]])
        await send(worker, message)

    monkeypatch.setattr(Worker, "send", noted)
    return lists


@pytest.fixture
def stopped(sent, monkeypatch):
    """Stops the worker when it is sent its second tasks; coroutine function of the pool: until then -> its process."""
    send = Worker.send

    async def stopping(worker, message):
        if len(sent) == 1 and "tasks" in message:
            os.kill(worker.process.pid, signal.SIGSTOP)
        await send(worker, message)

    async def there(pool):
        while len(sent) < 2:
            await asyncio.sleep(0.001)
        return pool.workers[0].process

    monkeypatch.setattr(Worker, "send", stopping)
    return there


def served(paths, max_time=60.0, also=None):
    """What a pool of one worker answers to requests that come at once, or with what error it refuses them.

    Args:
        also: coroutine function of the pool and of the requests, run beside them.
    """
    async def ask(pool, path):
        arguments = {"path": str(path), "name": path.name, "model": "en-small", "form": "json", "language": "english",
                     "words": False, "segments": False, "longest": 7200.0}
        try:
            return json.loads((await pool.result("transcribe", arguments))["body"])["text"]
        except ApiError as error:
            return error.status, error.code

    async def serve():
        pool = ProcessPool("en-small", 1, 1, 100, max_time, 2e9)
        await pool.start()
        pool._usual = 1e-3  # so that there are as many in a handful as wait
        try:
            requests = [asyncio.create_task(ask(pool, path)) for path in paths]
            if also:
                await also(pool, requests)
            return await asyncio.gather(*requests, return_exceptions=True)
        finally:
            await pool.close()

    return asyncio.run(serve())


def text_of(path):
    return earsight.transcribe(path, "en-small").text


def test_requests_get_what_they_get_alone(sent, tmp_path):
    (broken := tmp_path / "broken.wav").write_bytes(CLIPS[0].read_bytes()[:-4000])
    paths = [*CLIPS, broken, *CLIPS]
    answers = served(paths)
    assert answers == [*map(text_of, CLIPS), (400, "bad_file"), *map(text_of, CLIPS)]
    assert sent == [paths[:1], paths[1:]]  # the first was there alone


def test_what_a_lost_worker_had_is_done_again_one_by_one(sent, stopped):
    async def kill(pool, _):
        (await stopped(pool)).kill()

    assert served(CLIPS, also=kill) == [*map(text_of, CLIPS)]
    assert sent[:2] == [CLIPS[:1], CLIPS[1:]] and sent[2:] == [[path] for path in CLIPS[1:]]


def test_a_long_file_keeps_no_short_ones_waiting(sent, monkeypatch, tmp_path):
    monkeypatch.setattr(steps, "SMALL", 1e9)
    long = write_hours(tmp_path / "long.wav", 4)
    paths = [CLIPS[0], long, *CLIPS]
    assert served(paths, 1.0) == [text_of(CLIPS[0]), (504, "timeout"), *map(text_of, CLIPS)]
    assert sent == [paths[:1], paths[1:], [long]]


def test_who_leaves_takes_nobody_along(sent, stopped):
    async def leave(pool, requests):
        worker = await stopped(pool)
        requests[2].cancel()
        worker.send_signal(signal.SIGCONT)

    answers = served(CLIPS, also=leave)
    assert isinstance(answers.pop(2), asyncio.CancelledError)
    assert answers == [text_of(path) for path in CLIPS if path != CLIPS[2]] and len(sent) == 2


def test_a_worker_that_nobody_waits_for_is_replaced(sent, stopped, monkeypatch):
    monkeypatch.setattr(processes, "GRACE", 0.1)

    async def leave(pool, requests):
        process, (worker,) = await stopped(pool), pool.workers
        for request in requests[1:]:
            request.cancel()
        await asyncio.wait_for(process.wait(), 60)
        assert worker.why == "nobody waits"

    answers = served(CLIPS, also=leave)
    assert answers[0] == text_of(CLIPS[0]) and len(sent) == 2
