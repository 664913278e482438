"""How fast the exported MFCC front end is beside librosa and kaldi-native-fbank: prints seconds and ratios.

    python scripts/bench_mfcc.py [--hours 1.0]

All three get the same random sound with AN4's settings (16 kHz, window 410, hop 160, FFT 512, 40 bands from
130 to 6800 Hz, 13 cepstra), in one process, in turns; the best of three turns counts. What the others do not
do is not done for them: librosa does no pre-emphasis. kaldi-native-fbank is handed a ready list, which it
takes faster than an array, and copying its frames out one by one is not timed.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kaldi_native_fbank
import librosa
import numpy as np
import onnxruntime

from audio.frontend import Mfcc, MfccSettings, export_onnx, preset

STRETCH = 1000  # frames that go through the graph at once: 10 s, which the caches hold
THREADS = 2


def bench_mfcc(hours: float = 1.0, turns: int = 3) -> dict[str, float]:
    """Seconds that "onnx", "librosa" and "kaldi-native-fbank" need for so much sound; prints them too."""
    settings = preset("an4")
    rng = np.random.default_rng(0)
    samples = 0.1 * rng.standard_normal(round(hours * 3600) * settings.sample_rate, dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        session = _session(settings, Path(folder) / "frontend.onnx")
    as_list = samples.tolist()
    ways: dict[str, Callable[[], object]] = {
        "onnx": lambda: onnx_mfcc(session, settings, samples),
        "librosa": lambda: librosa_mfcc(settings, samples),
        "kaldi-native-fbank": lambda: kaldi_mfcc(settings, as_list),
    }
    seconds = dict.fromkeys(ways, float("inf"))
    librosa_mfcc(settings, samples[: settings.sample_rate])  # its imports and caches
    for _ in range(turns):
        for name, compute in ways.items():
            start = time.perf_counter()
            compute()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    for name, value in seconds.items():
        print(f"{name:20} {value:7.2f} s for {hours:g} h   {value / seconds['onnx']:5.2f} x the time of onnx")
    return seconds


def onnx_mfcc(
    session: onnxruntime.InferenceSession, settings: MfccSettings, samples: np.ndarray
) -> np.ndarray:
    """(samples,) -> (time, n_mfcc), in stretches that join exactly.

    Each thread works on a stretch of its own: less waiting than with two threads on every small operation.
    """
    total, hop = settings.n_frames(len(samples)), settings.hop_length

    def stretch(first: int) -> np.ndarray:
        last = min(first + STRETCH, total)
        start = max(first - settings.margin, 0)
        stop = len(samples) if last == total else (last + settings.margin) * hop
        (frames,) = session.run(None, {"waveform": samples[None, start * hop : stop]})
        return frames[0, first - start : last - start]

    with ThreadPoolExecutor(THREADS) as pool:
        return np.concatenate(list(pool.map(stretch, range(0, total, STRETCH))))


def librosa_mfcc(settings: MfccSettings, samples: np.ndarray) -> np.ndarray:
    return librosa.feature.mfcc(
        y=samples,
        sr=settings.sample_rate,
        n_mfcc=settings.n_mfcc,
        n_mels=settings.n_mels,
        n_fft=settings.n_fft,
        win_length=settings.window_length,
        hop_length=settings.hop_length,
        window=settings.window,
        fmin=settings.low_frequency,
        fmax=settings.high_frequency,
        htk=True,
    )


def kaldi_mfcc(settings: MfccSettings, samples: list[float]) -> kaldi_native_fbank.OnlineMfcc:
    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = settings.sample_rate
    options.frame_opts.frame_length_ms = 1000 * settings.window_length / settings.sample_rate
    options.frame_opts.frame_shift_ms = 1000 * settings.frame_shift
    options.frame_opts.window_type = settings.window
    options.frame_opts.preemph_coeff = settings.preemphasis
    options.frame_opts.remove_dc_offset = False
    options.mel_opts.num_bins = settings.n_mels
    options.mel_opts.low_freq = settings.low_frequency
    options.mel_opts.high_freq = settings.high_frequency
    options.num_ceps = settings.n_mfcc
    options.cepstral_lifter = 0
    options.use_energy = False
    computer = kaldi_native_fbank.OnlineMfcc(options)
    computer.accept_waveform(settings.sample_rate, samples)
    computer.input_finished()
    return computer


def _session(settings: MfccSettings, path: Path) -> onnxruntime.InferenceSession:
    export_onnx(Mfcc(settings), path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a thread for each stretch
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=1.0, help="length of the sound (default: 1)")
    bench_mfcc(parser.parse_args().hours)
