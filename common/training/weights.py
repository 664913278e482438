"""Weights from checkpoint to checkpoint: where a training starts from, and the mean of several."""

from pathlib import Path

import torch

from ..files import whole_file
from ..nn.module import SequenceModel
from .folder_weights import starting_weights


def start_from(model: SequenceModel, checkpoint: dict) -> tuple[int, int]:
    """Copy a checkpoint's weights into a model where name and shape agree, and outputs where their labels do.

    Returns:
        How many of the model's tensors were taken (in whole or in part), and how many were not.
    """
    saved = checkpoint["earsight"]
    given = {model.name_of(name, saved["medium"]): value for name, value in checkpoint["state_dict"].items()}
    rows = {}
    for head, labels in (("head", "labels"), ("auxiliary_head", "auxiliary_labels")):
        ours, theirs = getattr(model, labels), saved[labels]
        if ours and theirs:
            place = {symbol: i for i, symbol in enumerate(theirs["symbols"])}
            head = model.name_of(f"{head}.output", saved["medium"])
            rows[head] = [(i, place[s]) for i, s in enumerate(ours.symbols) if s in place]
    taken, state = 0, model.state_dict()
    for name, value in state.items():
        pairs = rows.get(name.rsplit(".", 1)[0])
        if name in given and pairs and given[name].shape[1:] == value.shape[1:]:
            to, source = (list(side) for side in zip(*pairs))
            value[to] = given[name][source]
        elif name in given and pairs is None and given[name].shape == value.shape:
            value.copy_(given[name])
        else:
            continue
        taken += 1
    return taken, len(state) - taken


def average_checkpoints(paths: list[str], template: str, destination: Path) -> None:
    """Write `template` with its weights replaced by the mean of those in `paths`, which are named as for `--init`."""
    states = [starting_weights(path)["state_dict"] for path in paths]
    checkpoint = torch.load(template, map_location="cpu", weights_only=True)
    for name, value in checkpoint["state_dict"].items():
        if value.is_floating_point():
            checkpoint["state_dict"][name] = torch.stack([state[name].double() for state in states]).mean(0).to(
                value.dtype)
    with whole_file(destination) as temporary:
        torch.save(checkpoint, temporary)
