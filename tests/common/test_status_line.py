"""The line on a terminal that changes in place."""

import io

from earsight.common import status_line
from earsight.common.status_line import DIM, PLAIN, REST, StatusLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_it_shows_the_end_of_what_does_not_fit(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    line = StatusLine(terminal)
    line.show("[##  ]", "one two", "three four")  # 6 characters, a blank, and 12 more
    assert terminal.getvalue() == f"\r[##  ] o {DIM}three four{PLAIN}{REST}"
    line.clear()
    line.clear()
    assert terminal.getvalue().count(REST) == 2


def test_it_does_not_change_faster_than_one_can_see(monkeypatch):
    now = [10.0]
    monkeypatch.setattr(status_line.time, "monotonic", lambda: now[0])
    terminal = Terminal()
    line = StatusLine(terminal)
    for moment in (10.0, 10.05, 10.11):
        now[0] = moment
        line.show("a")
    assert terminal.getvalue().count("\ra") == 2


def test_nothing_is_shown_where_there_is_no_terminal():
    stream = io.StringIO()
    line = StatusLine(stream)
    line.show("[##]", "words")
    line.clear()
    assert stream.getvalue() == ""
