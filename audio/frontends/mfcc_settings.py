"""What an MFCC front end computes, and the presets of other systems' front ends."""

import difflib
import math
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeVar

from ...common.errors import EarsightError

if TYPE_CHECKING:
    from torch import Tensor

Count = TypeVar("Count", int, "Tensor")

FLOAT_EPSILON = 2.0**-23  # Kaldi's floor for energies
CHOICES = {
    "window": ("hamming", "hann", "povey", "blackman", "rectangular"),
    "edges": ("inside", "inside_fft", "tail", "centre", "round"),
    "padding": ("zero", "reflect", "symmetric"),
    "preemphasis_over": ("clip", "frame"),
    "mel_scale": ("htk", "slaney"),
    "mel_slopes": ("hertz", "mel"),
    "log": ("natural", "decibel"),
    "dct": ("ortho", "plain", "sphinx", "none"),
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
    # ortho (type II), plain (2 sum x cos), sphinx (mean, the first band counts half), none (the bands' logarithms)
    dct: str = "sphinx"
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
        if self.dct == "none" and (self.n_mfcc != self.n_mels or self.lifter):
            raise EarsightError(
                f"MFCC setting dct is 'none' with n_mfcc {self.n_mfcc}, n_mels {self.n_mels}, lifter {self.lifter}; "
                "without a transform there is a coefficient a band, and no lifter"
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

    def n_frames(self, samples: Count) -> Count:
        """How many frames a clip of so many samples has, or each of several. No samples, no frames."""
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
    if not isinstance(name, str) or name not in PRESETS:
        raise EarsightError(f"unknown MFCC preset {name!r}; {_nearest(str(name), PRESETS)}")
    known = [field.name for field in fields(MfccSettings)]
    for key in overrides:
        if key not in known:
            raise EarsightError(f"unknown MFCC setting {key!r}; {_nearest(key, known)}")
    return replace(PRESETS[name], **overrides)


def _nearest(name: str, known: Collection[str]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {matches[0]!r}?" if matches else f"there are {', '.join(known)}"
