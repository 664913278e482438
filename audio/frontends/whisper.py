"""Whisper's encoder (Radford et al., 2022) as a torch module: log-mel, two convolutions, Transformer blocks.

Whisper pads every clip to 30 s. Here a clip is as long as it is: what it gives depends on its own samples alone,
whatever lies beside or behind it in a batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .mfcc import Mfcc
from .mfcc_settings import MfccSettings

SAMPLE_RATE, HOP = 16000, 160
FRAME = 2 * HOP  # samples of a frame: the second convolution takes every other mel frame
POSITIONS = 1500  # frames that the encoder has places for: 30 s
LOG_MEL = MfccSettings(
    sample_rate=SAMPLE_RATE, n_mfcc=80, n_mels=80, n_fft=400, window_length=400, hop_length=HOP, window="hann",
    periodic_window=True, edges="centre", padding="reflect", sample_scale=1.0, preemphasis=0.0, low_frequency=0.0,
    high_frequency=None, mel_scale="slaney", mel_rounding=False, log="decibel", log_floor=1e-10, top_db=80.0,
    dct="none",
)  # fmt: skip


@dataclass(frozen=True)
class WhisperShape:
    """How large an encoder is.

    Attributes:
        width: features of a state, 64 for each attention head.
        layers: Transformer blocks.
    """

    width: int
    layers: int


class LogMel(nn.Module):
    """Waveforms (batch, samples) in [-1, 1], lengths (batch,) -> Whisper's scaled log-mel (batch, 80, time), lengths.

    A frame for every 160 samples begun. Behind a clip lie zeros, as in Whisper; past its last frame the result is 0.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mfcc = Mfcc(LOG_MEL)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        inside = torch.arange(waveforms.shape[1], device=waveforms.device) < lengths[:, None]
        padded = functional.pad(waveforms.where(inside, 0.0), (0, LOG_MEL.n_fft))
        decibels, _ = self.mfcc(padded, lengths + LOG_MEL.n_fft)
        counts = torch.div(lengths + HOP - 1, HOP, rounding_mode="floor")
        time = (waveforms.shape[1] + HOP - 1) // HOP
        mel = (decibels[:, :time] / 10 + 4) / 4
        return (mel * _inside(counts, time)).transpose(1, 2), counts


def attention(query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
    """Of all frames to all: three times (batch, time, width), bias (batch, 1, 1, time) -> (batch, time, width)."""
    def split(x: Tensor) -> Tensor:
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    bias = None if bias is None else bias.to(query.dtype)
    joined = functional.scaled_dot_product_attention(split(query), split(key), split(value), bias)
    return joined.transpose(1, 2).flatten(2)


class Attention(torch.autograd.Function):
    """The same without a bias, for export: ONNX Runtime has it as one operator, a tenth faster than its parts."""

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor, heads: int, bias: None) -> Tensor:
        return attention(query, key, value, heads)

    @staticmethod
    def symbolic(g, query, key, value, heads: int, bias: None):
        return g.op("com.microsoft::MultiHeadAttention", query, key, value, num_heads_i=heads).setType(query.type())


class Block(nn.Module):
    """Self-attention and a feed-forward network, each on a normalised input and added to it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // 64
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)  # its key part has no bias in Whisper, which is a bias of 0
        self.attention_output = nn.Linear(width, width)
        self.feed_in, self.feed_out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """(batch, time, width), attention bias (batch, 1, 1, time) or None for 0 -> (batch, time, width)."""
        query, key, value = self.query_key_value(self.attention_norm(x)).chunk(3, dim=-1)
        attend = Attention.apply if bias is None and torch.onnx.is_in_onnx_export() else attention
        x = x + self.attention_output(attend(query, key, value, self.heads, bias))
        return x + self.feed_out(functional.gelu(self.feed_in(self.feed_norm(x))))


class WhisperEncoder(nn.Module):
    """The encoder in parts, of which a user may freeze the lower and train the upper ones.

    `states` = `enter`, then `blocks`, then `norm`.
    """

    positions: Tensor

    def __init__(self, shape: WhisperShape) -> None:
        super().__init__()
        self.log_mel = LogMel()
        self.first = nn.Conv1d(80, shape.width, kernel_size=3, padding=1)
        self.second = nn.Conv1d(shape.width, shape.width, kernel_size=3, padding=1, stride=2)
        self.register_buffer("positions", torch.zeros(POSITIONS, shape.width))
        self.blocks = nn.ModuleList(Block(shape.width) for _ in range(shape.layers))
        self.norm: nn.Module = nn.LayerNorm(shape.width)

    def enter(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, samples), (batch,) -> what the first block takes (batch, time, width), lengths; at most 30 s."""
        mel, counts = self.log_mel(waveforms, lengths)
        x = functional.gelu(self.first(mel)) * _inside(counts, mel.shape[2]).transpose(1, 2)
        x = functional.gelu(self.second(x)).transpose(1, 2)
        return x + self.positions[: x.shape[1]], torch.div(counts + 1, 2, rounding_mode="floor")


def attention_bias(lengths: Tensor, time: int) -> Tensor | None:
    """(batch, 1, 1, time): 0 for a clip's own frames, so low that nothing attends to them for those behind it.

    None for a clip alone, which fills its row.
    """
    if lengths.shape[0] == 1:
        return None
    return ((1 - _inside(lengths, time)) * -1e4).transpose(1, 2).unsqueeze(1)


def n_frames(samples: int) -> int:
    """How many frames a clip of so many samples has."""
    return ((samples + HOP - 1) // HOP + 1) // 2


def _inside(lengths: Tensor, time: int) -> Tensor:
    return (torch.arange(time, device=lengths.device) < lengths[:, None]).unsqueeze(-1).float()
