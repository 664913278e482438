"""What both media bring to a command: the package of a model's medium, and how clips of either are looked into."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..common.data.openers import Openers


def package_of(model: str | Path, module: str) -> ModuleType:
    """A module of the package that a model's medium belongs to; stored frames are read by `audio`."""
    from ..common.model_folder import medium_of

    return importlib.import_module(f"..{'video' if medium_of(model) == 'video' else 'audio'}.{module}", __package__)


def openers() -> "Openers":
    """How the clips of a manifest, table or folder are looked into, sound and pictures alike."""
    from ..audio.corpora import importers as speech
    from ..common.data.openers import both_media
    from ..video.corpora import importers as pictures

    return both_media(speech.OPENERS, pictures.OPENERS)
