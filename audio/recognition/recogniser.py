"""From sound files to transcripts or classes, with a model folder. torch is never imported on this path."""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, astuple, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from ...common.batch_run import thread_pool
from ...common.errors import EarsightError
from ...common.inference.journal import Journal
from ...common.inference.recognition import (
    Classification,
    Timeline,
    Transcript,
    Utterance,
    classification,
    joined,
    placed,
)
from ...common.inference.runtime import Runtime
from ...common.inference.segmenting import CORE, Cutting, Stretch, Window, cutting, in_order, stretches
from ...common.inference.timeline import BATCH, timeline
from ...common.inference.transcribing import folder_transcriber
from ...common.labels import BLANK
from ...common.model_folder import CONFIG, ENCODER, FRONTEND
from ...common.steps import Rest, Steps, finished
from ..reading import FRAME_SUFFIXES, WHOLE, ReadingOptions, open_blocks, read, read_frames, resample

LOUD = 95  # percentile of a window's levels that counts as loud
MUTE = -50.0  # dB beside what is loud: no room is so quiet; such frames would be far from those of training

# Seconds of the windows in which a pretrained encoder hears a long recording. Chosen on 18 minutes of LibriSpeech's
# development speakers, with pauses of 0.2 to 1.5 s: word errors of 15.8 to 14.9 % for 6 to 12 s, no better beyond, and
# attention costs the more the longer they are.
ENCODED_CORE = 12.0
STRETCH = 1000  # frames that go through the frontend at once: 10 s as a rule, which the caches hold


