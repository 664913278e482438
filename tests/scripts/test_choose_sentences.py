"""Which sentences are chosen to be spoken, and which are made."""

import os
import subprocess
import sys

import choose_sentences
import numpy as np
from choose_sentences import choose, made, main

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def sentences(rng, words, length, count):
    return [" ".join(rng.choice(words, length)) for _ in range(count)]


def test_chosen_sentences_hold_more_words_than_others():
    rng = np.random.default_rng(0)
    words = [first + second for first in LETTERS for second in LETTERS]
    shares = 1 / np.arange(1, len(words) + 1)
    pool = [" ".join(rng.choice(words, 8, p=shares / shares.sum())) for _ in range(2000)]
    chosen = choose(pool, 100, set(words), rng)
    assert len(chosen) == len(set(chosen)) == 100 and set(chosen) <= set(pool)
    variety = [len({word for sentence in some for word in sentence.split()}) for some in (chosen, pool[:100])]
    assert variety[0] > 1.2 * variety[1]


def test_few_sentences_are_all_chosen():
    assert sorted(choose(["b c", "a"], 5, {"a", "b"}, np.random.default_rng(0))) == ["a", "b c"]


def test_what_is_made_is_in_letters():
    rng = np.random.default_rng(0)
    texts = {made(rng) for _ in range(1000)}
    assert len(texts) > 700 and set("".join(texts)) <= set(LETTERS + " '")


def test_kinds_are_mixed_and_the_seed_settles_all(tmp_path, capsys):
    rng = np.random.default_rng(0)
    words = [first + second for first in LETTERS[:9] for second in LETTERS]
    for name in ("books", "everyday"):
        lines = sentences(rng, words, 7, 600) + sentences(rng, words, 3, 200) + ["once only seen words here today"]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
    options = ["--books", str(tmp_path / "books.txt"), "--everyday", str(tmp_path / "everyday.txt"), "--count", "200"]
    assert main([str(tmp_path / "one"), *options]) == 0
    assert "200 sentences" in capsys.readouterr().out
    subprocess.run([sys.executable, choose_sentences.__file__, tmp_path / "two", *options], check=True,
                   env=os.environ | {"PYTHONHASHSEED": "1"})  # sets are in another order
    text = (tmp_path / "one").read_text()
    assert (tmp_path / "two").read_text() == text and "once only" not in text
    lengths = [len(line.split()) for line in text.splitlines()]
    assert len(lengths) == 200 and lengths.count(7) >= 155 and lengths.count(3) >= 20


def test_a_missing_text_is_named(tmp_path, capsys):
    assert main([str(tmp_path / "out"), "--books", "nowhere.txt", "--everyday", "nowhere.txt"]) == 1
    assert "nowhere.txt" in capsys.readouterr().err
