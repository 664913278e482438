"""Sentences out of books, dialogues and lists: their form, their readers, and what is left out for a test's sake."""

import json

import pytest
from texts import main, paragraphs, runs, sentences

BOOK = """*** START OF THIS PROJECT GUTENBERG EBOOK X ***

CHAPTER I

Mr. Brown paid 21 of them--the 3rd of May, 1884--and left.  "Who's
there?" he asked. Dr. Smith said _nothing_... He cost $5.

Résumé of J. B. Wood's café. Ein Satz ohne alle Sprache hier.

*** END OF THIS PROJECT GUTENBERG EBOOK X ***

We run a licence office here.
"""


def read(path, lines=False):
    return [sentence for block in paragraphs(path, lines) for sentence in sentences(block)]


def test_a_book_is_its_sentences_in_letters(tmp_path):
    (book := tmp_path / "book.txt").write_text(BOOK, encoding="utf-8")
    assert read(book) == [
        "mister brown paid twenty one of them the third of may eighteen eighty four and left",
        "who's there he asked",
        "doctor smith said nothing",
    ]  # the price, the initials, the German, the heading and the licence are no sentences


@pytest.mark.parametrize(
    "written, expected",
    [
        ("It was 1905, or 2010.", "it was nineteen oh five or two thousand ten"),
        ("In 1900 the 20th of them came.", "in nineteen hundred the twentieth of them came"),
        ("St. John's No. 7 is the 12th.", "saint john's number seven is the twelfth"),
        ("Wait…what is it?", "wait what is it"),
        ("The train leaves at 7:30.", "the train leaves at seven thirty"),
    ],
)
def test_numbers_and_titles_are_said(written, expected):
    assert list(sentences(written)) == [expected]


@pytest.mark.parametrize("written", ["THE END", "Ab", "Send £5 to me", "see www.example.org for it", "x y z of it"])
def test_what_is_no_sentence_is_left_out(written):
    assert not list(sentences(written))


def test_other_kinds_of_files(tmp_path):
    (tmp_path / "a.xml").write_text("<TEI><text><body><head>One</head><p>He was <hi>here</hi>.</p></body></text></TEI>")
    said = [{"turns": [{"utterance": "I want a table.", "frames": [{"text": "no"}]}]}, ["book it now", "booking"]]
    said.append({"data": [{"text": "play "}, {"text": "the song", "entity": "x"}]})
    (tmp_path / "b.json").write_text(json.dumps(said))
    (tmp_path / "c.txt").write_text("where is it\nShe is here.\n")
    assert read(tmp_path / "a.xml") == ["he was here"]
    assert read(tmp_path / "b.json") == ["i want a table", "book it now", "play the song"]
    assert read(tmp_path / "c.txt", lines=True) == ["where is it", "she is here"]


def test_what_a_test_reads_is_left_out(tmp_path, capsys):
    words = "the old man went down to the sea and saw that all of his boats were gone".split()
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "read.txt").write_text(f"{' '.join(words)}. It was late.")
    (tmp_path / "books" / "other.txt").write_text(f"She said it. {' '.join(words[:8]).capitalize()} twice.")
    (tmp_path / "books" / "poems.txt").write_text("A rose is a rose.")
    (tmp_path / "1-1.trans.txt").write_text(f"1-1-0001 {' '.join(words).upper()}\n")
    (tmp_path / "text").write_text("0001 it was the fifth of may\n")
    (tmp_path / "books" / "third.txt").write_text("It was the fifth of May. He came back. He came back.")
    (tmp_path / "known.txt").write_text("she said it\n")
    out = tmp_path / "out.txt"
    left_out = ["--leave-out", str(tmp_path / "1-1.trans.txt"), "--leave-out-sentences", str(tmp_path / "text")]
    assert not main([str(out), str(tmp_path / "books"), "--except", "POEM", *left_out])
    assert out.read_text() == "she said it\nhe came back\n"
    told = capsys.readouterr().out
    assert "read.txt" in told and "2 sentences, 6 words" in told
    assert not main([str(out), str(tmp_path / "books" / "third.txt"), "--known", str(tmp_path / "known.txt")])
    assert out.read_text() == "it was the fifth of may\nhe came back\n"


def test_what_is_not_there_is_named(tmp_path, capsys):
    assert main([str(tmp_path / "out.txt"), str(tmp_path / "nowhere")]) == 1
    assert "nowhere: no such file or folder" in capsys.readouterr().err


def test_runs_are_of_eight_words():
    assert runs("a b c d e f g".split()) == set() and len(runs("a b c d e f g h i".split())) == 2
