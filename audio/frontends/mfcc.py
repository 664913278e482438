"""Waveforms to MFCC frames: one torch module that trains on the batch's device and exports to ONNX.

The order is the usual one: edges, pre-emphasis, frames, window, power spectrum, mel bands, logarithm,
cosine transform. Every step works on whole batches, and the Fourier transform is a matrix product over the
bins that the mel bands use: at 512 points that beats librosa's FFT, and any ONNX runtime can do it.
"""

import math
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...common.errors import EarsightError
from ...common.files import whole_file
from . import mfcc_matrices as matrices
from .mfcc_settings import FLOAT_EPSILON, MfccSettings


class Mfcc(torch.nn.Module):
    """Waveforms (batch, samples) in [-1, 1] with lengths (batch,) -> frames (batch, time, n_mfcc), lengths.

    A clip's frames depend on its own samples alone, whatever lies beside or behind it in the batch. Frames
    past a clip's length are 0. Without lengths every clip fills its row. Always computes in float32, also
    under autocast.
    """

    ratio: Tensor  # of these, see `__init__`
    dct: Tensor
    mel_centres: Tensor

    def __init__(self, settings: MfccSettings) -> None:
        super().__init__()
        self.settings = settings
        self.n_features = settings.n_mfcc
        window = matrices.window(settings) * settings.sample_scale
        mel = matrices.mel_filters(settings)
        bins = np.flatnonzero(mel.any(axis=0))  # other bins reach no band and are not computed
        if len(bins) == 0:
            raise EarsightError(
                f"no FFT bin lies between {settings.low_frequency} and {settings.top_frequency} Hz "
                f"with n_fft {settings.n_fft}; use a larger n_fft or a wider range"
            )
        # Power does not depend on where the phase starts. Counted from the middle of a symmetric window, the
        # cosine sees only the frame's even part and the sine only its odd part: half the multiplications.
        # A periodic window is symmetric but for its first sample, which is 0 in most of them.
        self.skipped = int(settings.periodic_window and window[0] == 0)
        window = window[self.skipped :]
        position = np.arange(len(window)) - (len(window) - 1) / 2
        self.folded = bool(np.allclose(window, window[::-1], rtol=1e-9))
        if self.folded:
            window, position = window[position >= 0], position[position >= 0]
            window = np.where(position == 0, window / 2, window)  # an odd window's middle is in both halves
        # At n_fft / 2 less a position, an even bin's cosine is that of the position, and its sine the negative; an odd
        # bin's are the other way round. So samples farther out are folded onto those: again fewer multiplications.
        far = position > settings.n_fft / 4
        self.far = int(far.sum()) if self.folded and settings.n_fft % 2 == 0 else 0
        near, parts = slice(len(position) - self.far), [bins]
        if self.far:
            self.first = round(settings.n_fft / 2 - position[-1] - position[0])  # the place of the last one's other
            others = window[self.first : self.first + self.far]
            self._constant("ratio", window[far][::-1, None] / others[:, None])
            parts = [bins[bins % 2 == 0], bins[bins % 2 == 1]]
        # An offset that nothing has taken out cancels in the bins, and in single precision leaves more than quiet sound
        # has there: its part is added apart.
        self.keeps_offset = not (settings.preemphasis or settings.remove_dc)
        for number, part in enumerate(parts):
            angle = 2 * np.pi / settings.n_fft * np.outer(part, position)
            self._constant(f"cosine_{number}", (np.cos(angle) * window)[:, near])
            self._constant(f"sine_{number}", (np.sin(angle) * window)[:, near])
            if self.keeps_offset:
                self._constant(f"offset_{number}", (np.cos(angle) * window).sum(axis=1, keepdims=True))
            self._constant(f"mel_{number}", mel[:, part])
        self._constant("dct", matrices.dct(settings))
        self._constant("mel_centres", matrices.mel_corners(settings)[1:-1])  # Hz

    def _constant(self, name: str, value: np.ndarray) -> None:
        # Not persistent: they follow from the settings, so a checkpoint need not hold them.
        self.register_buffer(name, torch.tensor(value, dtype=torch.float32), persistent=False)

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.settings.sample_rate

    @property
    def frame_shift(self) -> float:
        """Seconds."""
        return self.settings.frame_shift

    def n_frames(self, samples: int) -> int:
        """How many frames a clip of so many samples has."""
        return self.settings.n_frames(samples)

    def plain_settings(self) -> dict[str, Any]:
        """What a model folder says of the frontend."""
        return asdict(self.settings)

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        """How many frames clips of so many samples have, (batch,) -> (batch,)."""
        return self.settings.n_frames(lengths)

    def forward(self, waveforms: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(batch, samples), (batch,) -> (batch, time, n_mfcc), (batch,)."""
        batch, samples = waveforms.shape
        count = self.settings.n_frames(samples)
        full = lengths is None
        if full:
            lengths = torch.full((batch,), samples, dtype=torch.int64, device=waveforms.device)
        if count == 0:
            return self.dct.new_zeros(batch, 0, self.n_features), self.frame_lengths(lengths)
        with torch.autocast(waveforms.device.type, enabled=False):
            waveforms = waveforms.float()
            if not full:
                inside = torch.arange(samples, device=waveforms.device) < lengths[:, None]
                waveforms = waveforms.where(inside, 0.0)  # whatever stood there, NaN too
            columns = self._columns(self._padded(waveforms, lengths), count)
            if self.settings.remove_dc:
                columns = columns - columns.mean(dim=1, keepdim=True)
            log_mel = self._log(self._bands(columns), None if full else self.frame_lengths(lengths))
            frames = self.dct @ log_mel
            if self.settings.energy:
                frames = torch.cat([self._log_energy(columns), frames[:, 1:]], dim=1)
            frames = frames.transpose(1, 2)
        frame_lengths = self.frame_lengths(lengths)
        if not full:
            past = torch.arange(count, device=frames.device) >= frame_lengths[:, None]
            frames = frames.masked_fill(past[:, :, None], 0.0)
        return frames, frame_lengths

    def _padded(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """The clips from their first frame's first sample on, with their own edges, and enough behind."""
        settings, batch = self.settings, len(waveforms)
        over_clip = settings.preemphasis > 0 and settings.preemphasis_over == "clip"
        before = int(over_clip) - settings.first_sample  # pre-emphasis looks one sample back
        after = settings.window_length + settings.hop_length
        if before < 0:
            waveforms, before = waveforms[:, -before:], 0
        ahead, behind = waveforms.new_zeros(batch, before), waveforms.new_zeros(batch, after)
        mirrors = settings.edges in ("centre", "round") and settings.padding != "zero"
        if mirrors:
            lengths = lengths[:, None]
            positions = torch.arange(-before, 0, device=waveforms.device).expand(batch, -1)
            ahead = waveforms.gather(1, self._mirrored(positions, lengths))
        padded = torch.cat([ahead, waveforms, behind], dim=1)
        if mirrors:
            positions = lengths + torch.arange(after, device=waveforms.device)
            behind = waveforms.gather(1, self._mirrored(positions, lengths))
            padded = padded.scatter(1, positions + before, behind)
        return padded[:, 1:] - settings.preemphasis * padded[:, :-1] if over_clip else padded

    def _mirrored(self, positions: Tensor, lengths: Tensor) -> Tensor:
        """Which sample of a clip stands at a position outside it; a short clip is mirrored repeatedly."""
        twice = int(self.settings.padding == "symmetric")  # the end sample stands twice
        period = (2 * (lengths - 1 + twice)).clamp(min=1)
        positions = positions % period
        return torch.minimum(positions, period - twice - positions).clamp(min=0)

    def _columns(self, padded: Tensor, count: int) -> Tensor:
        """The frames as columns, (batch, window_length, time).

        Samples that are one hop apart are neighbours in this layout, so that frames need no gathering: the
        sound is cut into hops, transposed, and stacked on itself shifted by one hop, two hops and so on.
        """
        hop, window = self.settings.hop_length, self.settings.window_length
        hops = math.ceil(window / hop)
        blocks = padded[:, : (count + hops - 1) * hop].reshape(padded.shape[0], -1, hop).transpose(1, 2)
        return torch.cat([blocks[:, : window - i * hop, i : i + count] for i in range(hops)], dim=1)

    def _bands(self, columns: Tensor) -> Tensor:
        """The windowed frames' power in each mel band, (batch, band, time)."""
        settings = self.settings
        if settings.preemphasis and settings.preemphasis_over == "frame":
            columns = columns - settings.preemphasis * torch.cat([columns[:, :1], columns[:, :-1]], dim=1)
        columns = columns[:, self.skipped :]
        even = odd = columns
        if self.folded:
            half = columns.shape[1] // 2
            upper, lower = columns[:, half:], columns[:, : columns.shape[1] - half].flip(1)
            even, odd = upper + lower, upper - lower
        mean = even.mean(dim=1, keepdim=True) if self.keeps_offset else None
        if mean is not None:
            even = even - mean
        seen = [(even, odd)]
        if self.far:
            (even_sum, even_difference), (odd_sum, odd_difference) = self._folded(even), self._folded(odd)
            seen = [(even_sum, odd_difference), (even_difference, odd_sum)]
        bands = [self._part(number, *both, mean) for number, both in enumerate(seen)]
        return bands[0] + bands[1] if self.far else bands[0]

    def _folded(self, half: Tensor) -> tuple[Tensor, Tensor]:
        """Half a frame (batch, position, time), its farther samples added to the nearer ones, and taken from them."""
        count = half.shape[1] - self.far
        far = half[:, count:].flip(1) * self.ratio
        far = torch.nn.functional.pad(far, (0, 0, self.first, count - self.first - self.far))
        return half[:, :count] + far, half[:, :count] - far

    def _part(self, number: int, even: Tensor, odd: Tensor, mean: Tensor | None) -> Tensor:
        """What some of the bins have for the bands."""
        cosine = self.get_buffer(f"cosine_{number}") @ even
        if mean is not None:
            cosine = cosine + self.get_buffer(f"offset_{number}") * mean
        sine = self.get_buffer(f"sine_{number}") @ odd
        return self.get_buffer(f"mel_{number}") @ (cosine * cosine + sine * sine)

    def _log(self, mel: Tensor, frame_lengths: Tensor | None) -> Tensor:
        """The bands' natural logarithms, floored. (The dct matrix makes decibels of them.)"""
        settings = self.settings
        log_mel = (mel + settings.log_offset).clamp(min=settings.log_floor).log()
        if settings.top_db is None:
            return log_mel
        valid = log_mel
        if frame_lengths is not None:
            past = torch.arange(mel.shape[2], device=mel.device) >= frame_lengths[:, None, None]
            valid = log_mel.masked_fill(past, -math.inf)
        return log_mel.maximum(valid.amax(dim=(1, 2), keepdim=True) - settings.top_db * math.log(10) / 10)

    def _log_energy(self, columns: Tensor) -> Tensor:
        """(batch, 1, time), before pre-emphasis and window."""
        energy = (columns * self.settings.sample_scale).square().sum(dim=1, keepdim=True)
        return energy.clamp(min=max(self.settings.energy_floor, FLOAT_EPSILON)).log()

    def export_onnx(self, path: str | Path) -> None:
        """Write the graph waveform (1, samples) -> frames (1, time, n_mfcc), for any length that has a frame."""

        class OneClip(torch.nn.Module):
            def __init__(self, mfcc: Mfcc) -> None:
                super().__init__()
                self.mfcc = mfcc

            def forward(self, waveform: Tensor) -> Tensor:
                return self.mfcc(waveform)[0]

        settings = self.settings
        example = torch.zeros(1, 4 * (settings.n_fft + settings.hop_length), device=self.dct.device)
        with whole_file(path) as temporary, warnings.catch_warnings():
            # The tracer warns that Python branches are fixed; those here hang on settings, and on there being a frame.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                OneClip(self).eval(),
                (example,),
                str(temporary),
                input_names=["waveform"],
                output_names=["frames"],
                dynamic_axes={"waveform": {1: "samples"}, "frames": {1: "time"}},
                opset_version=17,
                dynamo=False,  # the tracer knows no shape but the rank, which is all that this graph needs
            )
