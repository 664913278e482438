"""Waveforms to MFCC frames: one torch module that trains on the batch's device and exports to ONNX.

The order is the usual one: edges, pre-emphasis, frames, window, power spectrum, mel bands, logarithm,
cosine transform. Every step works on whole batches, and the Fourier transform is a matrix product over the
bins that the mel bands use: at 512 points that beats librosa's FFT, and any ONNX runtime can do it.
"""

import difflib
import math
import warnings
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...common.errors import EarsightError
from ...common.files import whole_file

FLOAT_EPSILON = 2.0**-23  # Kaldi's floor for energies
CHOICES = {
    "window": ("hamming", "hann", "povey", "blackman", "rectangular"),
    "edges": ("inside", "inside_fft", "tail", "centre", "round"),
    "padding": ("zero", "reflect", "symmetric"),
    "preemphasis_over": ("clip", "frame"),
    "mel_scale": ("htk", "slaney"),
    "mel_slopes": ("hertz", "mel"),
    "log": ("natural", "decibel"),
    "dct": ("ortho", "plain", "sphinx"),
}


@dataclass(frozen=True)
class MfccSettings:
    """What a front end computes; the defaults are the "an4" preset. A wrong value raises EarsightError.

    `edges` says which frames there are:
    - inside: every whole window; the first starts at sample 0 (Kaldi's snip_edges=true);
    - inside_fft: the same for whole FFT spans, the window in their middle (librosa and torch, center=False);
    - tail: inside, and one more frame at the end, completed with zeros (Sphinx);
    - centre: frame t is centred on sample t * hop_length (librosa and torch, center=True);
    - round: frame t is centred in its hop, their number is the rounded quotient (Kaldi's snip_edges=false).
    """

    sample_rate: int = 16000  # Hz
    n_mfcc: int = 13  # coefficients a frame, c0 first
    n_mels: int = 40  # mel bands
    n_fft: int = 512  # samples, the window padded with zeros
    window_length: int = 410  # samples
    hop_length: int = 160  # samples from one frame to the next
    window: str = "hamming"  # hamming, hann, povey, blackman, rectangular
    periodic_window: bool = False  # the window's period is its length (librosa, torch), not its length - 1
    edges: str = "tail"  # inside, inside_fft, tail, centre, round: see above
    padding: str = "zero"  # beyond a clip's ends: zero, reflect, symmetric (the end sample twice: Kaldi)
    sample_scale: float = 32768.0  # factor from [-1, 1] to the numbers that the front end works on
    preemphasis: float = 0.97  # y[t] = x[t] - preemphasis * x[t - 1]; 0: none
    preemphasis_over: str = (
        "clip"  # clip (all of it, padding too), frame (whose first sample precedes itself: Kaldi)
    )
    remove_dc: bool = False  # subtract each frame's mean
    low_frequency: float = 130.0  # Hz, where the first mel band starts
    high_frequency: float | None = 6800.0  # Hz, where the last mel band ends; None: half the sample rate
    mel_scale: str = "htk"  # htk: 2595 log10(1 + f / 700), slaney: linear below 1 kHz
    mel_slopes: str = "hertz"  # the triangles' sides are straight in hertz or in mel (Kaldi)
    mel_area: bool = True  # scale each band to unit area, 2 / (its width in Hz); else to peak 1
    mel_rounding: bool = True  # round the bands' corners to FFT bins
    log: str = "natural"  # natural (nepers), decibel (10 log10)
    log_floor: float = 1e-4  # least mel energy
    log_offset: float = 0.0  # added to each mel energy
    top_db: float | None = None  # decibels from a clip's loudest band to its floor; None: no such floor
    dct: str = "sphinx"  # ortho (type II), plain (2 sum x cos), sphinx (mean, the first band counts half)
    lifter: float = 0.0  # L in 1 + L / 2 sin(pi k / L), the factor of coefficient k; 0: none
    lifter_start: int = 0  # k of the first coefficient in that formula: 0 Kaldi, 1 librosa
    energy: bool = False  # c0 is the natural log of the frame's energy before pre-emphasis and window (Kaldi)
    energy_floor: float = 0.0  # least frame energy there

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            accepted = field.type if field.type in (bool, int, str) else field.type | int
            if not isinstance(value, accepted) or (isinstance(value, bool) and field.type is not bool):
                kind = getattr(field.type, "__name__", field.type)
                raise EarsightError(f"MFCC setting {field.name} is {value!r}; give a value of type {kind}")
        for name in ("sample_rate", "n_mfcc", "n_mels", "n_fft", "window_length", "hop_length"):
            if getattr(self, name) < 1:
                raise EarsightError(f"MFCC setting {name} is {getattr(self, name)}; give a number from 1 up")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise EarsightError(
                    f"MFCC setting {name} is {getattr(self, name)!r}; choose from {', '.join(choices)}"
                )
        for name in ("preemphasis", "log_floor", "log_offset", "lifter", "energy_floor"):
            if not 0 <= getattr(self, name) < math.inf:
                raise EarsightError(f"MFCC setting {name} is {getattr(self, name)}; give a number from 0 up")
        if self.n_mfcc > self.n_mels:
            raise EarsightError(
                f"MFCC setting n_mfcc is {self.n_mfcc} with {self.n_mels} mel bands; "
                "ask for at most n_mels coefficients, or for more bands"
            )
        if self.window_length > self.n_fft:
            raise EarsightError(
                f"MFCC setting window_length is {self.window_length} samples and n_fft {self.n_fft}; "
                "n_fft must hold the window"
            )
        if not 0 <= self.low_frequency < self.top_frequency <= self.sample_rate / 2:
            raise EarsightError(
                f"MFCC settings low_frequency {self.low_frequency} and high_frequency {self.top_frequency}: "
                f"the first must be the lower, both from 0 to half the sample rate, {self.sample_rate / 2} Hz"
            )
        if not 0 < self.sample_scale < math.inf:
            raise EarsightError(f"MFCC setting sample_scale is {self.sample_scale}; give a number above 0")
        if self.log_floor + self.log_offset == 0:
            raise EarsightError("MFCC settings log_floor and log_offset are both 0: silence would be -inf")
        if self.top_db is not None and not self.top_db > 0:
            raise EarsightError(f"MFCC setting top_db is {self.top_db}; give decibels above 0, or none")
        if self.edges == "round" and self.window_length < self.hop_length:
            raise EarsightError(
                f"MFCC setting edges is 'round' with a window of {self.window_length} samples every "
                f"{self.hop_length}; there the window must be as long as the hop"
            )

    @property
    def top_frequency(self) -> float:
        """Where the last mel band ends, in Hz."""
        return self.sample_rate / 2 if self.high_frequency is None else self.high_frequency

    @property
    def frame_shift(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop_length / self.sample_rate

    @property
    def first_sample(self) -> int:
        """Where the first frame's window starts, in samples of the clip; below 0: in its padding."""
        middle = (self.n_fft - self.window_length) // 2
        if self.edges == "inside_fft":
            return middle
        if self.edges == "centre":
            return middle - self.n_fft // 2
        if self.edges == "round":
            return self.hop_length // 2 - self.window_length // 2
        return 0

    @property
    def margin(self) -> int:
        """Frames at an end of a stretch cut out of longer sound that may feel the cut.

        Long sound may go through in stretches: for frames a to b, cut at samples (a - margin) * hop_length
        and (b + margin) * hop_length, and drop the margin's frames. Not with `top_db`: that looks at the
        whole clip.
        """
        return math.ceil(self.n_fft / self.hop_length)

    def n_frames(self, samples: int) -> int:
        """How many frames a clip of so many samples has. (Works on tensors too.) No samples, no frames."""
        span = self.n_fft if self.edges in ("inside_fft", "centre") else self.window_length
        if self.edges == "round":
            return (samples + self.hop_length // 2) // self.hop_length
        if self.edges == "centre":
            return (samples > 0) * (1 + (samples + self.n_fft // 2 * 2 - span) // self.hop_length)
        whole = (samples >= span) * (1 + (samples - span) // self.hop_length)
        if self.edges == "tail":
            return whole + (whole * self.hop_length < samples)
        return whole


# Each is the named front end with its own defaults; windows and hops are in samples, so another sample rate
# usually wants other lengths. torchaudio's log_mels=True is
# preset("torchaudio", log="natural", log_floor=0.0, log_offset=1e-6, top_db=None).
PRESETS = {
    "an4": MfccSettings(),
    "librosa": MfccSettings(
        sample_rate=22050, n_mfcc=20, n_mels=128, n_fft=2048, window_length=2048, hop_length=512,
        window="hann", periodic_window=True, edges="centre", padding="zero", sample_scale=1.0,
        preemphasis=0.0, low_frequency=0.0, high_frequency=None, mel_scale="slaney", mel_rounding=False,
        log="decibel", log_floor=1e-10, top_db=80.0, dct="ortho", lifter_start=1,
    ),
    "torchaudio": MfccSettings(
        n_mfcc=40, n_mels=128, n_fft=400, window_length=400, hop_length=200,
        window="hann", periodic_window=True, edges="centre", padding="reflect", sample_scale=1.0,
        preemphasis=0.0, low_frequency=0.0, high_frequency=None, mel_area=False, mel_rounding=False,
        log="decibel", log_floor=1e-10, top_db=80.0, dct="ortho",
    ),
    "kaldi": MfccSettings(
        n_mels=23, window_length=400, window="povey", edges="inside", padding="symmetric",
        preemphasis_over="frame", remove_dc=True, low_frequency=20.0, high_frequency=None,
        mel_slopes="mel", mel_area=False, mel_rounding=False, log_floor=FLOAT_EPSILON,
        dct="ortho", lifter=22.0, energy=True,
    ),
}  # fmt: skip


def preset(name: str, **overrides: object) -> MfccSettings:
    """The named preset with some fields replaced; an unknown name or field is an EarsightError."""
    if name not in PRESETS:
        raise EarsightError(f"unknown MFCC preset {name!r}; {_nearest(name, PRESETS)}")
    known = [field.name for field in fields(MfccSettings)]
    for key in overrides:
        if key not in known:
            raise EarsightError(f"unknown MFCC setting {key!r}; {_nearest(key, known)}")
    return replace(PRESETS[name], **overrides)


class Mfcc(torch.nn.Module):
    """Waveforms (batch, samples) in [-1, 1] with lengths (batch,) -> frames (batch, time, n_mfcc), lengths.

    A clip's frames depend on its own samples alone, whatever lies beside or behind it in the batch. Frames
    past a clip's length are 0. Without lengths every clip fills its row. Always computes in float32, also
    under autocast.
    """

    def __init__(self, settings: MfccSettings) -> None:
        super().__init__()
        self.settings = settings
        self.n_features = settings.n_mfcc
        window = _window(settings) * settings.sample_scale
        mel = _mel_filters(settings)
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
        angle = 2 * np.pi / settings.n_fft * np.outer(bins, position)
        self._constant("cosine", np.cos(angle) * window)
        self._constant("sine", np.sin(angle) * window)
        self._constant("mel", mel[:, bins])
        self._constant("dct", _dct(settings))
        self._constant("mel_centres", _mel_corners(settings)[1:-1])  # Hz

    def _constant(self, name: str, value: np.ndarray) -> None:
        # Not persistent: they follow from the settings, so a checkpoint need not hold them.
        self.register_buffer(name, torch.tensor(value, dtype=torch.float32), persistent=False)

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
        if not torch.jit.is_tracing() and count == 0:
            return self.dct.new_zeros(batch, 0, self.n_features), self.frame_lengths(lengths)
        with torch.autocast(waveforms.device.type, enabled=False):
            waveforms = waveforms.float()
            if not full:
                inside = torch.arange(samples, device=waveforms.device) < lengths[:, None]
                waveforms = waveforms.where(inside, 0.0)  # whatever stood there, NaN too
            columns = self._columns(self._padded(waveforms, lengths), count)
            if self.settings.remove_dc:
                columns = columns - columns.mean(dim=1, keepdim=True)
            log_mel = self._log(
                self.mel @ self._power(columns), None if full else self.frame_lengths(lengths)
            )
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

    def _power(self, columns: Tensor) -> Tensor:
        """The windowed frames' power in each bin, (batch, bin, time)."""
        settings = self.settings
        if settings.preemphasis and settings.preemphasis_over == "frame":
            columns = columns - settings.preemphasis * torch.cat([columns[:, :1], columns[:, :-1]], dim=1)
        columns = columns[:, self.skipped :]
        even = odd = columns
        if self.folded:
            half = columns.shape[1] // 2
            upper, lower = columns[:, half:], columns[:, : columns.shape[1] - half].flip(1)
            even, odd = upper + lower, upper - lower
        cosine, sine = self.cosine @ even, self.sine @ odd
        return cosine * cosine + sine * sine

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


def export_onnx(mfcc: Mfcc, path: str | Path) -> None:
    """Write the graph waveform (1, samples) -> frames (1, time, n_mfcc), for any length that has a frame."""

    class OneClip(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mfcc = mfcc

        def forward(self, waveform: Tensor) -> Tensor:
            return self.mfcc(waveform)[0]

    settings = mfcc.settings
    example = torch.zeros(1, 4 * (settings.n_fft + settings.hop_length), device=mfcc.dct.device)
    with whole_file(path) as temporary, warnings.catch_warnings():
        # The tracer warns that Python branches are fixed; those here hang on settings alone.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            OneClip().eval(),
            (example,),
            str(temporary),
            input_names=["waveform"],
            output_names=["frames"],
            dynamic_axes={"waveform": {1: "samples"}, "frames": {1: "time"}},
            opset_version=17,
            dynamo=False,  # the tracer knows no shape but the rank, which is all that this graph needs
        )


def _window(settings: MfccSettings) -> np.ndarray:
    """(window_length,), float64; Kaldi's feature-window.cc has the formula of povey."""
    length = settings.window_length
    turn = 2 * np.pi * np.arange(length) / max(length if settings.periodic_window else length - 1, 1)
    if length == 1 or settings.window == "rectangular":
        return np.ones(length)
    if settings.window == "hamming":
        return 0.54 - 0.46 * np.cos(turn)
    if settings.window == "blackman":
        return 0.42 - 0.5 * np.cos(turn) + 0.08 * np.cos(2 * turn)
    hann = 0.5 - 0.5 * np.cos(turn)
    return hann if settings.window == "hann" else hann**0.85


def _mel_corners(settings: MfccSettings) -> np.ndarray:
    """(n_mels + 2,), Hz, rising: a band stands on its corner, between the two beside it."""
    low, high = _to_mel(np.array([settings.low_frequency, settings.top_frequency]), settings.mel_scale)
    corners = _to_hertz(np.linspace(low, high, settings.n_mels + 2), settings.mel_scale)
    if settings.mel_rounding:
        bin_width = settings.sample_rate / settings.n_fft
        corners = np.floor(corners / bin_width + 0.5) * bin_width
        if (corners[2:] <= corners[:-2]).any():
            raise EarsightError(
                f"MFCC: {settings.n_mels} mel bands from {settings.low_frequency} to "
                f"{settings.top_frequency} Hz are narrower than the FFT's bins "
                f"({bin_width:g} Hz); use fewer bands or a larger n_fft"
            )
    return corners


def _mel_filters(settings: MfccSettings) -> np.ndarray:
    """(n_mels, n_fft // 2 + 1), float64: triangles whose corners are evenly spaced in mel."""
    bins = np.arange(settings.n_fft // 2 + 1) * settings.sample_rate / settings.n_fft
    corners = _mel_corners(settings)
    width = corners[2:] - corners[:-2]
    if settings.mel_slopes == "mel":
        bins, corners = _to_mel(bins, settings.mel_scale), _to_mel(corners, settings.mel_scale)
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    # Where rounding left a side of no width, the triangle is upright there.
    rise = np.divide(bins - left, middle - left, out=1.0 * (bins >= middle), where=middle > left)
    fall = np.divide(right - bins, right - middle, out=1.0 * (bins <= middle), where=right > middle)
    filters = np.maximum(0, np.minimum(rise, fall))
    return filters * (2 / width[:, None]) if settings.mel_area else filters


def _to_mel(hertz: np.ndarray, scale: str) -> np.ndarray:
    """HTK: O'Shaughnessy's formula. Slaney (Auditory Toolbox): 15 mel to 1 kHz, 27 to each factor of 6.4."""
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    above = np.maximum(hertz, 1000) / 1000
    return np.where(hertz < 1000, hertz * 3 / 200, 15 + 27 * np.log(above) / np.log(6.4))


def _to_hertz(mel: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def _dct(settings: MfccSettings) -> np.ndarray:
    """(n_mfcc, n_mels), float64: cosine transform (type II), lifter and the logarithm's base in one."""
    k, n = np.arange(settings.n_mfcc)[:, None], settings.n_mels
    matrix = 2 * np.cos(np.pi * k * (np.arange(n) + 0.5) / n)
    if settings.dct == "ortho":
        matrix *= np.sqrt(np.where(k == 0, 1, 2) / n) / 2
    elif settings.dct == "sphinx":
        matrix /= 2 * n
        matrix[:, 0] /= 2
    if settings.lifter:
        matrix *= 1 + settings.lifter / 2 * np.sin(np.pi * (k + settings.lifter_start) / settings.lifter)
    return matrix * (10 / np.log(10) if settings.log == "decibel" else 1)


def _nearest(name: str, known: object) -> str:
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {matches[0]!r}?" if matches else f"there are {', '.join(known)}"
