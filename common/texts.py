"""Text in one form: what is always brought to one, and what a user or a model asks for besides.

Two texts that look alike are one text: `tidy` is applied to every text, label and name that is read. It composes
letters and their accents (Unicode's NFC), makes one space of all that is blank, and drops what cannot be seen: byte
order marks, zero-width spaces, soft hyphens, marks of direction. Case, punctuation and numbers stay as they are
written, unless a `TextForm` says otherwise: that of `earsight prepare`'s options, or the one that a model's own letters
ask for (`common.labels.form_of`), in which `align` and `evaluate` compare a text with what the model can write.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from .errors import EarsightError

FORMS = {"case": ("lower", "upper", "keep"), "punctuation": ("keep", "drop"), "numbers": ("keep", "words")}
# Languages in which I and i are two letters, each with a small and a capital form.
DOTTED = ("tr", "az", "tt", "crh", "kk", "turkish", "azerbaijani")
DOTLESS = "\u0130\u0131"  # the capital with a dot, the small one without

# Marks of joining shape the letters of Arabic and Indic scripts, and emoji; elsewhere they cannot be seen.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
    "|(?:(?<=[\u0000-\u058f])|^)[\u200c\u200d]+"
)
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u201b\u02bc\uff07\u00b4\u0060", "'"))
_HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2043\ufe63\uff0d\u2212", "-"))
_NUMBER = re.compile(r"(?<![\w.,])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\w|[.,]\d)|(?<![\w.,])-?\d+(?:\.\d+)?(?!\w|[.,]\d)")
_ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
         "seventeen eighteen nineteen").split()
_TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
_THOUSANDS = ("", "thousand", "million", "billion", "trillion")


@dataclass(frozen=True)
class TextForm:
    """The form in which texts are learnt, compared or aligned; by default as they are written, but tidy.

    Attributes:
        case: keep, lower or upper.
        punctuation: keep; or drop: all that is neither letter, accent nor digit, but for apostrophes within a word,
            which become '. A hyphen or a slash within a word parts it in two.
        kept: punctuation that stays where it is dropped.
        numbers: keep; or words: whole and decimal numbers as they are counted in English, 21 as twenty one.
        language: a code (tr, en-GB) that tells how letters change their case.
    """

    case: str = "keep"
    punctuation: str = "keep"
    kept: frozenset[str] = frozenset()
    numbers: str = "keep"
    language: str = ""

    def __post_init__(self):
        for name, known in FORMS.items():
            if not isinstance(getattr(self, name), str) or getattr(self, name) not in known:  # nor an array
                raise EarsightError(f"option {name} is {getattr(self, name)!r}; it is one of {', '.join(known)}")
        if not isinstance(self.language, str):
            raise EarsightError(f"option language is {self.language!r:.40}; give a code, as tr or en-GB")

    def __call__(self, text: str) -> str:
        """`text` in this form; of a text in this form, the same."""
        text = self._worded(tidy(text))
        if self.punctuation == "drop":  # which may leave numbers where there was something else: 4/5, #7
            text = self._worded(tidy(_without_punctuation(text, self.kept)))
        return tidy(text)

    def _worded(self, text: str) -> str:
        """`text` with its numbers in words, and its letters in their case."""
        if self.numbers == "words":
            text = _NUMBER.sub(lambda number: _spoken(number[0]), text)
        return _cased(text, self.case, self.language)


def tidy(text: str) -> str:
    """A text's one form: composed letters, single spaces, nothing that cannot be seen."""
    if not (text.isascii() and text.isprintable()):
        text = _UNSEEN.sub("", unicodedata.normalize("NFC", text))
        # What was taken out may have stood between a letter and its accent.
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split())


def in_form(text: str, form: TextForm, where: str) -> str:
    """A corpus's `text` in `form`; `where` begins the error.

    Raises:
        EarsightError: a letter whose case depends on the language, where none is given.
    """
    if form.case != "keep" and not form.language and (found := set(DOTLESS) & set(tidy(text))):
        raise EarsightError(
            f"{where}: the case of {min(found)!r} depends on the language; give language=tr, az, en, ..., or case=keep"
        )
    return form(text)


def _cased(text: str, case: str, language: str) -> str:
    dotted = re.split("[-_]", language.lower())[0] in DOTTED
    if case == "lower":
        # Unicode's small form of the dotted capital is i and a dot above, a letter that no alphabet has.
        text = text.replace("I", "\u0131") if dotted else text
        return text.replace("\u0130", "i").lower()
    if case == "upper":
        return (text.replace("i", "\u0130") if dotted else text).upper()
    return text


def _without_punctuation(text: str, kept: frozenset[str]) -> str:
    if not any(chr(mark) in kept for mark in _APOSTROPHES):
        text = text.translate(_APOSTROPHES)
    text = text.translate(_HYPHENS)
    made = []
    for number, letter in enumerate(text):
        if letter in kept or letter == " " or _is_spoken(letter):
            made.append(letter)
            continue
        inside = 0 < number < len(text) - 1 and _is_spoken(text[number - 1]) and _is_spoken(text[number + 1])
        if letter == "'" and inside:
            made.append(letter)
        elif inside or letter in "\u2013\u2014/":
            made.append(" ")
    return "".join(made)


def _is_spoken(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "LMN" or letter in "\u200c\u200d"


def _spoken(number: str) -> str:
    """A number in English words; one that is too large, or is written as a code (007), digit by digit."""
    sign, digits = ("minus ", number[1:]) if number.startswith("-") else ("", number)
    whole, _, decimals = digits.replace(",", "").partition(".")
    if len(whole) > 15 or (len(whole) > 1 and whole.startswith("0")):
        words = [_ONES[int(digit)] for digit in whole]
    else:
        words = _counted(int(whole))
    if decimals:
        words += ["point", *(_ONES[int(digit)] for digit in decimals)]
    return sign + " ".join(words)


def _counted(number: int) -> list[str]:
    if number < 20:
        return [_ONES[number]]
    if number < 100:
        return [_TENS[number // 10], *(_counted(number % 10) if number % 10 else [])]
    if number < 1000:
        return [_ONES[number // 100], "hundred", *(_counted(number % 100) if number % 100 else [])]
    groups = []
    for name in _THOUSANDS:
        number, rest = divmod(number, 1000)
        groups.append([*_counted(rest), *([name] if name else [])] if rest else [])
    return [word for group in reversed(groups) for word in group]


def read_text(path: str | Path, what: str = "the text") -> str:
    """A text file in UTF-8, or in UTF-16 with its mark; a byte order mark is no part of the text.

    Raises:
        EarsightError: it cannot be read, or is no such text; `what` says what it should be.
    """
    try:
        content = Path(path).read_bytes()
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise EarsightError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have, as a recipe may hold one
        reason = getattr(error, "strerror", None) or error
        raise EarsightError(f"{path}: {what} cannot be read ({reason}); check the path") from error
