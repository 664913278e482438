"""Arguments for fuzz.py: of the public functions, and command lines, as hypothesis draws them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from fuzz_material import tried


def argument_calls(material: Path, folder: Path) -> dict[str, tuple[Any, Callable[..., object]]]:
    """Public functions by name: how their arguments are drawn, and what is called with them."""
    import numpy as np
    from hypothesis import strategies as st

    import earsight
    from earsight.app.service import running
    from earsight.app.service.settings import Settings
    from earsight.audio.reading import ReadingOptions, info, open_blocks, read
    from earsight.audio.recognition.aligning import Aligner
    from earsight.common.decoding.hotwords import parse_hotword
    from earsight.common.decoding.ngrams.making import make_model
    from earsight.common.series.reading import TableOptions, read_series
    from earsight.common.texts import TextForm
    from earsight.video.reading import probe, read_frames, sample

    def usual(*values: Any) -> Any:
        """Values that serve, mostly; else anything."""
        return st.one_of(st.sampled_from(values), st.sampled_from(values), anything)

    def some(**each: Any) -> Any:
        """Some of the arguments."""
        return st.fixed_dictionaries({}, optional=each)

    def every(optional: dict[str, Any] | None = None, **each: Any) -> Any:
        return st.fixed_dictionaries(each, optional=optional or {})

    numbers = st.one_of(st.integers(-3, 8), st.integers(), st.floats(), st.booleans())
    texts = st.text(st.characters(exclude_characters="/~"), max_size=8)
    anything = st.one_of(
        st.none(), numbers, texts, st.binary(max_size=4), st.lists(st.text(max_size=4), max_size=2),
        st.complex_numbers(), st.tuples(st.integers()), st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
        st.sampled_from([b"\xff", np.float32(2), np.array([1, 2]), range(3), "a" * 300, "\ud800", 10**400]))
    counts = st.one_of(numbers, st.sampled_from([1, 2, 2**31, 2**63, 10**400]))
    floats, spans = st.floats(), st.one_of(st.none(), st.floats())

    names = ("clip.wav", "film.mkv", "frames.npy", "table.csv", "all.jsonl", "words.txt", "words.arpa", "train.csv")
    files = [material / name for name in names]
    named = st.sampled_from([*files, Path("missing"), material])
    paths = usual(*files, *map(str, files), material, "missing")
    models = usual(material / "ctc", material / "classes", material / "series", "en-small", "digits", None, material)
    languages = usual(material / "words.arpa", material / "letters.arpa")
    decoding = {
        "decoder": usual("greedy", "beam"), "beam": usual(1, 5), "beam_threshold": usual(5.0, 0.1), "lm": languages,
        "lexicon": usual(material / "words.txt"), "lm_weight": usual(1.0), "word_score": usual(0.0),
        "blank_penalty": usual(1.0, -1e299),
        "hotwords": usual(["ab:3"], ["a b", "c:1e300"], []), "n_best": usual(1, 3)}
    columns = st.one_of(st.sampled_from(["rec", "clock", "l", "label", ""]), texts)

    cells = st.one_of(st.floats(width=32), st.integers(-9, 9), st.just(float("nan")), st.none(), st.text(max_size=2))
    rows = st.lists(st.one_of(st.lists(cells, max_size=3), cells), max_size=5)
    X, y = np.random.default_rng(1).random((4, 9, 2)), [0, 1, 0, 1]
    series = st.one_of(st.just(X), st.just(X), anything, st.lists(rows, max_size=4), st.sampled_from([
        np.zeros((4, 5)), np.zeros((0, 5)), np.zeros((4, 0, 2)), np.full((4, 5, 2), np.inf), np.array([["a"]]),
        np.zeros((4, 5, 2), complex), np.zeros((4, 5, 2), "M8[s]"), [np.zeros((3, 2)), np.zeros((5, 2))],
        np.zeros(4, object), np.ma.zeros((4, 5, 2)), np.zeros((2, 2, 2, 2))]))
    labels = st.lists(st.one_of(st.sampled_from("ab"), cells), max_size=5)
    classes = st.one_of(st.just(y), anything, labels, st.sampled_from([
        np.array(["a", "b", "a", "b"]), [True, False] * 2, [None, "a"] * 2, ["a", 1] * 2, [b"a", b"b"] * 2,
        [0.5, float("nan")] * 2, [(1, 2), (3, 4)] * 2]))
    settings = {name: kind.filter(small) for name, kind in {
        **dict.fromkeys(("hidden", "layers", "members", "stride", "batch_size", "seed", "threads"), counts),
        "residual": anything, "steps": usual(1, 2), "learning_rate": usual(1e-3), "augment": anything,
        "frame_shift": usual(1.0, 0.1)}.items()}

    @lru_cache(1)
    def fitted() -> Any:
        return earsight.SeriesClassifier(hidden=4, layers=1, steps=1, threads=1).fit(X, y)

    def transcribe(path: Any = material / "clip.wav", model: Any = "en-small", **more: Any) -> None:
        earsight.transcribe(path, model, **more)

    def classify(path: Any = material / "clip.wav", model: Any = None) -> None:
        earsight.classify(path, model)

    def learn(source: Any = material / "labels.csv", output: Any = "out", minutes: Any = 1e-4, **more: Any) -> None:
        earsight.learn(source, output, minutes=brief(minutes), **more)

    def fit(given: dict[str, Any], X: Any, y: Any) -> None:
        earsight.SeriesClassifier(**given).fit(X, y).score(X, y)

    def predict(X: Any, y: Any) -> None:
        tried(fitted().predict_proba, X)
        fitted().score(X, y)

    def read_sounds(path: Any, rate: Any, **options: Any) -> None:
        tried(info, path)
        tried(lambda: read(path, rate, ReadingOptions(**options)))
        for _ in islice(open_blocks(path, rate, ReadingOptions(**options))[1], 100):
            pass

    def read_films(path: Any, rate: float, **options: Any) -> None:
        tried(probe, path)
        tried(lambda: list(islice(read_frames(path), 20)))
        for _ in islice(sample(path, rate, **options), 100):
            pass

    def read_table(path: Any, **options: Any) -> None:
        read_series(path, TableOptions(**options))

    def form(text: str = "", **more: Any) -> None:
        TextForm(**more)(text)

    def align(path: Any = material / "frames.npy", text: str = "ab", numbers: str = "keep") -> None:
        Aligner(material / "ctc", None, 1, numbers).align(path, text)

    def make(texts: list[str], order: int = 2, output: str = "a.arpa", **more: Any) -> None:
        make_model(texts, order, output, **more)

    def serve(**options: Any) -> None:
        running.asyncio = Unrun  # what would serve ends at once
        running.serve(Settings(port=0, model="en-small", jobs=1, **options))

    calls = {
        "transcribe": (some(path=paths, model=models, track=usual(1, None), channels=usual("mix", "split", 1),
                            damaged=usual("refuse", "skip"), **decoding), transcribe),
        "classify": (some(path=paths, model=models), classify),
        "learn": (some(source=st.one_of(paths, st.lists(paths, max_size=2)), output=usual("out", material),
                       add=anything, minutes=usual(1e-4, 0), task=usual("auto", "classes", "text")), learn),
        "fit": (every(given=some(**settings), X=series, y=classes), fit),
        "predict": (every(X=series, y=classes), predict),
        "save": (every(folder=paths), lambda folder: fitted().save(folder)),
        "set_params": (every(given=st.dictionaries(st.sampled_from(["hidden", "x"]), anything, max_size=2)),
                       lambda given: earsight.SeriesClassifier().set_params(**given)),
        "read": (every({"track": anything, "channels": anything, "damaged": anything, "quiet": st.booleans()},
                       path=named, rate=st.sampled_from([None, 8000, 1, 384000])), read_sounds),
        "sample": (every({"lag": spans, "start": floats, "end": spans, "threads": st.integers(0, 3)}, path=named,
                         rate=st.one_of(floats, st.just(5.0))), read_films),
        "read_series": (every({**dict.fromkeys(("series", "time", "label", "group"), columns),
                               "layout": usual("auto", "long", "wide"), "unit": usual("s", "ms"),
                               "labelled": st.booleans(), "channels": st.lists(columns, max_size=2).map(tuple)},
                              path=named), read_table),
        "TextForm": (some(case=usual("lower", "upper"), punctuation=usual("drop"), numbers=usual("words"),
                          language=texts, text=st.text()), form),
        "parse_hotword": (some(given=st.one_of(anything, st.text(), st.from_regex(r"\w+:\S*=?.*"))),
                          lambda given="": parse_hotword(given)),
        "align": (some(path=named, text=st.text("abc 21,'\0é", max_size=12),
                       numbers=st.sampled_from(["keep", "words"])), align),
        "make_model": (every({"order": st.integers(-2, 9), "output": st.sampled_from(["a.arpa", "a.bin", "."]),
                              "characters": st.booleans(), "size": spans,
                              "vocabulary": st.one_of(st.none(), st.integers(-2, 5), st.lists(texts, max_size=3))},
                             texts=st.lists(st.text("ab |<s>é\0\n", max_size=9), max_size=4)), make),
        "serve": (some(host=texts, keys=st.one_of(named, st.none()), certificate=st.one_of(named, st.none()),
                       certificate_key=named, temporary=named,
                       allow_host=st.lists(texts, max_size=2).map(tuple)), serve),
    }
    lines = command_lines(material)
    return calls | {f"command {name}": (every(argv=argv), run_command) for name, argv in lines.items()}


class Unrun:
    """Stands where asyncio does: what would serve, is not begun."""

    @staticmethod
    def run(coroutine: Any) -> int:
        coroutine.close()
        return 0


def small(value: Any) -> bool:
    """Whether a setting, if it serves, leaves a training that is over in a moment, or asks for what is absurd."""
    return not isinstance(value, int) or value <= 8 or value >= 2**31


def brief(minutes: Any) -> Any:
    """Time in which nothing is learnt."""
    return min(minutes, 0.01) if isinstance(minutes, int | float) and minutes > 0.01 else minutes


def run_command(argv: list[str]) -> None:
    """A command line; its exit status may be any but that of a traceback."""
    from earsight.app.main import main

    try:
        main(argv)
    except SystemExit as done:
        assert done.code in (0, 2), done.code


HARMLESS = ("transcribe", "classify", "explain", "align", "listen", "watch", "prepare", "check", "evaluate", "predict",
            "export", "lm", "tune-decoder", "calibrate", "models", "completion", "train", "tune")
UNDRAWN = ("--ray", "--help", "--version", "--list-devices", "--storage", "--trials")


def command_lines(material: Path) -> dict[str, Any]:
    """Command lines by command, drawn from its own parser: values that serve, and others."""
    from hypothesis import strategies as st

    from earsight.app.command_line import parser

    every = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    names = ("clip.wav", "film.mkv", "frames.npy", "table.csv", "labels.csv", "all.jsonl", "table.jsonl.gz",
             "words.txt", "words.arpa", "words.bin", "train.csv", "ctc", "classes", "series", "run", "run/model.ckpt")
    files = st.sampled_from([str(material / name) for name in names])
    values = st.one_of(files, files, st.sampled_from([
        "out", "out.png", "out.zip", "out.jsonl", "missing", "", "-", "0", "1", "-1", "1e999", "nan", "0.5", "a b",
        "ab:3", "a=b", "csv", "folder", "series", "shards", "embeddings", "fit", "text=x", "dev=0.5", "²", "٣",
        "9" * 5000, str(2**40), "a" * 300]),
        st.text(st.characters(exclude_characters="/~", exclude_categories=[]), max_size=6))

    def option(action: argparse.Action) -> Any:
        value = st.one_of(st.sampled_from(sorted(action.choices)), values) if action.choices else values
        name = st.sampled_from(action.option_strings)
        if action.nargs == 0:
            return st.tuples(name).map(list)
        count = {None: (1, 1), "?": (0, 1), "+": (1, 3), "*": (0, 3)}.get(action.nargs, (1, 1))
        several = st.lists(value, min_size=count[0], max_size=count[1])
        return st.tuples(name, several).map(lambda pair: [pair[0], *pair[1]])

    def line(name: str, sub: argparse.ArgumentParser) -> Any:
        wanted = [action for action in sub._actions
                  if action.option_strings and not set(UNDRAWN) & set(action.option_strings)]
        options = st.lists(st.one_of(*map(option, wanted)), max_size=3) if wanted else st.just([])
        required = [option(action) for action in wanted if action.required]
        places = st.lists(values, max_size=4)
        if any(isinstance(action, argparse._SubParsersAction) for action in sub._actions):
            actions = st.sampled_from(["pull", "remove", "pack"])
            places = st.tuples(actions, places).map(lambda pair: [pair[0], *pair[1]])
        if name == "tune":
            options = st.just([])
        return st.tuples(places, options, *required).map(
            lambda parts: [name, *parts[0], *(word for each in parts[1] for word in each),
                           *(word for each in parts[2:] for word in each)])

    return {name: line(name, every.choices[name]) for name in HARMLESS}
