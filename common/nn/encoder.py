"""The encoder that speech and video share: subsampling, then LSTM, GRU or Transformer layers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..errors import EarsightError
from .frames import length_mask

MOST = 10_000  # of anything: more would take for ever to make, or no memory holds it
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


@dataclass(frozen=True)
class EncoderSettings:
    """The shape of an encoder.

    Attributes:
        cell: "lstm", "gru" or "transformer".
        hidden: units a direction of a recurrent layer; half the width of a Transformer layer, so that the
            three kinds give outputs of one size when bidirectional.
        layers: recurrent or Transformer layers; 0 leaves the frames as they are, for a head that reads them itself.
        bidirectional: read the clip backwards too (recurrent cells; a Transformer always sees all of it).
        stride: how many input frames become one output frame.
        channels: width of the convolutions that subsample; 0 leaves them out (then stride must be 1).
        dropout: share of activations dropped between layers.
        norm: normalise each frame before a recurrent layer (layer normalisation: Ba et al., 2016); a model then
            needs fewer steps. A Transformer layer always does.
        heads: attention heads of a Transformer layer.
        input_dropout: share of the input's features dropped.
        streams: widths of the parts that a frame's features fall into (picture and motion, say), each of which is read
            by an encoder of its own; their outputs stand side by side. None reads all features together.
        joint: of the layers, the upper ones that read the states of all streams together (middle fusion); 0 leaves
            each stream its own head (late fusion).
        weighted: late fusion weighs the streams, at each moment, by how sure each is of what it says, which is learnt;
            else all count alike. Under a CTC head.
        residual: add to each recurrent layer's outputs, from the second on, what it reads, so that gradients reach the
            lower ones of many layers past the others' cells (He et al., 2016; between LSTM layers: Wu et al., 2016,
            section 3.1). A Transformer layer always does.
        members: encoders that read the same features, each from its own random start and with a head of its own, so
            that the mean of what they say errs less than one does (deep ensembles: Lakshminarayanan et al., 2017).
            Training and recognition take as many times as long.
    """

    cell: str = "lstm"
    hidden: int = 256
    layers: int = 3
    bidirectional: bool = True
    stride: int = 2
    channels: int = 256
    dropout: float = 0.2
    norm: bool = True
    heads: int = 4
    input_dropout: float = 0.0
    streams: tuple[int, ...] = ()
    joint: int = 0
    weighted: bool = False
    members: int = 1
    residual: bool = False


def build_encoder(n_features: int, settings: EncoderSettings) -> "Encoder | StreamEncoder | JointEncoder":
    """An encoder for frames of `n_features`, as the settings want it."""
    if settings.joint:
        return JointEncoder(n_features, settings)
    several = settings.streams or settings.members != 1
    return StreamEncoder(n_features, settings) if several else Encoder(n_features, settings)


class Encoder(nn.Module):
    """Frames in, hidden states out, at a `stride` times lower rate.

    A clip's outputs do not depend on its batch neighbours, and padding comes out as 0.
    """

    def __init__(self, n_features: int, settings: EncoderSettings):
        super().__init__()
        s = settings
        for name, least in (("hidden", 1), ("layers", 0), ("stride", 1), ("channels", 0)):
            if not least <= (value := getattr(s, name)) <= MOST:
                raise EarsightError(f"encoder.{name} {value!r:.40}: give {least} or more, up to {MOST}")
        if s.channels == 0 and s.stride != 1:
            raise EarsightError(f"encoder.stride {s.stride} needs the convolutions: give encoder.channels")
        self.stride = s.stride
        self.input_dropout = nn.Dropout(s.input_dropout)
        self.subsample = Subsample(n_features, s.channels, s.stride, s.dropout) if s.channels else None
        width = s.channels or n_features
        if s.cell == "transformer":
            self.layers: TransformerLayers | RecurrentLayers = TransformerLayers(
                width, 2 * s.hidden, s.layers, s.dropout, s.heads)
        elif s.cell in CELLS:
            self.layers = RecurrentLayers(s.cell, width, s.hidden, s.layers, s.bidirectional, s.dropout, s.norm,
                                          s.residual)
        else:
            raise EarsightError(f"encoder.cell {s.cell!r} is unknown; choose lstm, gru or transformer")
        self.n_output = self.layers.n_output

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """(batch, time, feature), (batch,) -> hidden states of each layer (batch, time/stride, n_output), lengths."""
        frames = self.input_dropout(frames)
        if self.subsample is not None:
            frames, lengths = self.subsample(frames, lengths)
        return self.layers(frames, lengths), lengths

    def output_lengths(self, lengths: Tensor | int) -> Tensor | int:
        """How many output frames come of `lengths` input frames: ceil(length / stride)."""
        return (lengths + self.stride - 1) // self.stride


class StreamEncoder(nn.Module):
    """`members` encoders for each stream of features (or for all features), their hidden states side by side.

    Those of a stream follow each other; each is `n_output` / encoders wide.
    """

    def __init__(self, n_features: int, settings: EncoderSettings):
        super().__init__()
        self.widths = list(settings.streams) or [n_features]
        self.members = settings.members
        if sum(self.widths) != n_features or min(self.widths) < 1:
            raise EarsightError(f"encoder.streams {self.widths} do not add up to a frame's {n_features} features")
        if not 1 <= self.members <= MOST:
            raise EarsightError(f"encoder.members {self.members!r:.40}: give 1 or more, up to {MOST}")
        each = replace(settings, streams=(), members=1)
        self.encoders = nn.ModuleList(Encoder(width, each) for width in self.widths for _ in range(self.members))
        self.stride = settings.stride
        self.n_output = sum(encoder.n_output for encoder in self.each())

    def each(self) -> Iterator[Encoder]:
        """The encoders in order; `encoders` itself is a list of any modules to torch's annotations."""
        return (encoder for encoder in self.encoders if isinstance(encoder, Encoder))

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        read = [encoder(part, lengths) for encoder, part in zip(self.encoders, self.parts(frames))]
        return [torch.cat(layer, dim=-1) for layer in zip(*(hidden for hidden, _ in read))], read[0][1]

    def parts(self, frames: Tensor) -> list[Tensor]:
        """What each of the encoders reads of frames (batch, time, feature)."""
        return [part for part in frames.split(self.widths, dim=-1) for _ in range(self.members)]

    output_lengths = Encoder.output_lengths


