"""Words as a bad day gives them, for the tests of what is written: any times, any characters."""

import numpy as np

from earsight.common.inference.recognition import Word

TEXTS = ["a", "zero", "seven", "it's", 'say "no"', '"', '""', "<b>", "&amp;", "&", "-->", "a-->b", "größe", "你好", "é",
         "line\nbreak", "tab\there", "two words", ";;", ";;x", "a_b", "", " ", "\n", "#1", "x" * 60, "end.", "\u00a0x",
         "NOTE", "WEBVTT", "00:00:01,000", "7"]


def random_words(seed: int, count: int | None = None) -> tuple[list[Word], float]:
    """Words in order, and the clip's duration: short, of no length, overlapping, past the end, hours apart."""
    rng = np.random.default_rng(seed)
    kind, duration = seed % 5, float(rng.choice([0.0, 0.3, 3.0, 4000.0, 90_000.0]))
    words, place = [], 0.0
    for _ in range(int(rng.integers(0, 60)) if count is None else count):
        length = float(rng.choice([0.0, 0.0004, 0.03, 0.3, 2.0, 9.0], p=[0.1, 0.1, 0.3, 0.4, 0.09, 0.01]))
        if kind == 0:  # in order
            start = place + float(rng.exponential(0.2))
        elif kind == 1:  # all at one place
            start = place
            length = 0.0
        elif kind == 2:  # anywhere, before the start too
            start = float(rng.uniform(-1, 5))
        elif kind == 3:  # hours apart
            start = place + float(rng.exponential(1000))
        else:  # one behind the other
            start = place
        place = start + length
        words.append(Word(str(rng.choice(TEXTS)), start, place, float(rng.uniform())))
    return words, duration
