"""Films as training reads them: stored mouths with their film's sound, disturbed, or one of both alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from lhotse.cut import Cut

from ..audio.augmentation import add_noise, outer_silence
from ..audio.noises import NOISES, NoiseSource
from ..audio.reading import NoSound, read, resample
from ..common.data.cuts import film_of
from ..common.data.datamodule import SequenceData
from ..common.data.splicing import Piece, Splicer
from ..common.errors import EarsightError
from ..common.inference.runtime import Runtime
from ..common.nn.frames import stretch_frames
from ..video.corpora.importers import OPENERS
from ..video.corpora.mouths import part_of
from ..video.lips.data import read_mouths, read_piece
from ..video.mouth.augmentation import MouthAugmentation, augment_mouth
from ..video.mouth.crops import MouthSettings
from .rows import as_rows, samples_a_picture

BABBLING = 100  # clips of whose voices babble is made
MARGIN = 5  # pictures on either side of what is said that are not called silent


@dataclass(frozen=True)
class StreamAugmentation:
    """What is done to the sound of training clips, and to sound and lips as wholes.

    Attributes:
        deaf, blind, still: shares of clips whose sound is silenced, whose picture is black, and whose picture stands
            (modality dropout: Neverova et al., 2016), so that the model learns to read either alone.
        noise: share of clips with noise, its kinds in equal parts.
        kinds: of noise; see `audio.noises.NOISES`.
        snr: signal-to-noise ratios, dB: the lowest and the highest.
        growing: epochs over which the lowest ratio falls from the highest to its own.
        gain: largest change of level, dB.
        lag: largest shift of sound against lips, seconds.
    """

    deaf: float = 0.0
    blind: float = 0.0
    still: float = 0.0
    noise: float = 0.0
    kinds: tuple[str, ...] = NOISES
    snr: tuple[float, float] = (-10.0, 20.0)
    growing: int = 0
    gain: float = 0.0
    lag: float = 0.0


class AudioVisualData(SequenceData):
    """Mouths that `earsight prepare mouths` stored (or films) with the films' sound, for `earsight train`.

    Args:
        sample_rate: Hz, the model's.
        splice: share of the places between two words at which a training clip goes on as another one of its talker; see
            `common.data.splicing`. The corpus tells when words are said (GRID's does).
        lips: augmentation of the pictures; its speed is the sound's too.
        streams: augmentation of the sound, and of both as wholes.
        options: see `SequenceData`.
    """

    openers = OPENERS
    mouth = MouthSettings()  # the model's, which sets them

    def __init__(self, train: str | list[str], validation: str | list[str], test: str | list[str] | None = None,
                 labels: str = "characters", lexicon: str | None = None, vocabulary: int = 100,
                 auxiliary_labels: str | None = None, batch_duration: float = 60.0, curriculum: int = 0,
                 buckets: int = 10, workers: int = 1, seed: int = 1, sample_rate: int = 16000, splice: float = 0.0,
                 lips: MouthAugmentation = MouthAugmentation(), streams: StreamAugmentation = StreamAugmentation()):
        super().__init__(train, validation, test, labels, lexicon, vocabulary, auxiliary_labels, batch_duration,
                         curriculum, buckets, workers, seed)
        self.sample_rate, self.lips, self.streams = sample_rate, lips, streams
        self._splicer = Splicer(self.cuts("train"), splice)
        self._noises = self._sources() if streams.noise else []

    def read(self, cut: Cut, rng: np.random.Generator | None) -> np.ndarray:
        if rng is None:
            return read_rows(cut, self.mouth, self.sample_rate)
        return self.read_varied(cut, rng)[0]

    def read_varied(self, cut: Cut, rng: np.random.Generator) -> tuple[np.ndarray, str | None]:
        pieces, said = self._splicer(cut, rng)
        pictures, samples = read_pieces(pieces, self.mouth, self.sample_rate)
        return self._varied(pictures, samples, cut.id, rng), None if said is None else self._form(said)

    def _varied(self, pictures: np.ndarray, samples: np.ndarray, name: str, rng: np.random.Generator) -> np.ndarray:
        """Rows of mouths (time, side * side) and sound (samples,), disturbed, or of one of both alone."""
        each = samples_a_picture(self.sample_rate, self.mouth.rate)
        speed = 1 + self.lips.speed * rng.uniform(-1, 1)
        pictures = stretch_frames(pictures, speed)
        samples = resample(samples, self.sample_rate * speed, self.sample_rate)
        side = self.mouth.side
        seen = augment_mouth(pictures.reshape(-1, side, side), self.lips, self.mouth.rate, rng)
        heard = self._disturbed(samples, name, rng)
        one_alone = rng.random()
        if one_alone < self.streams.deaf:
            heard = np.zeros_like(heard)
        elif one_alone < self.streams.deaf + self.streams.blind:
            seen = np.zeros_like(seen)
        elif one_alone < self.streams.deaf + self.streams.blind + self.streams.still:
            seen = np.repeat(seen[int(rng.integers(len(seen)))][None], len(seen), axis=0)
        return with_silence(as_rows(seen.reshape(len(seen), -1), heard, each), samples, each)

    def _sources(self) -> list[NoiseSource]:
        """Noise of the kinds wanted; babble of the voices of some clips, which are held in memory."""
        cuts = list(self.cuts("train"))
        chosen = np.random.default_rng(self.seed).permutation(len(cuts))[:BABBLING]
        voices = {cuts[i].id: read_sound(cuts[i], self.sample_rate) for i in chosen} if "babble" in (
            self.streams.kinds) else {}
        return [NoiseSource(kind, self.sample_rate, list(voices), voices.__getitem__) for kind in self.streams.kinds]

    def _disturbed(self, samples: np.ndarray, name: str, rng: np.random.Generator) -> np.ndarray:
        s = self.streams
        if rng.random() < s.noise:
            source = self._noises[int(rng.integers(len(self._noises)))]
            low, high = s.snr
            grown = min(1.0, (self.epoch + 1) / s.growing) if s.growing else 1.0
            snr = rng.uniform(high - grown * (high - low), high)
            samples = add_noise(samples, source.noise(len(samples), rng, name), snr)
        moved = round(s.lag * rng.uniform(-1, 1) * self.sample_rate)
        samples = np.pad(samples, (max(moved, 0), 0))[max(-moved, 0):]
        return (samples * 10 ** (s.gain * rng.uniform(-1, 1) / 20)).astype(np.float32)


def with_silence(rows: np.ndarray, clean: np.ndarray, each: int) -> np.ndarray:
    """Rows with a column more, for training: 1 where nobody speaks yet or any more, 0 between; see `outer_silence`.

    Args:
        clean: the sound (samples,) before anything was done to it, `each` samples a row.
    """
    waveform = torch.from_numpy(as_rows(np.zeros((len(rows), 0)), clean, each).ravel())
    silent = outer_silence(waveform[None], torch.tensor([len(waveform)]), each, len(rows), MARGIN)
    return np.concatenate([rows, silent[0].numpy().astype(np.float32)[:, None]], axis=1)


def read_sound(cut: Cut, sample_rate: int) -> np.ndarray:
    """The sound of a clip's film (samples,) at `sample_rate`; none, where the film has none.

    Raises:
        EarsightError: the clip names no film, or its sound cannot be read.
    """
    film = film_of(cut)
    if film is None:
        raise EarsightError(f"{cut.id}: names no film to hear; prepare its mouths again (`earsight prepare mouths`)")
    try:
        samples = read(film, sample_rate).samples
    except NoSound:
        return np.zeros(0, np.float32)
    start, end = part_of(cut)
    return samples[round(start * sample_rate):None if end is None else round(end * sample_rate)]


def read_pieces(pieces: Sequence[Piece], settings: MouthSettings, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """The mouths (time, side * side) and the sound (samples,) of pieces of clips, one behind the other."""
    each = samples_a_picture(sample_rate, settings.rate)
    seen, heard = [read_piece(piece, settings) for piece in pieces], []
    for piece, pictures in zip(pieces, seen, strict=True):
        samples = read_sound(piece.cut, sample_rate)[round(piece.start * settings.rate) * each:]
        if piece.end is not None:  # what follows begins with the picture and the sound of one moment
            samples = as_rows(pictures[:, :0], samples, each).ravel()
        heard.append(samples)
    return np.concatenate(seen), np.concatenate(heard)


def read_rows(cut: Cut, settings: MouthSettings, sample_rate: int,
              change: Callable[[np.ndarray, np.ndarray, str], tuple[np.ndarray, np.ndarray]] | None = None
              ) -> np.ndarray:
    """A clip's rows; see `audiovisual.rows`.

    Args:
        change: what is done to the mouths (time, side * side) and the sound (samples,) of a clip of a name before.
    """
    pictures, samples = read_mouths(cut, settings), read_sound(cut, sample_rate)
    if change:
        pictures, samples = change(pictures, samples, cut.id)
    return as_rows(pictures, samples, samples_a_picture(sample_rate, settings.rate))


def frames_reader(runtime: Runtime, change: Callable[[np.ndarray, np.ndarray, str], tuple[np.ndarray, np.ndarray]] |
                  None = None) -> Callable[[Cut], np.ndarray]:
    """What reads a clip's frames (time, feature) for a model folder; `change` as `read_rows` takes it."""
    mouth = MouthSettings.from_dict(runtime.config.frontend, runtime.folder)
    return lambda cut: runtime.frames(read_rows(cut, mouth, runtime.config.sample_rate, change))


def frames_readers(runtime: Runtime) -> tuple[Callable[[Cut], np.ndarray], ...]:
    """The ways in which a clip may come: with both, by its sound alone, by its lips alone."""
    return tuple(frames_reader(runtime, partial(_kept, sound, lips)) for sound, lips in ((1, 1), (1, 0), (0, 1)))


def _kept(sound: int, lips: int, pictures: np.ndarray, samples: np.ndarray, _: str) -> tuple[np.ndarray, np.ndarray]:
    return pictures * lips, samples * np.float32(sound)
