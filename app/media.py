"""What media bring to a command: the package of a model's medium, and how clips of any are looked into."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..common.errors import EarsightError, require

if TYPE_CHECKING:
    from ..common.data.openers import Openers


# By medium, those that are not `audio`.
PACKAGES = {"video": "video", "lips": "video.lips", "audiovisual": "audiovisual", "series": "common.series"}


def package_of(model: str | Path, module: str) -> ModuleType:
    """A module of the package that the medium of a checkpoint or model folder belongs to; `audio` reads frames."""
    if Path(model).is_file():
        require("torch", "train")
        from ..common.checkpoint import read_checkpoint

        medium = read_checkpoint(model)["earsight"]["medium"]
    else:
        from ..common.model_folder import medium_of

        medium = medium_of(model)
    name = f"..{PACKAGES.get(medium, 'audio')}.{module}"
    if importlib.util.find_spec(name, __package__) is None:
        raise EarsightError(f"model {model} is for {medium}, and there is no {module} for such models")
    return importlib.import_module(name, __package__)


def openers() -> "Openers":
    """How the clips of a manifest, table or folder are looked into, sound, pictures and series alike."""
    from ..audio.corpora import importers as speech
    from ..common.data.openers import both_media
    from ..common.series.corpora import with_tables
    from ..video.corpora import importers as pictures

    return with_tables(both_media(speech.OPENERS, pictures.OPENERS))


def name_classes() -> None:
    """Import the models and data modules of all media, so that recipes can name them by their bare names."""
    importlib.import_module("..common.nn.linear", __package__)
    for medium in ("audio", *PACKAGES.values()):
        importlib.import_module(f"..{medium}.model", __package__)
