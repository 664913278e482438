"""`earsight learn`: looks at clips, takes frames of them, chooses a model, teaches it, measures it, exports it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ...common.errors import EarsightError
from ...common.model_folder import CONFIG, demand_own
from ...common.training.resume import RunLock
from ..media import name_classes
from .classes import learn_classes
from .ending import Learned
from .frames import embed
from .sources import TASKS, read_sources
from .state import Clock, State
from .texts import learn_texts

MINUTES = 15.0


def learn(sources: Sequence[str | Path], output: Path, minutes: float = MINUTES, add: bool = False, task: str = "auto",
          tell: Callable[[str], None] = print) -> Learned:
    """Teach a model the clips of folders, tables or manifests; see `earsight learn --help`.

    Args:
        output: the model folder; what it was made of lies beside it, in `output`-learning.
        minutes: in which to be done; a little more goes by for what must be.
        add: to what was learnt there before.
        task: "classes", "text", or "auto": classes where each clip has a label.
        tell: gets each line of the account.

    Raises:
        EarsightError: clips from which nothing can be learnt, or not enough time for what must be; what was computed is
            kept.
    """
    clock = Clock(minutes)
    if not isinstance(task, str) or task not in TASKS:
        raise EarsightError(f"--task {task}: choose one of {', '.join(TASKS)}")
    _demand_output(output)
    work = output.with_name(f"{output.name}-learning")
    lock = RunLock(work)
    name_classes()
    state = State.read(work / "state.json")
    state = state.with_sources(sources, add, output)
    material = read_sources(state.sources, work / "data", task)
    state = state.for_clips(material)
    tell(material.described())
    for warning in material.warnings:
        print(f"warning: {warning}", file=sys.stderr, flush=True)
    frames = embed(material, work / "frames", clock.left, state.views)
    state = state.with_views(frames)
    state.write(work / "state.json")
    for name, reason in frames.failures:
        print(f"warning: {name}: {reason}", file=sys.stderr, flush=True)
    teach = learn_texts if material.task == "text" else learn_classes
    learned = teach(material, frames, output, work, clock, tell)
    del lock
    return learned


def _demand_output(output: Path) -> None:
    if output.name in ("", ".."):
        raise EarsightError(f"{output}: the folder around what is here; name the model's own folder (--output)")
    demand_own(output)
    if output.exists() and (not output.is_dir() or (not (output / CONFIG).is_file() and any(output.iterdir()))):
        raise EarsightError(f"{output}: exists and is no model folder; choose another --output")


