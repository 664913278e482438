"""`earsight calibrate` for sound and stored frames."""

from collections.abc import Sequence
from pathlib import Path

from ..common.errors import EarsightError
from ..common.inference.runtime import Runtime
from ..common.tuning.calibrating import KEEP, calibrate
from .corpora.importers import OPENERS
from .evaluating import frames_reader
from .noise_clips import noise_clips

NOISE_CLIPS = 120


def calibrate_model(model: str, manifests: Sequence[Path], others: Sequence[Path] = (), keep: float = KEEP,
                    output: Path | None = None) -> tuple[str, list[EarsightError]]:
    """`common.tuning.calibrating.calibrate` of a model folder; among the other clips is sound without speech."""
    runtime = Runtime(model)
    rate = runtime.config.sample_rate
    noise = (runtime.frames(sound) for sound in noise_clips(NOISE_CLIPS, rate)) if rate else ()
    return calibrate(runtime, frames_reader(runtime), OPENERS, manifests, others, noise, keep, output)