class JointEncoder(nn.Module):
    """An encoder for each stream of features, and layers that read the states of all of them together."""

    def __init__(self, n_features: int, settings: EncoderSettings):
        super().__init__()
        s = settings
        if not s.streams or s.members != 1 or s.cell not in CELLS or not 0 < s.joint < s.layers:
            raise EarsightError(f"encoder.joint {s.joint} needs encoder.streams, recurrent cells, one member, and more "
                                f"layers than that (they are {s.layers})")
        self.below = StreamEncoder(n_features, replace(s, layers=s.layers - s.joint, joint=0))
        self.above = RecurrentLayers(s.cell, self.below.n_output, s.hidden, s.joint, s.bidirectional, s.dropout, s.norm,
                                     s.residual)
        self.dropout = nn.Dropout(s.dropout)
        self.stride = s.stride
        self.n_output = self.above.n_output

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """As `Encoder.forward`; of the streams' layers the states stand side by side."""
        hidden, lengths = self.below(frames, lengths)
        return [*hidden, *self.above(self.dropout(hidden[-1]), lengths)], lengths

    output_lengths = Encoder.output_lengths


class Subsample(nn.Module):
    """Two convolutions over time, the second with a stride: local context, and fewer steps for the layers above."""

    def __init__(self, n_features: int, channels: int, stride: int, dropout: float):
        super().__init__()
        self.stride = stride
        self.first = nn.Conv1d(n_features, channels, kernel_size=5, padding=2)
        self.second = nn.Conv1d(channels, channels, kernel_size=5, padding=2, stride=stride)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        # Padding is kept at 0 before each convolution, so a clip in a batch sees the zeros it sees alone.
        x = torch.relu(self.first(frames.transpose(1, 2)))
        x = x * length_mask(lengths, x.shape[2]).transpose(1, 2)
        x = torch.relu(convolved(self.second, x))
        lengths = torch.div(lengths + self.stride - 1, self.stride, rounding_mode="floor")
        return self.dropout(x * length_mask(lengths, x.shape[1])), lengths


