"""A trained model whose recurrent layers and convolutions keep their strongest units, for a training to go on from.

    python scripts/narrow_encoder.py runs/wide/model.ckpt --hidden 160 --channels 160 --output runs/narrow.ckpt
    earsight train fit --config RECIPE --init runs/narrow.ckpt

A unit counts by the squares of the weights that are put on it, in what reads it and in its own layer (Han et al., 2015,
prune single weights so). What is left is a model of the smaller size. It errs oftener at first, and learns again what
it lost faster than one that begins anew. For encoders of LSTM or GRU layers without streams.
"""

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from earsight.common.checkpoint import read_checkpoint
from earsight.common.errors import EarsightError
from earsight.common.files import whole_file

FIRST, SECOND, LAYERS = "encoder.subsample.first.", "encoder.subsample.second.", "encoder.layers."
HEAD, AUXILIARY = "head.output.weight", "auxiliary_head.output.weight"
GATES = {"lstm": 4, "gru": 3}
DIRECTIONS = ("forwards", "backwards")


class Narrowing:
    """The weights of a model, and which units of it are kept.

    Args:
        weights: by their names in a checkpoint.
        settings: the model's, of which `encoder` and `auxiliary_layer` count.
    """

    def __init__(self, weights: dict[str, Tensor], settings: dict):
        self.weights, encoder = weights, settings["encoder"]
        self.gates, self.layers = GATES[encoder["cell"]], encoder["layers"]
        self.directions = DIRECTIONS[:2 if encoder["bidirectional"] else 1]
        self.heads = {HEAD: self.layers - 1, AUXILIARY: settings["auxiliary_layer"] - 1}  # the layer that each reads

    def narrowed(self, hidden: int, channels: int) -> dict[str, Tensor]:
        """The weights of the smaller model."""
        w = dict(self.weights)
        first = strongest(w[FIRST + "weight"], channels, readers=[w[SECOND + "weight"].transpose(1, 2).flatten(0, 1)])
        second = strongest(w[SECOND + "weight"], channels, readers=self._readers(-1))
        w[FIRST + "weight"], w[FIRST + "bias"] = w[FIRST + "weight"][first], w[FIRST + "bias"][first]
        w[SECOND + "weight"] = w[SECOND + "weight"][second][:, first]
        w[SECOND + "bias"] = w[SECOND + "bias"][second]
        reads = second
        for layer in range(self.layers):
            for kind in ("weight", "bias"):
                if (norm := f"{LAYERS}norms.{layer}.{kind}") in w:
                    w[norm] = w[norm][reads]
            width, readers = len(w[f"{LAYERS}forwards.{layer}.weight_hh_l0"]) // self.gates, self._readers(layer)
            kept = []
            for place, direction in enumerate(self.directions):
                part, name = slice(place * width, (place + 1) * width), f"{LAYERS}{direction}.{layer}."
                own = self.weights[name + "weight_hh_l0"]
                units = strongest(None, hidden, [own, *(matrix[:, part] for matrix in readers)])
                rows = torch.cat([gate * width + units for gate in range(self.gates)])
                w[name + "weight_ih_l0"] = w[name + "weight_ih_l0"][rows][:, reads]
                w[name + "weight_hh_l0"] = w[name + "weight_hh_l0"][rows][:, units]
                for bias in ("bias_ih_l0", "bias_hh_l0"):
                    w[name + bias] = w[name + bias][rows]
                kept.append(place * width + units)
            reads = torch.cat(kept)
            for head, read in self.heads.items():
                if read == layer and head in w:
                    w[head] = w[head][:, reads]
        return w

    def _readers(self, layer: int) -> list[Tensor]:
        """What reads a layer's units, not in training alone, as (output, unit); the convolutions are layer -1."""
        if layer + 1 == self.layers:
            return [self.weights[HEAD]]
        scale = self.weights.get(f"{LAYERS}norms.{layer + 1}.weight", torch.ones(1))
        return [torch.cat([self.weights[f"{LAYERS}{direction}.{layer + 1}.weight_ih_l0"] * scale
                           for direction in self.directions])]


def strongest(own: Tensor | None, count: int, readers: list[Tensor]) -> Tensor:
    """Which units are kept, in order: (count,).

    Args:
        own: the weights (unit, ...) that make the units of what is below them, which multiply.
        readers: matrices (..., unit) of what reads them, each of which counts as much as the others.
    """
    strengths = [matrix.square().flatten(0, -2).sum(0) for matrix in readers]
    strength = torch.stack([one / one.mean() for one in strengths]).sum(0)
    if own is not None:
        strength = strength * own.square().flatten(1).sum(1)
    return strength.topk(count).indices.sort().values


def narrow(source: Path, hidden: int, channels: int, output: Path) -> None:
    """Write the smaller model as a checkpoint without a training's state.

    Raises:
        EarsightError: the checkpoint cannot be read, or its encoder is of another kind, or no larger.
    """
    checkpoint = read_checkpoint(source)
    settings = checkpoint["earsight"]["settings"]
    encoder = settings.get("encoder") or {}
    if encoder.get("cell") not in GATES or encoder["streams"] or encoder["members"] != 1 or encoder["residual"]:
        raise EarsightError(f"{source}: its encoder is not of LSTM or GRU layers alone; only such can be narrowed")
    if not (0 < hidden <= encoder["hidden"] and 0 < channels <= encoder["channels"]):
        raise EarsightError(f"{source}: has {encoder['hidden']} units and {encoder['channels']} channels; give no "
                            "more, and at least one")
    weights = Narrowing(checkpoint["state_dict"], settings).narrowed(hidden, channels)
    encoder |= {"hidden": hidden, "channels": channels}
    with whole_file(output) as temporary:
        torch.save({"state_dict": weights, "earsight": checkpoint["earsight"]}, temporary)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--hidden", type=int, required=True, help="units of a layer and direction")
    parser.add_argument("--channels", type=int, required=True, help="of the convolutions")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    given = parser.parse_args(arguments)
    try:
        narrow(given.checkpoint, given.hidden, given.channels, given.output)
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
