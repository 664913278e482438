"""The training process: set up, told from its siblings, and what libraries raise in it as errors of one line."""

import argparse
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.utilities.exceptions import SIGTERMException

from ..data.datamodule import lost_worker
from ..errors import EarsightError, first_line
from ..memory import collect_as_usual, keep_freed_memory
from ..quiet import leave_out_noise
from ..signals import Stopped, grace, set_signals_apart, told
from .setting_errors import explain, named_classes

PATIENCE = 3.0  # seconds that a training has to take itself apart


@contextmanager
def training_process() -> Iterator[None]:
    """Set the process up; what Lightning, its parser and its processes raise becomes errors of one line."""
    keep_freed_memory(1 << 30, 2**31 - 1)
    collect_as_usual()
    set_signals_apart()
    leave_out_noise()
    try:
        with grace(PATIENCE):
            yield
    except (Stopped, SIGTERMException) as error:
        raise Stopped(told() or signal.SIGTERM, "`--resume auto` goes on from what was saved") from error
    except MisconfigurationException as error:  # devices or strategies that are not there
        raise EarsightError(" ".join(str(error).split())) from error
    except EarsightError as error:
        if str(error).startswith("Caught "):  # by a loader's worker, and torch puts its whole traceback before it
            raise EarsightError(str(error).rpartition("EarsightError: ")[2].strip()) from error
        raise
    except RuntimeError as error:  # what gloo and NCCL raise is of no class of its own
        if lost := lost_worker(error):
            raise EarsightError(f"a process that reads clips was killed ({first_line(lost)}): from outside, or for "
                                "want of memory; fewer --data.workers or a smaller --data.batch_duration take less, "
                                "and --resume auto goes on from what was saved") from error
        if "EADDRINUSE" in str(error):
            raise EarsightError(f"port {os.environ.get('MASTER_PORT', '')} is in use by another job; "
                                "set MASTER_PORT to a free one") from error
        if re.search("gloo|nccl|by peer", str(error), re.IGNORECASE):
            raise died(first_line(error)) from error
        raise
    except (argparse.ArgumentError, ValueError, TypeError) as error:
        innermost, cause = error, error
        while cause is not None:  # the parser wraps what a class's constructor raises
            if isinstance(cause, EarsightError):
                raise cause from error
            innermost, cause = cause, cause.__cause__ or cause.__context__
        if "invalid strategy" in str(error):
            raise EarsightError(first_line(error)) from error
        if "is not in bounds" in str(error):
            raise EarsightError(f"--seed_everything: {first_line(error)}") from error
        if isinstance(error, argparse.ArgumentError):
            raise EarsightError(explain(str(error))) from error
        if "Does not validate against" in str(error) and innermost is not error:
            # A class that a setting names could not be made: a logger whose package is not there, say.
            raise EarsightError(f"{' '.join(named_classes(error))}: {first_line(innermost)}") from error
        raise


def is_first_process() -> bool:
    """Whether this process is the first of a job: Lightning, torchrun and SLURM say so by their variables."""
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "RANK", "SLURM_PROCID"))


def died(reason: str) -> EarsightError:
    """What is told of a job one of whose processes is gone."""
    return EarsightError(f"another process of this job has died ({reason}); what it said is above, and --resume auto "
                         "goes on from what was saved")