def convolved(convolution: nn.Conv1d, x: Tensor) -> Tensor:
    """What a convolution makes of (batch, channel, time): (batch, time / stride, channel).

    A graph for export has it as a matrix product over the stacked taps, which takes a third of the time once it is of
    8-bit integers; those make ONNX Runtime's convolutions slower.
    """
    if not torch.onnx.is_in_onnx_export():
        return convolution(x).transpose(1, 2)
    (taps,), (stride,), (padding,) = convolution.kernel_size, convolution.stride, convolution.padding
    channels, steps = convolution.in_channels, (x.shape[2] + 2 * int(padding) - taps) // stride + 1
    blocks = -(-taps // stride)  # of `stride` frames that an output sees
    x = nn.functional.pad(x, (int(padding), int(padding) + blocks * stride)).transpose(1, 2)
    x = x[:, :(steps + blocks - 1) * stride].reshape(x.shape[0], -1, stride * channels)
    stacked = torch.cat([x[:, i:i + steps] for i in range(blocks)], dim=2)[..., :taps * channels]
    weight = convolution.weight.permute(2, 1, 0).reshape(taps * channels, convolution.out_channels)
    product = torch.matmul(stacked, weight)
    return product if convolution.bias is None else product + convolution.bias


class RecurrentLayers(nn.Module):
    """Stacked (bi)directional LSTM or GRU layers over padded batches.

    Without `norm` the same function as `torch.nn.LSTM` over a packed sequence, without packing: the backward
    direction runs a forward cell over each clip reversed within its own length. Packed sequences run one step's
    batch at a time on a CPU, several times slower (scripts/bench_speech.py), and keep cuDNN from its persistent
    kernels.
    """

    def __init__(self, cell: str, n_features: int, hidden: int, layers: int, bidirectional: bool, dropout: float,
                 norm: bool, residual: bool = False):
        super().__init__()
        self.bidirectional = bidirectional
        self.residual = residual
        self.n_output = hidden * (2 if bidirectional else 1) if layers else n_features
        sizes = [n_features, *[self.n_output] * (layers - 1)][:layers]
        make = CELLS[cell]
        self.norms = nn.ModuleList(nn.LayerNorm(size) if norm else nn.Identity() for size in sizes)
        self.forwards = nn.ModuleList(make(size, hidden, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(make(size, hidden, batch_first=True) for size in sizes if bidirectional)
        self.dropout = nn.Dropout(dropout)
        for layer in [*self.forwards, *self.backwards]:
            assert isinstance(layer, nn.RNNBase)
            initialise(layer)

    def forward(self, frames: Tensor, lengths: Tensor) -> list[Tensor]:
        mask = length_mask(lengths, frames.shape[1])
        index = reversal_index(lengths, frames.shape[1])
        outputs = []
        for depth, layer in enumerate(self.forwards):
            x = self.norms[depth](self.dropout(outputs[-1]) if depth else frames)
            y = layer(x)[0]
            if self.bidirectional:
                y = torch.cat([y, reverse(self.backwards[depth](reverse(x, index))[0], index)], dim=-1)
            if self.residual and depth:
                y = y + outputs[-1]
            outputs.append(y * mask)
        return outputs or [frames * mask]

    def equal_lengths(self) -> nn.Sequential:
        """The same layers for batches of one length, each a single `torch.nn.LSTM` or `GRU`, for export."""
        stack: list[nn.Module] = []
        for depth, (norm, forward) in enumerate(zip(self.norms, self.forwards)):
            layer = type(forward)(forward.input_size, forward.hidden_size, batch_first=True,
                                  bidirectional=self.bidirectional)
            state = forward.state_dict()
            if self.bidirectional:
                state |= {f"{name}_reverse": value for name, value in self.backwards[depth].state_dict().items()}
            layer.load_state_dict(state)
            read = nn.Sequential(norm, layer, _First())
            stack.append(_Residual(read) if self.residual and depth else read)
        return nn.Sequential(*stack)


class _Residual(nn.Module):
    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer(x)


class _First(nn.Module):
    def forward(self, outputs: tuple) -> Tensor:
        return outputs[0]


class TransformerLayers(nn.Module):
    """Pre-norm Transformer encoder layers with sinusoidal positions (Vaswani et al., 2017, section 3.5)."""

    def __init__(self, n_features: int, width: int, layers: int, dropout: float, heads: int):
        super().__init__()
        if width % heads:
            raise EarsightError(f"encoder.heads {heads} does not divide the width {width} (twice encoder.hidden)")
        self.n_output = width
        self.enter = nn.Linear(n_features, width)
        self.layers = nn.ModuleList(TransformerLayer(width, heads, dropout) for _ in range(layers))

    def forward(self, frames: Tensor, lengths: Tensor) -> list[Tensor]:
        mask = length_mask(lengths, frames.shape[1])
        x = self.enter(frames)
        x = x + _positions(x.shape[1], x.shape[2], x.device).to(x.dtype)
        # Finite, because a clip of length 0 would turn -inf into NaN.
        bias = (1 - mask.transpose(1, 2)).unsqueeze(1) * -1e4
        outputs = []
        for layer in self.layers:
            x = layer(x, bias)
            outputs.append(x * mask)
        return outputs


class TransformerLayer(nn.Module):
    """Self-attention and a feed-forward network, each on a normalised input and added to it.

    Not torch's layer: its attention exports to ONNX for one clip length only.
    """

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_output = nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Dropout(dropout),
                                  nn.Linear(4 * width, width))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """(batch, time, width), attention bias (batch, 1, 1, time) -> (batch, time, width)."""
        batch, time, width = x.shape
        split = self.query_key_value(self.attention_norm(x)).view(batch, time, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5
        weights = nn.functional.dropout((scores + bias).softmax(dim=-1), self.dropout, self.training)
        joined = (weights.to(value.dtype) @ value).transpose(1, 2).reshape(batch, time, width)
        x = x + self.drop(self.attention_output(joined))
        return x + self.drop(self.feed(self.feed_norm(x)))


def initialise(layer: nn.RNNBase) -> None:
    """Xavier input weights, orthogonal recurrent weights a gate, zero biases, forget gates at 1.

    With torch's default (uniform) weights a CTC model stays on the plateau where it emits blanks only.
    Jozefowicz et al., 2015, for the forget gate; Saxe et al., 2014, for orthogonal matrices.
    """
    hidden = layer.hidden_size
    for name, value in layer.named_parameters():
        with torch.no_grad():
            if name.startswith("weight"):
                for gate in value.split(hidden):
                    (nn.init.xavier_uniform_ if "_ih" in name else nn.init.orthogonal_)(gate)
            else:
                value.zero_()
                if isinstance(layer, nn.LSTM) and "_ih" in name:
                    value[hidden:2 * hidden] = 1.0  # gates are in the order input, forget, cell, output


def reversal_index(lengths: Tensor, time: int) -> Tensor:
    """(batch,) -> (batch, time): where each frame comes from when every clip is reversed within its length."""
    position = torch.arange(time, device=lengths.device).unsqueeze(0)
    last = lengths.unsqueeze(1) - 1
    return torch.where(position <= last, last - position, position)


def reverse(frames: Tensor, index: Tensor) -> Tensor:
    """Reorder (batch, time, feature) by a `reversal_index`, which is its own inverse."""
    return frames.gather(1, index.unsqueeze(-1).expand(-1, -1, frames.shape[-1]))


def _positions(time: int, width: int, device: torch.device) -> Tensor:
    position = torch.arange(time, device=device).float().unsqueeze(1)
    rate = torch.exp(torch.arange(0, width, 2, device=device).float() * (-math.log(10000.0) / width))
    return torch.stack([torch.sin(position * rate), torch.cos(position * rate)], dim=-1).view(time, width)
