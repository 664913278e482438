"""Reading checkpoints: plain types and tensors only, so that opening one runs no code of its own."""

import pickle
from pathlib import Path

import torch

from .errors import EarsightError


def read_checkpoint(path: str | Path) -> dict:
    """Load a checkpoint's tensors and plain values onto the CPU.

    Raises:
        EarsightError: the file is missing, damaged, holds pickled objects, or is another program's.
    """
    path = Path(path)
    if not path.is_file():
        raise EarsightError(f"{path}: no such checkpoint; `earsight train fit` writes model.ckpt into --run")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise EarsightError(f"{path}: holds pickled objects or is damaged, and is not opened; "
                            "use a checkpoint that `earsight train` wrote") from error
    except Exception as error:  # torch asserts, and its unpickler raises what it meets
        raise EarsightError(f"{path}: damaged or cut short ({type(error).__name__}); "
                            "use an earlier checkpoint") from error
    if not isinstance(checkpoint, dict) or "earsight" not in checkpoint:
        raise EarsightError(f"{path}: not a checkpoint of `earsight train`")
    return checkpoint