class SpeechRecogniser:
    """A speech model folder applied to clips. Safe to share between threads.

    Args:
        model: a model folder or an installed model's name.
        task: "ctc" or "classification"; a model of the other task is refused.
        threads: CPU threads that work on one long recording.
        decoding: fields of `common.decoding.options.DecodingOptions` that differ from what the folder stores.
        calibrated: give confidences as the folder's calibration makes them, where it has one.
    """

    def __init__(self, model: str | Path, task: str, threads: int = 1, decoding: dict | None = None,
                 calibrated: bool = True):
        # Long sound gives each thread a stretch of its own, which costs less than all of them at every operation (for
        # 12 minutes 2.2 s of CPU for 3.6); a clip of seconds is done before a second thread would help.
        self.runtime, self.threads = Runtime(model), threads
        config = self.runtime.config
        if config.medium not in ("speech", "frames") or config.task != task:
            command = "transcribe" if config.task == "ctc" else "classify"
            raise EarsightError(f"model {self.runtime.name} is for {config.medium} and `earsight {command}`; "
                                "choose another (see `earsight models`)")
        self.sample_rate = config.sample_rate
        if task == "ctc":
            self.transcriber = folder_transcriber(self.runtime, decoding, calibrated)

    def load_frontend(self) -> None:
        """Load what makes frames of sound, where the model has it, which else is done for the first sound."""
        if self.sample_rate:
            self.runtime.load_frontend()

    def frames(self, path: str | Path) -> np.ndarray:
        """A clip's feature frames (time, feature), from its sound or, for .npy and .mfc, as they are stored."""
        return self.frames_and_duration(path)[0]

    def frames_and_duration(self, path: str | Path) -> tuple[np.ndarray, float]:
        """A clip's frames, as `frames` gives them, and its seconds, which for sound are not whole frames."""
        path = Path(path)
        if path.suffix.lower() in FRAME_SUFFIXES:
            frames = read_frames(path)
            self.runtime.check_frames(frames, str(path))
            return frames, len(frames) * self.runtime.config.frame_shift
        self._need_sound(path)
        samples = read(path, self.sample_rate).samples
        return self.frames_of_samples(samples, self.sample_rate, str(path)), len(samples) / self.sample_rate

    def frames_of_samples(self, samples: np.ndarray, sample_rate: int, name: str = "samples") -> np.ndarray:
        """Feature frames (time, feature) of a mono waveform (samples,) in [-1, 1]."""
        if sample_rate != self.sample_rate:
            samples = resample(samples, sample_rate, self.sample_rate)
        if len(samples) == 0:
            raise EarsightError(f"{name}: holds no sound (0 samples)")
        samples = np.ascontiguousarray(samples, dtype=np.float32)
        if self._is_encoded:
            return self.runtime.frames(samples)
        return self._frames_in_stretches(samples)

    def _frames_in_stretches(self, samples: np.ndarray) -> np.ndarray:
        """The frames of the whole waveform, long ones computed in stretches that join exactly.

        `MfccSettings.margin` says how stretches are cut. The last one takes what is left over, up to twice as
        much as the others, so that no stretch is too short to hold its margin.
        """
        settings = self.runtime.config.frontend
        hop, margin = settings["hop_length"], math.ceil(settings["n_fft"] / settings["hop_length"])
        count = len(samples) // (STRETCH * hop)
        if count < 2 or settings["top_db"] is not None:  # that floor hangs on the whole clip
            return self.runtime.frames(samples)

        def stretch(i: int) -> np.ndarray:
            first = i * STRETCH
            start = max(first - margin, 0)
            if i == count - 1:
                return self.runtime.frames(samples[start * hop:])[first - start:]
            frames = self.runtime.frames(samples[start * hop:(first + STRETCH + margin) * hop])
            return frames[first - start:][:STRETCH]

        with thread_pool(self.threads) as pool:
            return np.concatenate(list(pool.map(stretch, range(count))))

    def transcript(self, frames: np.ndarray, path: str = "", duration: float | None = None) -> Transcript:
        """Read frames (time, feature), `duration` seconds if that is known better than from their number."""
        duration = duration or len(frames) * self.runtime.config.frame_shift
        return self.transcriber(self.runtime.outputs(frames), frames, duration, path)

    def transcript_of(self, signal: np.ndarray, path: str = "") -> Transcript:
        """Read a mono waveform (samples,) at the model's rate, or frames (time, feature), as a file of it is read."""
        config = self.runtime.config
        hop, rate = (config.frontend["hop_length"], self.sample_rate) if signal.ndim == 1 else (
            1, 1 / config.frame_shift)
        held = Signal(path, iter([signal]), hop, rate)
        found = [one for one in self._utterances(held) if not isinstance(one, Rest)]
        return joined(found, path, held.seconds, self.runtime.name)

    def utterances(self, path: str | Path, options: ReadingOptions = WHOLE) -> Iterator[Utterance]:
        """Read one file, utterance by utterance as they are ready, in memory that does not grow with its length.

        A file no longer than the clips that the model was trained on is one utterance, read as it is; a longer one is
        cut in its pauses.
        """
        return (one for one in self._utterances(self._signal(path, options)) if not isinstance(one, Rest))

    def _signal(self, path: str | Path, options: ReadingOptions) -> "Signal":
        path, config = Path(path), self.runtime.config
        if path.suffix.lower() in FRAME_SUFFIXES:
            return Signal(str(path), iter([self.frames(path)]), 1, 1 / config.frame_shift)
        self._need_sound(path)
        rate, blocks = open_blocks(path, self.sample_rate, options)
        return Signal(str(path), blocks, config.frontend["hop_length"], rate)

    def _utterances(self, signal: "Signal", journal: Journal | None = None,
                    progress: Callable[[float], None] = lambda seconds: None) -> Iterator[Utterance | Rest]:
        """The utterances of a signal, and where it may rest."""
        head: list[np.ndarray] = []
        for block in signal:
            head.append(block)
            if signal.seconds > self.runtime.config.longest_clip:
                yield Rest.LONG
                yield from self._between_pauses(signal, chain(head, signal), journal, progress)
                return
        yield Rest.STEP
        frames = self._frames_of(head[0] if len(head) == 1 else np.concatenate(head))
        yield Rest.STEP
        outputs = self.runtime.outputs(frames)
        yield Rest.STEP
        yield Utterance(0.0, signal.seconds, self.transcriber(outputs, frames, signal.seconds, signal.path))

    def _between_pauses(self, signal: "Signal", blocks: Iterable[np.ndarray], journal: Journal | None,
                        progress: Callable[[float], None]) -> Iterator[Utterance]:
        stride = self.runtime.config.stride
        unit = signal.hop * stride  # places an output frame
        encoded = self._is_encoded and signal.hop > 1
        seconds, ahead = unit / signal.rate, 2 * self.threads

        def read_one(item: tuple[Stretch, np.ndarray]) -> Utterance:
            place, part = item
            transcript = self.transcript(self._frames_of(part), signal.path)
            return placed(transcript, *(frames * unit / signal.rate for frames in astuple(place)))

        place = Stretch(0, 0, 0, 0)
        for place, utterance in journal.open() if journal else ():
            yield utterance
        with thread_pool(self.threads) as pool:
            found = stretches(blocks, partial(self._look, hop=signal.hop, encoded=encoded), unit,
                              stride if encoded else unit, self._cutting(seconds), pool, ahead, place.last,
                              place.next_start, lambda frames: progress(frames * seconds))
            for (place, _), utterance in in_order(pool, read_one, found, ahead):
                if journal:
                    journal.add(place, utterance)
                yield utterance

    @property
    def _is_encoded(self) -> bool:
        """Whether a pretrained encoder makes the frames of sound."""
        return "encoder" in self.runtime.config.frontend

    def _cutting(self, shift: float) -> Cutting:
        return cutting(self.runtime.config.longest_clip, shift, ENCODED_CORE if self._is_encoded else CORE)

    def _look(self, window: Window, hop: int, encoded: bool) -> tuple[np.ndarray, np.ndarray]:
        """A window's levels, and what is read of its core; see `stretches`.

        Where an encoder made the frames, that is them: they cost more than all else, and are the better for what stands
        around an utterance (word errors as above: 16.2 % where each utterance is encoded anew, 14.9 %).
        """
        frames = self._frames_of(window.signal)
        levels = self._levels(frames, window.signal, hop * self.runtime.config.stride)
        if not encoded:
            return levels, window.core
        first, count = window.lead // hop, -(-len(window.core) // hop)
        core = frames[first:first + count]
        if (missing := count - len(core)) and not window.last:  # a frontend may give a frame less
            core = np.pad(core, ((0, missing), (0, 0)), mode="edge")
        return levels, core

    def _levels(self, frames: np.ndarray, signal: np.ndarray, unit: int) -> np.ndarray:
        """How loud each output frame of a window is, in dB beside what is loud in it; see `Cutter.push`."""
        blank = self.runtime.outputs(frames).argmax(axis=-1) == BLANK
        if signal.ndim == 2:  # stored frames
            return np.where(blank, -np.inf, 0.0)
        power = np.pad(np.square(signal), (0, max(len(blank) * unit - len(signal), 0)))[:len(blank) * unit]
        levels = 10 * np.log10(power.reshape(-1, unit).mean(axis=1) + 1e-12)
        levels -= np.percentile(levels, LOUD)
        around = np.lib.stride_tricks.sliding_window_view(np.pad(levels, 1, mode="edge"), 3).max(axis=1)
        # A label may stand beside its sound.
        return np.where(blank, np.where(levels < MUTE, np.nan, -np.inf), around)

    def _frames_of(self, signal: np.ndarray) -> np.ndarray:
        return signal if signal.ndim == 2 else self.frames_of_samples(signal, self.sample_rate)

    def _need_sound(self, path: Path) -> None:
        if not self.sample_rate:
            raise EarsightError(f"{path}: model {self.runtime.name} takes stored frames (.npy), not sound")

    def classification(self, frames: np.ndarray, path: str = "") -> Classification:
        """Class probabilities of frames (time, feature)."""
        if len(frames) == 0:
            raise EarsightError(f"{path}: shorter than one frame of model {self.runtime.name}; give a longer clip")
        duration = len(frames) * self.runtime.config.frame_shift
        logits, familiarity = self.runtime.judged(frames)
        return classification(logits, self.runtime.labels.symbols, path, duration, self.runtime.name, familiarity)

    def timeline(self, path: str | Path, **options: float) -> Timeline:
        """What is heard when, by a classifier; options: see `common.inference.timeline.timeline`."""
        return timeline(self.runtime.batch_judged, [self.frames(path)], self.runtime.labels.symbols,
                        self.runtime.config.frame_shift, batch=BATCH, path=str(path), model=self.runtime.name,
                        **options)

    @staticmethod
    def thumbnails(result: Timeline) -> list:
        """Sound has none."""
        return []

    def transcribe(self, path: str | Path, journal: Path | None = None,
                   heard: Callable[[Utterance], None] = lambda utterance: None,
                   progress: Callable[[float], None] = lambda seconds: None,
                   options: ReadingOptions = WHOLE) -> Transcript:
        """Read one file.

        Args:
            journal: file in which the utterances of a long recording are noted as they are ready. What is there
                already, of the same file, model and settings, is not read again. The caller deletes it.
            heard: is given each utterance when it is ready.
            progress: is told how many seconds of a long recording have been looked through.
            options: what of the file is read; "split" is for the caller, see `audio.reading.each_channel`.
        """
        return finished(self.transcribing(path, journal, heard, progress, options))

    def transcribing(self, path: str | Path, journal: Path | None = None,
                     heard: Callable[[Utterance], None] = lambda utterance: None,
                     progress: Callable[[float], None] = lambda seconds: None,
                     options: ReadingOptions = WHOLE) -> Steps[Transcript]:
        """`transcribe` in steps, for several clips side by side."""
        signal = self._signal(path, options)
        utterances = []
        notes = Journal(journal, self._key(path, options)) if journal else None
        try:
            for utterance in self._utterances(signal, notes, progress):
                if isinstance(utterance, Rest):
                    yield utterance
                    continue
                utterance = replace(utterance, transcript=replace(utterance.transcript, channel=options.channel))
                utterances.append(utterance)
                heard(utterance)
        except EarsightError as error:
            if not notes or not utterances:
                raise
            raise EarsightError(f"{error} (what was read before is kept in {journal})") from error
        finally:
            if notes:
                notes.close()
        return replace(joined(utterances, str(path), signal.seconds, self.runtime.name), channel=options.channel)

    def _key(self, path: str | Path, reading: ReadingOptions) -> dict:
        """What the utterances of a file hang on."""
        options = self.transcriber.decoder.options
        model = (self.runtime.folder / name for name in (CONFIG, FRONTEND, ENCODER))
        files = [path, *model, options.lm, options.lexicon]
        stats = [(str(file), os.stat(file)) for file in files if file and os.path.exists(file)]
        return {"files": [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats], "decoding": asdict(options),
                "cutting": asdict(self._cutting(0.01)), "reading": asdict(replace(reading, quiet=False))}

    def classify(self, path: str | Path) -> Classification:
        """Classify one file."""
        return self.classification(self.frames(path), str(path))


class Signal:
    """A file's sound or frames, block by block, counted as they go by.

    Attributes:
        path: the file.
        hop: places a frame: samples, or 1 for stored frames.
        rate: places a second.
    """

    def __init__(self, path: str, blocks: Iterator[np.ndarray], hop: int, rate: float):
        self.path, self.hop, self.rate = path, hop, rate
        self._blocks, self._count = blocks, 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks:
            self._count += len(block)
            yield block

    @property
    def seconds(self) -> float:
        """How long the blocks are that have gone by."""
        return self._count / self.rate
