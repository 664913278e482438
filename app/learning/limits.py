"""What a learnt classifier does not know: a threshold and a temperature, by clips that one like it was not taught."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...common.data.manifest import write_manifest
from ...common.data.openers import Openers
from ...common.errors import EarsightError
from ...common.inference.runtime import Runtime
from ...common.tuning.calibrating import calibrate, take_over
from .ending import export
from .frames import Frames
from .teaching import open_model, stored_reader


def tell_unknown(model: Path, like: Path, held: Sequence[Any], card: Path, work: Path, frames: Frames) -> str:
    """Calibrate a checkpoint that was taught a part of the clips, and give the model what was found.

    Args:
        model: the model folder, which was taught all clips.
        like: a checkpoint of the same kind.
        held: cuts of stored frames that it was not taught.

    Returns:
        A line that says what was done, or why nothing was.
    """
    folder = work / "calibration"
    shutil.rmtree(folder, ignore_errors=True)
    export(like, folder / "model", card, frames)
    manifest = write_manifest(held, folder / "held.jsonl.gz")
    try:
        calibrate(Runtime(folder / "model"), stored_reader(open_model(like)), Openers(), [manifest])
        take_over(Runtime(model), folder / "model")
    except EarsightError as error:
        return f"not calibrated, so that every clip gets the name of a class: {error}"
    return f"calibrated on {len(held)} clips held out: 19 of 20 clips of the classes get a name, others less often"
