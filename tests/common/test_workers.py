"""Work in forks: the same results in the same order, whatever becomes of a fork."""

import io
import os
import signal
import threading
import time

import pytest

from earsight.common import batch_run
from earsight.common.batch_run import run_forked
from earsight.common.errors import EarsightError, TooLong
from earsight.common.steps import finished, in_one
from earsight.common.workers import Forks, outcome, packed, read_message, work

ITEMS = [f"item {i}" for i in range(20)]


def test_forks_give_what_one_process_gives_each_item_as_it_is_ready():
    """The first take long; one fails, and one says what no UTF-8 holds."""
    def reversed_text(item):
        number = ITEMS.index(item)
        time.sleep(0.2 if number < 2 else 0)
        if number == 3:
            raise EarsightError(f"{item}: broken\nby a line")
        return item[::-1] + "\udce9"

    one, several = (list(run_forked(ITEMS, in_one(reversed_text), jobs)) for jobs in (1, 3))
    assert {item for item, _ in several[-2:]} == {*ITEMS[:2]} and len(several) == len(ITEMS)
    assert {item: str(text) for item, text in several} == {item: str(text) for item, text in one}
    told = dict(several)
    assert str(told["item 3"]) == r"item 3: broken\nby a line" and told["item 0"] == "0 meti\udce9"


def test_several_forks_work_at_a_time():
    """Each waits for a letter that the other writes."""
    here, there = os.pipe(), os.pipe()

    def meet(item):
        if item in ("item 0", "item 1"):
            mine, its = (here, there) if item == "item 0" else (there, here)
            os.write(its[1], b"x")
            assert os.read(mine[0], 1) == b"x"
        return str(os.getpid())

    pids = {text for _, text in run_forked(ITEMS, in_one(meet), 2)}
    assert len(pids) == 2 and str(os.getpid()) not in pids


def test_short_items_go_out_by_handfuls_and_long_ones_alone(monkeypatch):
    asked = []
    ask = Forks.ask

    def noted(forks, message, name, tries):
        asked.append(message["items"])
        return ask(forks, message, name, tries)

    monkeypatch.setattr(Forks, "ask", noted)
    for seconds, largest in ((60.0, 5), (0.0, 1)):  # a handful; of 18 that are left each of two takes 5 at most
        monkeypatch.setattr(batch_run, "HANDFUL", seconds)
        asked.clear()
        assert sorted(run_forked(ITEMS, in_one(lambda item: item), 2)) == sorted(zip(ITEMS, ITEMS))
        assert sorted(sum(asked, [])) == list(range(len(ITEMS)))
        assert 1 == len(asked[0]) <= max(map(len, asked)) <= largest and (len(asked) == len(ITEMS)) == (largest == 1)
    monkeypatch.setattr(batch_run, "HANDFUL", 60.0)
    asked.clear()
    long = {"item 6", "item 7"}
    found = run_forked(ITEMS, in_one(lambda item: item), 2, lambda item: item not in long)
    assert {text for _, text in found} == {*ITEMS} and [6] in asked and [7] in asked and max(map(len, asked)) > 1


def test_few_items_have_no_fork():
    assert {text for _, text in run_forked(ITEMS[:3], in_one(lambda item: str(os.getpid())), 2)} == {str(os.getpid())}


@pytest.mark.parametrize("times, outcome", [(1, "item 5"),
                                            (2, "item 5: the process that read it ended, twice (SIGKILL)")])
def test_an_item_whose_fork_is_killed_is_read_again_or_told(times, outcome, tmp_path):
    def killed(item):
        if item == "item 5" and len(os.listdir(tmp_path)) < times:
            (tmp_path / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    results = dict(run_forked(ITEMS, in_one(killed), 2))
    assert str(results.pop("item 5")).startswith(outcome)
    assert results == {item: item for item in ITEMS if item != "item 5"}


def test_a_file_that_a_library_crashes_on_costs_no_other():
    def crashing(item):
        if item == "item 5":
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        return item

    results = dict(run_forked(ITEMS, in_one(crashing), 2))
    assert "twice (SIGSEGV); convert it" in str(results.pop("item 5")) and len(results) == 19


@pytest.mark.filterwarnings("error")
def test_a_fork_that_is_killed_at_rest_is_replaced():
    with Forks(1, lambda message: os.getpid()) as forks:
        first = forks.ask({}, "one")
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        second = forks.ask({}, "two")
        assert second != first and forks.ask({}, "three") == second


def test_a_mistake_of_the_program_is_no_bad_file(capfd):
    def mistaken(item):
        raise KeyError(item)

    with pytest.raises(RuntimeError, match="KeyError at test_workers.py"):
        list(run_forked(ITEMS, in_one(mistaken), 2))
    assert "in mistaken" in capfd.readouterr().err


def test_no_fork_is_left():
    pids = []
    with Forks(2, lambda message: os.getpid()) as forks:
        pids += [forks.ask({}, "one") for _ in range(2)]
    with pytest.raises(ZeroDivisionError):
        for item, text in run_forked(ITEMS, in_one(lambda item: str(os.getpid())), 2):
            pids.append(int(text))
            if len(pids) > 4:
                1 / 0
    end = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_forks_that_end_while_they_are_asked():
    """As where a signal ends the command: who waits for an answer gets an error, and no further fork begins."""
    told = []
    forks = Forks(1, lambda message: time.sleep(600))

    def ask():
        try:
            forks.ask({}, "one")
        except EarsightError as error:
            told.append(error)

    thread = threading.Thread(target=ask)
    with forks:
        thread.start()
        time.sleep(0.2)
    thread.join(60)
    assert len(told) == 1 and not thread.is_alive()


def test_messages_go_over_a_pipe_whole_or_not_at_all():
    message = {"text": "é\udce9\n", "number": 0.1}
    data = packed(message) + packed({})
    assert read_message(io.BytesIO(data)) == message
    for size in (0, 3, 4, len(packed(message)) - 1):
        assert read_message(io.BytesIO(data[:size])) is None


def test_a_worker_tells_what_came_of_each_task():
    def do(message, tell):
        tell({"halfway": True})
        tell(finished(outcome(steps(message))))

    @in_one
    def steps(message):
        if message["error"] == "long":
            raise TooLong("a.wav: longer than 1 s")
        if message["error"] == "bad":
            raise EarsightError("a.wav: bad")
        if message["error"] == "large":
            raise MemoryError
        if message["error"]:
            raise ValueError("a secret")
        return [1]

    events = io.BytesIO()
    work(io.BytesIO(b"".join(packed({"error": error}) for error in ("", "long", "bad", "large", "other"))), events, do)
    events.seek(0)
    told = []
    while (event := read_message(events)) is not None:
        told.append(event)
    assert all(event == {"halfway": True} for event in told[::2]) and len(told) == 10
    assert told[1::2][:3] == [{"done": [1]}, {"refused": "a.wav: longer than 1 s", "limit": True},
                              {"refused": "a.wav: bad", "limit": False}]
    assert told[7]["limit"] is True and told[9]["failed"].startswith("ValueError at test_workers.py:")
