"""`earsight calibrate` for video: films or their embeddings."""

from collections.abc import Sequence
from pathlib import Path

from ..common.errors import EarsightError
from ..common.inference.runtime import Runtime
from ..common.tuning.calibrating import KEEP, calibrate
from .corpora.importers import OPENERS
from .evaluating import frames_reader
from .frontends.pictures import PictureSettings


def calibrate_model(model: str, manifests: Sequence[Path], others: Sequence[Path] = (), keep: float = KEEP,
                    output: Path | None = None, score: str = "auto"
                    ) -> tuple[str, list[EarsightError]]:
    """`common.tuning.calibrating.calibrate` of a model folder."""
    runtime = Runtime(model)
    read = frames_reader(PictureSettings.from_dict(runtime.config.frontend, runtime.folder), runtime.frames)
    return calibrate(runtime, read, OPENERS, manifests, others, (), keep, output, score)
