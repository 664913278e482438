"""What the gates of LSTM and GRU cells do on given clips, in training; torch's layers give their outputs only."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .cells import replay as replay_cell
from .encoder import Encoder, JointEncoder, RecurrentLayers, StreamEncoder, reversal_index, reverse
from .frames import length_mask

GATE_NAMES = {"i": "input", "f": "forget", "o": "output", "r": "reset", "z": "update"}
LOW, HIGH = 0.1, 0.9  # a gate below or above is shut or open for good: it passes hardly any gradient
SLOWEST = 1e-6  # the least decay a frame that float32 tells from none


@dataclass(frozen=True)
class CellGates:
    """One direction of one recurrent layer on a batch of clips.

    Attributes:
        name: "layer1_forward", "stream2_layer1_backward", ...
        values: of an LSTM the gates i, f, o, the candidate g, the cell's state c and its output h; of a GRU the gates
            r, z, the candidate n and the output h: (batch, time, hidden) each, in the clips' own order of time, 0 in
            padding.
        lengths: of the clips in frames of the layer, (batch,).
    """

    name: str
    values: dict[str, Tensor]
    lengths: Tensor

    def inside(self, which: str) -> Tensor:
        """The values of one name at the clips' own frames, one clip after the other: (frames, hidden)."""
        values = self.values[which]
        return values[length_mask(self.lengths, values.shape[1]).squeeze(-1).bool()]


def replay(layer: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Run an LSTM or GRU layer of one direction step by step; see `common.nn.cells.replay`.

    (batch, time, input) -> (batch, time, hidden) for each name; see `CellGates`.
    """
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    arrays = [value.detach().float().cpu().numpy() for value in (x, *(getattr(layer, name) for name in names))]
    values = replay_cell("lstm" if isinstance(layer, nn.LSTM) else "gru", *arrays)
    return {name: torch.from_numpy(value).to(x.device) for name, value in values.items()}


@torch.no_grad()
def encoder_gates(encoder: Encoder | StreamEncoder | JointEncoder, frames: Tensor, lengths: Tensor
                  ) -> Iterator[CellGates]:
    """Every direction of every recurrent layer on normalised frames (batch, time, feature), from the lowest layer up.

    The encoder is taken as it runs outside of training, without dropout. A Transformer has no such gates.
    """
    if isinstance(encoder, JointEncoder):
        yield from encoder_gates(encoder.below, frames, lengths)
        hidden, lengths = encoder.below(frames, lengths)
        for cell in _layer_gates(encoder.above, hidden[-1], lengths):
            yield CellGates(f"joint_{cell.name}", cell.values, cell.lengths)
        return
    if isinstance(encoder, StreamEncoder):
        for i, (part, each) in enumerate(zip(encoder.parts(frames), encoder.each()), start=1):
            for cell in encoder_gates(each, part, lengths):
                yield CellGates(f"stream{i}_{cell.name}", cell.values, cell.lengths)
        return
    if not isinstance(encoder.layers, RecurrentLayers):
        return
    if encoder.subsample is not None:
        frames, lengths = encoder.subsample(frames, lengths)
    yield from _layer_gates(encoder.layers, frames, lengths)


def _layer_gates(layers: RecurrentLayers, x: Tensor, lengths: Tensor) -> Iterator[CellGates]:
    mask, index = length_mask(lengths, x.shape[1]), reversal_index(lengths, x.shape[1])
    for depth, (norm, forward) in enumerate(zip(layers.norms, layers.forwards)):
        below, x = x, norm(x)
        values = {name: value * mask for name, value in replay(forward, x).items()}
        outputs = [values["h"]]
        yield CellGates(f"layer{depth + 1}_forward", values, lengths)
        if layers.bidirectional:
            values = {name: reverse(value, index) * mask
                      for name, value in replay(layers.backwards[depth], reverse(x, index)).items()}
            outputs.append(values["h"])
            yield CellGates(f"layer{depth + 1}_backward", values, lengths)
        x = torch.cat(outputs, dim=-1)
        if layers.residual and depth:
            x = x + below


def memory_length(kept: Tensor) -> Tensor:
    """After how many frames 1/e is left of what each cell holds: (frames, hidden) -> (hidden,).

    A step leaves the share f_t of what an LSTM's cell held (of a GRU's state: z_t), so T steps leave
    exp(sum of ln f_t): it falls to 1/e in -1 / mean(ln f_t) frames, -1 / ln f for a constant gate
    (the timescale of Mahto et al., 2021, Multi-timescale representation learning in LSTM language models, who take the
    logarithm of the mean gate).
    """
    return -1 / kept.float().log().mean(dim=0).clamp(max=-SLOWEST)


def gate_statistics(cell: CellGates, frame_shift: float) -> dict[str, float]:
    """Figures of one `CellGates`: each gate's mean, its share below 0.1 and above 0.9, and the memory length.

    Args:
        frame_shift: seconds between two frames of the layer.
    """
    figures = {}
    for which, name in GATE_NAMES.items():
        if which in cell.values:
            gate = cell.inside(which)
            figures |= {f"{name}_mean": gate.mean().item(), f"{name}_below_{LOW}": (gate < LOW).float().mean().item(),
                        f"{name}_above_{HIGH}": (gate > HIGH).float().mean().item()}
    frames = memory_length(cell.inside("f" if "f" in cell.values else "z")).median().item()
    return {**figures, "memory_frames": frames, "memory_seconds": frames * frame_shift}


def gate_picture(cells: list[CellGates], frame_shift: float):
    """A matplotlib figure: how often each gate takes which value, a row a direction of a layer; and the cells' memory.

    Args:
        frame_shift: seconds between two frames of the layers.
    """
    import numpy as np
    from matplotlib.figure import Figure  # slow to import, and no display is needed

    shown = [which for which in GATE_NAMES if which in cells[0].values]
    figure = Figure(figsize=(3 * len(shown) + 4, 0.3 * len(cells) + 1.3), layout="constrained")
    *axes, last = figure.subplots(1, len(shown) + 1, sharey=True)
    for axis, which in zip(axes, shown):
        shares = [np.histogram(cell.inside(which).float().cpu().numpy(), bins=20, range=(0, 1))[0] for cell in cells]
        shares = [counts / max(counts.sum(), 1) for counts in shares]
        image = axis.imshow(shares, aspect="auto", cmap="magma", vmin=0, extent=(0, 1, len(cells) - 0.5, -0.5))
        axis.set_xlabel(f"{GATE_NAMES[which]} gate")
        figure.colorbar(image, ax=axis, label="share" if axis is axes[-1] else None)
    kept = "f" if "f" in cells[0].values else "z"
    memory = [frame_shift * memory_length(cell.inside(kept)).cpu().numpy() for cell in cells]
    last.boxplot(memory, positions=range(len(cells)), orientation="horizontal", widths=0.6, whis=(5, 95),
                 showfliers=False, manage_ticks=False)
    last.set_xscale("log")
    last.set_xlabel("memory of the cells, s")
    axes[0].set_yticks(range(len(cells)), [cell.name.replace("_", " ") for cell in cells])
    return figure
