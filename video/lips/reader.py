"""From films to transcripts, with a model folder that reads lips. torch is never imported on this path."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ...common.batch_run import thread_pool
from ...common.errors import EarsightError
from ...common.inference.recognition import Transcript, Utterance, joined, placed
from ...common.inference.runtime import Runtime
from ...common.inference.segmenting import Stretch, Window, cutting, in_order, stretches
from ...common.inference.transcribing import folder_transcriber
from ...common.labels import BLANK
from ..mouth.crops import MouthSettings, mouth_blocks, no_face, stored


class FilmReader:
    """A model folder applied to films, of which it takes a row of numbers a picture. Safe to share between threads.

    Args:
        model: a model folder or an installed model's name.
        threads: CPU threads that work on one long film.
        decoding: fields of `common.decoding.options.DecodingOptions` that differ from what the folder stores.
        calibrated: give confidences as the folder's calibration makes them, where it has one.
    """

    medium = ""  # of the models that it takes

    def __init__(self, model: str | Path, threads: int = 1, decoding: dict | None = None, calibrated: bool = True):
        self.runtime, self.threads = Runtime(model), threads
        config = self.runtime.config
        if config.medium != self.medium or config.task != "ctc":
            raise EarsightError(f"model {self.runtime.name} is for {config.medium}, and reads no lips; choose another "
                                "(see `earsight models`)")
        self.mouth = MouthSettings.from_dict(config.frontend, self.runtime.folder)
        self.transcriber = folder_transcriber(self.runtime, decoding, calibrated)

    def rows(self, path: str | Path, options: Any = None) -> Iterator[np.ndarray]:
        """A film's rows (time, width), block by block, in memory that does not grow with its length.

        Args:
            options: how its sound is read, by models that hear.

        Raises:
            EarsightError: the film cannot be read, or holds nothing that the model reads.
        """
        raise NotImplementedError

    def frames(self, rows: np.ndarray) -> np.ndarray:
        """Rows (time, width) -> frames (time, feature)."""
        return self.runtime.frames(rows)

    def transcript(self, rows: np.ndarray, path: str = "") -> Transcript:
        """Read a clip's rows (time, width)."""
        frames = self.frames(rows)
        return self.transcriber(self.runtime.outputs(frames), frames, len(rows) / self.mouth.rate, path)

    def read(self, rows: np.ndarray, path: str, options: Any) -> Transcript:
        """Read a stretch of a film, as `transcribe` does it."""
        return self.transcript(rows, path)

    def transcribe(self, path: str | Path, heard: Callable[[Utterance], None] = lambda utterance: None,
                   options: Any = None) -> Transcript:
        """Read one film, in memory that does not grow with its length.

        A film no longer than the clips that the model was trained on is read as it is; a longer one is cut where
        nothing is said.

        Args:
            heard: is given each utterance when it is ready.
            options: see `rows`.

        Raises:
            EarsightError: the film cannot be read, or holds nothing that the model reads.
        """
        film = _Counted(self.rows(path, options), self.mouth.rate)
        utterances = []
        for utterance in self._utterances(film, str(path), options):
            utterances.append(utterance)
            heard(utterance)
        return joined(utterances, str(path), film.seconds, self.runtime.name)

    def _utterances(self, film: "_Counted", path: str, options: Any) -> Iterator[Utterance]:
        head: list[np.ndarray] = []
        for block in film:
            head.append(block)
            if film.seconds > self.runtime.config.longest_clip:
                yield from self._between_pauses(chain(head, film), path, options)
                return
        yield Utterance(0.0, film.seconds, self.read(np.concatenate(head), path, options))

    def _between_pauses(self, blocks: Iterable[np.ndarray], path: str, options: Any) -> Iterator[Utterance]:
        unit, ahead = self.runtime.config.stride, 2 * self.threads
        seconds = unit / self.mouth.rate

        def read_one(item: tuple[Stretch, np.ndarray]) -> Utterance:
            place, part = item
            return placed(self.read(part, path, options), *(frames * seconds for frames in astuple(place)))

        with thread_pool(self.threads) as pool:
            how = cutting(self.runtime.config.longest_clip, seconds)
            found = stretches(blocks, self._look, unit, unit, how, pool, ahead)
            for _, utterance in in_order(pool, read_one, found, ahead):
                yield utterance

    def _look(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        return self._levels(window.signal), window.core

    def _levels(self, rows: np.ndarray) -> np.ndarray:
        """Where a window says something, as `common.inference.segmenting.Cutter.push` takes it."""
        blank = self.runtime.outputs(self.frames(rows)).argmax(axis=-1) == BLANK
        return np.where(blank, -np.inf, 0.0)


class LipReader(FilmReader):
    """A model folder that reads lips: rows are a mouth's pixels, (time, side * side) uint8."""

    medium = "lips"

    def rows(self, path: str | Path, options: Any = None) -> Iterator[np.ndarray]:
        face = False
        for block in mouth_blocks(path, self.mouth):
            face |= bool(block.any())
            yield stored(block)
        if not face:
            raise no_face(path)


class _Counted:
    """Blocks, counted as they go by."""

    def __init__(self, blocks: Iterator[np.ndarray], rate: float):
        self._blocks, self._rate, self._count = blocks, rate, 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks:
            self._count += len(block)
            yield block

    @property
    def seconds(self) -> float:
        """How long the blocks are that have gone by."""
        return self._count / self._rate
