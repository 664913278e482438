"""What both media bring to a command: the package of a model's medium, and how clips of either are looked into."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..common.errors import require

if TYPE_CHECKING:
    from ..common.data.openers import Openers


def package_of(model: str | Path, module: str) -> ModuleType:
    """A module of the package that the medium of a checkpoint or model folder belongs to; `audio` reads frames."""
    if Path(model).is_file():
        require("torch", "train")
        from ..common.checkpoint import read_checkpoint

        medium = read_checkpoint(model)["earsight"]["medium"]
    else:
        from ..common.model_folder import medium_of

        medium = medium_of(model)
    package = {"video": "video", "lips": "video.lips"}.get(medium, "audio")
    return importlib.import_module(f"..{package}.{module}", __package__)


def openers() -> "Openers":
    """How the clips of a manifest, table or folder are looked into, sound and pictures alike."""
    from ..audio.corpora import importers as speech
    from ..common.data.openers import both_media
    from ..video.corpora import importers as pictures

    return both_media(speech.OPENERS, pictures.OPENERS)


def name_classes() -> None:
    """Import the models and data modules of both media, so that recipes can name them by their bare names."""
    for package in ("audio", "video", "video.lips"):
        importlib.import_module(f"..{package}.model", __package__)
