"""What users read when something is wrong."""

from earsight.common.errors import EarsightError, MissingExtra


def test_an_error_is_one_line_whatever_it_repeats():
    for kind in (EarsightError, MissingExtra):
        assert str(kind("a\nb\r\u2028.wav: 東京 is not there")) == "a\\nb\\r\\u2028.wav: 東京 is not there"
