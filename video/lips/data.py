"""Mouths as training reads them: stored pictures, or cut out of the film there and then."""

import math
from collections.abc import Callable

import numpy as np
from lhotse.cut import Cut

from ...common.data.cuts import film_of, frames_of
from ...common.data.datamodule import SequenceData, read_frames_cut
from ...common.data.splicing import Piece, Splicer
from ...common.errors import EarsightError
from ...common.inference.runtime import Runtime
from ...common.nn.frames import stretch_frames
from ..corpora.importers import OPENERS
from ..corpora.mouths import part_of
from ..mouth.augmentation import MouthAugmentation, augment_mouth
from ..mouth.crops import MouthSettings, mouth_pictures, stored


class LipData(SequenceData):
    """Mouths that `earsight prepare mouths` stored, or films, for `earsight train`.

    Args:
        splice: share of the places between two words at which a training clip goes on as another one of its talker; see
            `common.data.splicing`. The corpus tells when words are said (GRID's does).
        augmentation: of the training clips' pictures.
        options: see `SequenceData`.
    """

    openers = OPENERS
    mouth = MouthSettings()  # the model's, which sets them

    def __init__(self, train: str | list[str], validation: str | list[str], test: str | list[str] | None = None,
                 labels: str = "characters", lexicon: str | None = None, vocabulary: int = 100,
                 auxiliary_labels: str | None = None, batch_duration: float = 60.0, curriculum: int = 0,
                 buckets: int = 10, workers: int = 1, seed: int = 1, splice: float = 0.0,
                 augmentation: MouthAugmentation = MouthAugmentation()):
        super().__init__(train, validation, test, labels, lexicon, vocabulary, auxiliary_labels, batch_duration,
                         curriculum, buckets, workers, seed)
        self.augmentation = augmentation
        self._splicer = Splicer(self.cuts("train"), splice)

    def read(self, cut: Cut, rng: np.random.Generator | None) -> np.ndarray:
        return read_mouths(cut, self.mouth) if rng is None else self.read_varied(cut, rng)[0]

    def read_varied(self, cut: Cut, rng: np.random.Generator) -> tuple[np.ndarray, str | None]:
        pieces, said = self._splicer(cut, rng)
        pictures = np.concatenate([read_piece(piece, self.mouth) for piece in pieces])
        faster = stretch_frames(pictures, 1 + self.augmentation.speed * rng.uniform(-1, 1))
        side = self.mouth.side
        changed = augment_mouth(faster.reshape(-1, side, side), self.augmentation, self.mouth.rate, rng)
        return stored(changed), None if said is None else self._form(said)


def read_mouths(cut: Cut, settings: MouthSettings) -> np.ndarray:
    """The mouths of a clip, (time, side * side) float32 in grey levels: those that are stored, or its film's.

    Raises:
        EarsightError: it has neither, they are of another size, or no face is found.
    """
    if frames_of(cut) is None:
        film = film_of(cut)
        if film is None:
            raise EarsightError(f"{cut.id}: has no film and no stored mouths; prepare the corpus from its films")
        return stored(mouth_pictures(film, settings, *part_of(cut))).astype(np.float32)
    pictures = read_frames_cut(cut)
    if pictures.shape[1] != settings.side**2:
        raise EarsightError(f"{cut.id}: {pictures.shape[1]} values a frame, and the model takes mouths of "
                            f"{settings.side} x {settings.side} pixels; prepare them (`earsight prepare mouths`)")
    return pictures


def read_piece(piece: Piece, settings: MouthSettings) -> np.ndarray:
    """The same of a piece of a clip, to the nearest picture."""
    start, end = (None if time is None else round(time * settings.rate) for time in (piece.start, piece.end))
    return read_mouths(piece.cut, settings)[start:end]


def frames_reader(runtime: Runtime) -> Callable[[Cut], np.ndarray]:
    """What reads a clip's frames (time, feature) for a model folder."""
    mouth = MouthSettings.from_dict(runtime.config.frontend, runtime.folder)
    return lambda cut: runtime.frames(read_mouths(cut, mouth).astype(np.uint8))


def frames_readers(runtime: Runtime) -> tuple[Callable[[Cut], np.ndarray], ...]:
    """The one way in which its clips come; see `audiovisual.data.frames_readers`."""
    return (frames_reader(runtime),)


def count_pictures(cut: Cut, rate: float) -> int:
    """How many pictures a film's clip gives."""
    return max(1, math.ceil(cut.duration * rate - 1e-6))
