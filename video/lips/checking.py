"""`earsight check --sheet`: stored mouths of a data set on one picture."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...common.data.cuts import frames_of
from ...common.data.datamodule import read_frames_cut
from ...common.data.manifest import read_manifest
from ...common.errors import EarsightError
from ...common.files import write_whole
from ..corpora.importers import OPENERS
from ..mouth.sheet import as_png, contact_sheet

CLIPS = 12  # on a sheet


def write_sheet(manifests: Sequence[Path], path: Path) -> None:
    """Draw CLIPS clips, evenly spaced over manifests of stored mouths, into a PNG file.

    Raises:
        EarsightError: there are no stored mouths in the manifests, or some cannot be read.
    """
    cuts = [cut for manifest in manifests for cut in read_manifest(manifest, OPENERS) if _side(cut)]
    if not cuts:
        raise EarsightError(f"{', '.join(map(str, manifests))}: no stored mouths to draw; --sheet is for what "
                            "`earsight prepare mouths` writes")
    chosen = cuts[::math.ceil(len(cuts) / CLIPS)]
    side = _side(chosen[0])
    clips = {cut.id: read_frames_cut(cut).astype(np.uint8).reshape(-1, side, side) for cut in chosen
             if _side(cut) == side}
    write_whole(path, as_png(contact_sheet(clips)))


def _side(cut: object) -> int:
    """Pixels along the side of a clip's stored mouths; 0 where its frames are none."""
    frames = frames_of(cut)
    width = frames.shape[1] if frames is not None else 0
    return math.isqrt(width) if width >= 256 and math.isqrt(width)**2 == width else 0
