"""Letters that an output cannot hold, written as JSON and Python write them: `\\u00e9`.

A terminal's encoding may lack them; and bytes of a file's name that are no UTF-8 are lone surrogates in Python, which
no encoding has. In JSON the escape is read back as what it stood for, a name with such bytes too.
"""

import codecs
import io
import sys

ESCAPED = "earsight-escaped"  # an error handler for `str.encode` and `open`


def escape_streams() -> None:
    """Have the standard output and the standard error output escape what they cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPED)


def printable(text: str) -> str:
    """A text with what UTF-8 lacks escaped, for who draws letters."""
    return text.encode(errors=ESCAPED).decode()


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start:error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2])), error.end


codecs.register_error(ESCAPED, _escape)
