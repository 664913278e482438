"""What libraries say of every run and nobody can act on, left out."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

WARNINGS = (
    "You are using Dynamic.*Sampler with an eagerly read CutSet",  # sets that fit in memory are meant to be read so
    "LightningCLI's args parameter is intended",
    "`isinstance.treespec, LeafSpec.` is deprecated",
    ".* directory .* exists and is not empty",  # it is made, and locked, before Lightning looks into it
    "The dirpath has changed from",  # where the chosen checkpoint is validated once more
    "predict returned None",
    "The `srun` command is available",  # SLURM is installed, and this is none of its jobs
    # Lightning 2.6 calls what jsonargparse will not have from 5 on, which is not installed beside it.
    r"\s*``instantiate_classes`` was deprecated",
    r"\s*By default only one JsonargparseDeprecationWarning",
)


def leave_out_noise() -> None:
    """Filter these warnings of Lightning's and lhotse's, and Lightning's advertisements, in this process."""
    for message in WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(_no_advertisement)


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Drop what is written there, from C++ too."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _no_advertisement(record: logging.LogRecord) -> bool:
    return "Tip: For seamless cloud" not in record.getMessage()
