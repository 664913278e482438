"""A checkpoint's model again: the settings that rebuild it, and its weights."""

from pathlib import Path

from ..errors import EarsightError
from .encoder import EncoderSettings
from .module import NormaliserSettings, OptimiserSettings, SequenceModel


def model_options(checkpoint: dict) -> dict:
    """The arguments that rebuild a checkpoint's `SequenceModel`, without those of its medium."""
    saved = checkpoint["earsight"]
    settings = saved["settings"]
    return {
        "labels": saved["labels"], "auxiliary_labels": saved["auxiliary_labels"],
        "normaliser": NormaliserSettings(**settings["normaliser"]),
        "encoder": EncoderSettings(**{**settings["encoder"], "streams": tuple(settings["encoder"].get("streams", ()))}),
        "optimiser": OptimiserSettings(**settings["optimiser"]),
        **{name: settings[name] for name in ("auxiliary_weight", "auxiliary_layer", "head_dropout")},
    }


def restore(model: SequenceModel, checkpoint: dict, path: str | Path) -> SequenceModel:
    """Put a checkpoint's weights into its rebuilt model, ready to recognise."""
    try:
        model.load_state_dict(checkpoint["state_dict"])
        model.settings.update(checkpoint["earsight"]["settings"])
    except RuntimeError as error:
        raise EarsightError(f"{path}: its weights do not fit its settings; it is of another version") from error
    return model.eval()
