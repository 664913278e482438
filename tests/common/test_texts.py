"""Text is brought to one form: what looks alike is alike, and more is folded only where it is asked for."""

import unicodedata

import numpy as np
import pytest

from earsight.common.errors import EarsightError
from earsight.common.labels import Labels, form_of
from earsight.common.texts import TextForm, in_form, read_text, tidy


@pytest.mark.parametrize("written, one", [
    ("cafe\u0301", "caf\u00e9"),
    ("\ufeffone two", "one two"),
    ("zero\u200bwidth", "zerowidth"),
    ("soft\u00adhyphen", "softhyphen"),
    (" nbsp\u00a0here\t and\u3000there\n", "nbsp here and there"),
    ("e\u200b\u0301", "\u00e9"),  # what stood between the letter and its accent is gone before they are composed
    ("a\u200cb", "ab"),
    ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),  # Persian
    ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),  # Hindi
    ("It\u2019s 5 [noise]!", "It\u2019s 5 [noise]!"),
])  # fmt: skip
def test_texts_that_look_alike_are_alike(written, one):
    assert tidy(written) == one
    assert tidy(one) == one
    assert TextForm()(written) == one


@pytest.mark.parametrize("form, written, one", [
    (TextForm("lower"), "One TWO", "one two"),
    (TextForm("upper"), "One stra\u00dfe", "ONE STRASSE"),
    (TextForm("lower"), "\u0130stanbul", "istanbul"),
    (TextForm("lower", language="tr"), "\u0130STANBUL ILIK", "istanbul \u0131l\u0131k"),
    (TextForm("upper", language="tr-TR"), "istanbul \u0131l\u0131k", "\u0130STANBUL ILIK"),
    (TextForm("lower", language="en"), "I SIT", "i sit"),
    (TextForm(punctuation="drop"), "Four one five, two \u2014 \u201cnine\u201d seven.", "Four one five two nine seven"),
    (TextForm(punctuation="drop"), "It\u2019s the boys' rock'n'roll", "It's the boys rock'n'roll"),
    (TextForm(punctuation="drop"), "well-known and/or 1,5", "well known and or 1 5"),
    (TextForm(punctuation="drop", kept=frozenset("-.")), "well-known, yes.", "well-known yes."),
    (TextForm(punctuation="drop"), "... \u2026 !", ""),
    (TextForm(numbers="words"), "0 21 115 1,000,001 -3.05", "zero twenty one one hundred fifteen "
                                "one million one minus three point zero five"),
    (TextForm(numbers="words"), "007 mp3 1.2.3", "zero zero seven mp3 1.2.3"),
    (TextForm("upper", "drop", numbers="words"), "at 10!", "AT TEN"),
])  # fmt: skip
def test_case_punctuation_and_numbers(form, written, one):
    assert form(written) == one
    assert form(one) == one
    assert form(unicodedata.normalize("NFD", written)) == one


def test_an_unknown_form_and_a_case_that_depends_on_the_language():
    for name, value, wanted in (("case", np.array([1, 2]), "one of lower"), ("language", 3, "a code, as tr or en-GB")):
        with pytest.raises(EarsightError, match=f"option {name} is .*{wanted}"):
            TextForm(**{name: value})
    with pytest.raises(EarsightError, match="option case is 'title'; it is one of lower, upper, keep"):
        TextForm("title")
    with pytest.raises(EarsightError, match="clip 5: the case of '\u0130' depends on the language; give language=tr"):
        in_form("\u0130STANBUL", TextForm("lower"), "clip 5")
    assert in_form("\u0130STANBUL", TextForm(), "clip 5") == "\u0130STANBUL"
    assert in_form("\u0130STANBUL", TextForm("lower", language="en"), "clip 5") == "istanbul"


def test_a_text_file_in_utf_8_or_utf_16(tmp_path):
    path = tmp_path / "a.txt"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes("z\u00e9ro\none".encode(encoding))
        assert read_text(path) == "z\u00e9ro\none"
    path.write_bytes("z\u00e9ro".encode("latin-1"))
    with pytest.raises(EarsightError, match=r"a.txt: not UTF-8 text \(.* at byte 1\); save it as UTF-8"):
        read_text(path)
    with pytest.raises(EarsightError, match="gone.txt: the lexicon cannot be read .No such file"):
        read_text(tmp_path / "gone.txt", "the lexicon")
    with pytest.raises(EarsightError, match="the lexicon cannot be read .embedded null"):
        read_text("a\0b", "the lexicon")


def characters(letters: str) -> Labels:
    return Labels("characters", ("<blank>", *letters))


@pytest.mark.parametrize("labels, written, one", [
    (characters(" 'abcefinotuvrw"), "Four, it\u2019s ONE!", "four it's one"),
    (characters(" ABC,"), "a b, c.", "A B, C"),
    (characters(" aBc."), "Ab. C!", "Ab. C"),  # both cases are learnt: they stay
    (characters(" i\u0131lk"), "ILIK", "\u0131l\u0131k"),
    (Labels("phones", ("<blank>", "|", "W", "AH", "N"), {"one": [("W", "AH", "N")]}), "One.", "one"),
    (Labels("bpe", ("<blank>", "\u2581o", "ne", "s")), "One's?", "one's"),
    (Labels("classes", ("Push ups!", "run")), "Push ups!", "Push ups!"),
    (characters(" \u4e00\u4e8c"), "\u4e00\u3002\u4e8c", "\u4e00 \u4e8c"),  # letters without case
])  # fmt: skip
def test_a_models_letters_tell_its_form(labels, written, one):
    assert form_of(labels)(written) == one


def test_digits_that_a_model_writes_stay():
    assert form_of(characters(" abc"), numbers="words")("4 a") == "four a"
    assert form_of(characters(" abc4"), numbers="words")("4 a") == "4 a"
