"""Items that another thread makes, and what it does meanwhile."""

import threading
import time

import pytest

from earsight.common.ahead import ahead, meanwhile


def test_items_come_in_order_and_no_more_are_made_than_may_wait():
    made = []

    def items():
        for number in range(10):
            made.append(number)
            yield number

    taken = ahead(items(), 2)
    assert next(taken) == 0
    time.sleep(0.5)
    assert len(made) <= 4  # one was taken, two wait, one waits to wait
    assert list(taken) == list(range(1, 10))


def test_none_is_an_item_too():
    assert list(ahead([None, 1, None], 1)) == [None, 1, None]


def test_its_error_comes_behind_the_items_before_it():
    def items():
        yield 1
        raise ValueError("no more")

    taken = ahead(items(), 4)
    assert next(taken) == 1
    with pytest.raises(ValueError, match="no more"):
        next(taken)


def test_what_never_comes_is_not_waited_for():
    forever, enough = threading.Event(), threading.Event()

    def items():
        yield 1
        enough.set()
        forever.wait()

    assert list(ahead(items(), 1, enough.is_set)) in ([1], [])
    forever.set()


def test_who_takes_no_more_ends_the_thread():
    ended = threading.Event()

    def items():
        try:
            while True:
                yield 1
        finally:
            ended.set()

    taken = ahead(items(), 1)
    assert next(taken) == 1
    taken.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_what_is_done_meanwhile_is_done_at_the_end_even_of_what_fails():
    begun, done = threading.Event(), []

    def work():
        begun.set()
        time.sleep(0.2)
        done.append(threading.current_thread())

    with meanwhile(work):
        assert begun.wait(60) and not done  # at the same time
    assert done and done != [threading.current_thread()]
    with pytest.raises(ZeroDivisionError), meanwhile(work):
        1 / 0
    assert len(done) == 2
