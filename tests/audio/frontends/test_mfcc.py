"""The MFCC front end against the front ends it reproduces, and against itself."""

import dataclasses
import math
from pathlib import Path

import kaldi_native_fbank
import librosa
import numpy as np
import onnxruntime
import pytest
import soundfile
import torch
import torchaudio

from earsight.audio.frontends import mfcc_matrices as matrices
from earsight.audio.frontends.mfcc import Mfcc
from earsight.audio.frontends.mfcc_settings import PRESETS, MfccSettings, preset
from earsight.common.errors import EarsightError

# Each preset, and the settings that reach code which no preset reaches.
EVERY = {
    **PRESETS,
    "kaldi, rounded frames": preset("kaldi", edges="round"),
    "torchaudio, log": preset("torchaudio", log="natural", log_floor=0.0, log_offset=1e-6, top_db=None),
    "librosa, whole spans": preset("librosa", edges="inside_fft", window_length=1024),
    "asymmetric window": preset("librosa", window="hamming", n_fft=512, window_length=400, hop_length=160),
    "odd window": preset("an4", window_length=401),
    "hop beyond the window": preset("an4", hop_length=500),
}


def sound(samples: int, seed: int = 0) -> np.ndarray:
    """A chirp in noise that swells and fades, with an offset: no two frames alike, quiet parts too."""
    time = np.arange(samples) / 16000
    noise = np.random.default_rng(seed).standard_normal(samples)
    wave = np.sin(2 * np.pi * (200 + 900 * time) * time) + 0.3 * noise
    return (0.3 * np.sin(3 * time + seed) ** 2 * wave + 0.01).astype(np.float32)


def mfcc(settings: MfccSettings, samples: np.ndarray) -> np.ndarray:
    frames, lengths = Mfcc(settings)(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    assert lengths.tolist() == [frames.shape[1]] == [settings.n_frames(len(samples))]
    return frames[0].numpy()


def assert_close(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> None:
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < tolerance


def test_an4_reproduces_the_corpus_files(shared_data: Path) -> None:
    corpus = shared_data / "an4"
    waveforms = sorted((corpus / "wav").glob("*.wav"))
    assert len(waveforms) == 41
    for path in waveforms:
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == preset("an4").sample_rate
        stored = corpus / "feat" / "an4_clstk" / path.stem.split("-")[1] / f"{path.stem}.mfc"
        theirs = np.frombuffer(stored.read_bytes()[4:], ">f4").reshape(-1, 13)
        ours = mfcc(preset("an4"), samples)
        assert ours.shape == theirs.shape  # the additional frame at the end included
        assert np.abs(ours - theirs).mean() < 1e-5
        assert np.abs(ours[-1] - theirs[-1]).max() < 1e-3


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sample_rate": 16000, "n_mfcc": 13, "n_mels": 40, "n_fft": 512, "window_length": 400},
        {"n_mfcc": 40, "n_mels": 40, "n_fft": 1024, "window_length": 1000, "hop_length": 100},
        {"window": "hamming", "n_fft": 512, "window_length": 512, "hop_length": 200},
        {"window_length": 551, "n_fft": 600, "hop_length": 601, "window": "blackman"},
        {"mel_scale": "htk", "mel_area": False, "low_frequency": 50.0, "high_frequency": 7600.0},
        {"lifter": 22.0, "dct": "plain", "top_db": None},
        {"edges": "inside_fft", "n_fft": 1024, "window_length": 700, "top_db": 30.0},
        {"padding": "reflect", "n_mfcc": 1, "n_mels": 3},
    ],
)  # fmt: skip
def test_librosa_parity(changes: dict) -> None:
    settings = preset("librosa", **changes)
    theirs = librosa.feature.melspectrogram(
        y=sound(30001),
        sr=settings.sample_rate,
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        win_length=settings.window_length,
        window=settings.window,
        center=settings.edges == "centre",
        pad_mode="reflect" if settings.padding == "reflect" else "constant",
        n_mels=settings.n_mels,
        fmin=settings.low_frequency,
        fmax=settings.high_frequency,
        htk=settings.mel_scale == "htk",
        norm="slaney" if settings.mel_area else None,
    )
    theirs = librosa.feature.mfcc(
        S=librosa.power_to_db(theirs, top_db=settings.top_db),
        n_mfcc=settings.n_mfcc,
        norm="ortho" if settings.dct == "ortho" else None,
        lifter=settings.lifter,
    )
    # Liftered and not normalised, coefficients run to tens of thousands.
    assert_close(mfcc(settings, sound(30001)), theirs.T, 2e-2 if settings.lifter else 1e-3)


def test_librosa_preset_is_its_defaults() -> None:
    assert_close(mfcc(preset("librosa"), sound(20000)), librosa.feature.mfcc(y=sound(20000)).T, 1e-3)


TORCHAUDIO_LOG = {"log": "natural", "log_floor": 0.0, "log_offset": 1e-6, "top_db": None}


@pytest.mark.parametrize("log", [{}, TORCHAUDIO_LOG], ids=["decibel", "log_mels"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_mfcc": 13, "n_mels": 23, "n_fft": 512, "window_length": 400, "hop_length": 160},
        {"sample_rate": 8000, "n_mfcc": 20, "n_mels": 20, "hop_length": 80, "high_frequency": 3800.0},
        {"mel_scale": "slaney", "mel_area": True, "n_mels": 64, "dct": "plain"},
        {
            "edges": "inside_fft",
            "n_fft": 512,
            "window_length": 401,
            "window": "hamming",
            "low_frequency": 60.0,
        },
    ],
)
def test_torchaudio_parity(changes: dict, log: dict) -> None:
    settings = preset("torchaudio", **changes, **log)
    theirs = torchaudio.transforms.MFCC(
        sample_rate=settings.sample_rate,
        n_mfcc=settings.n_mfcc,
        norm="ortho" if settings.dct == "ortho" else None,
        log_mels=bool(log),
        melkwargs={
            "n_fft": settings.n_fft,
            "win_length": settings.window_length,
            "hop_length": settings.hop_length,
            "n_mels": settings.n_mels,
            "f_min": settings.low_frequency,
            "f_max": settings.high_frequency,
            "window_fn": getattr(torch, f"{settings.window}_window"),
            "center": settings.edges == "centre",
            "mel_scale": settings.mel_scale,
            "norm": "slaney" if settings.mel_area else None,
        },
    )(torch.from_numpy(sound(20011)))
    assert_close(mfcc(settings, sound(20011)), theirs.T.numpy(), 1e-2 if settings.dct == "plain" else 1e-3)


@pytest.mark.parametrize("edges", ["inside", "round"])
@pytest.mark.parametrize("energy", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_mfcc": 40, "n_mels": 40, "low_frequency": 60.0, "high_frequency": 7600.0, "lifter": 0.0},
        {"sample_rate": 8000, "window_length": 200, "hop_length": 80, "n_fft": 256, "n_mfcc": 20},
        {"window": "hamming", "preemphasis": 0.9, "remove_dc": False, "window_length": 512},
        {"window": "hann", "window_length": 320, "n_fft": 320, "hop_length": 320, "energy_floor": 1e7},
        {"window": "rectangular", "preemphasis": 0.0, "n_mfcc": 8, "lifter": 10.0},
    ],
)
def test_kaldi_parity(changes: dict, energy: bool, edges: str) -> None:
    settings = preset("kaldi", energy=energy, edges=edges, **changes)
    assert_close(mfcc(settings, sound(16013)), kaldi_mfcc(settings, sound(16013)), 2e-3)


@pytest.mark.parametrize("samples", [130, 1, 79, 81, 399])
def test_kaldi_rounded_frames_of_a_short_clip_mirror_it_repeatedly(samples: int) -> None:
    settings = preset("kaldi", edges="round")
    if settings.n_frames(samples):
        assert_close(mfcc(settings, sound(samples)), kaldi_mfcc(settings, sound(samples)), 2e-3)
    else:
        assert samples < 80


def kaldi_mfcc(settings: MfccSettings, samples: np.ndarray) -> np.ndarray:
    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = settings.sample_rate
    options.frame_opts.frame_length_ms = 1000 * settings.window_length / settings.sample_rate
    options.frame_opts.frame_shift_ms = 1000 * settings.hop_length / settings.sample_rate
    options.frame_opts.window_type = "hanning" if settings.window == "hann" else settings.window
    options.frame_opts.preemph_coeff = settings.preemphasis
    options.frame_opts.remove_dc_offset = settings.remove_dc
    options.frame_opts.round_to_power_of_two = settings.n_fft != settings.window_length
    options.frame_opts.snip_edges = settings.edges == "inside"
    options.mel_opts.num_bins = settings.n_mels
    options.mel_opts.low_freq = settings.low_frequency
    options.mel_opts.high_freq = settings.high_frequency or 0
    options.num_ceps = settings.n_mfcc
    options.cepstral_lifter = settings.lifter
    options.use_energy = settings.energy
    options.energy_floor = settings.energy_floor
    computer = kaldi_native_fbank.OnlineMfcc(options)
    computer.accept_waveform(settings.sample_rate, (samples * settings.sample_scale).tolist())
    computer.input_finished()
    return np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)])


@pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY)
def test_a_clip_is_the_same_alone_and_in_a_batch(settings: MfccSettings) -> None:
    lengths = [16000, 5, 31000, 0, 2049, 700, 8001]
    waveforms = torch.full((len(lengths), 33333), torch.nan)  # nothing beyond a clip's end may be looked at
    for row, length in enumerate(lengths):
        waveforms[row, :length] = torch.from_numpy((row + 1) * sound(length, seed=row))
    module = Mfcc(settings)
    frames, frame_lengths = module(waveforms, torch.tensor(lengths))
    assert frames.shape == (len(lengths), settings.n_frames(33333), module.n_features)
    for row, length in enumerate(lengths):
        alone, _ = module(waveforms[row : row + 1, :length])
        assert frame_lengths[row] == alone.shape[1] == settings.n_frames(length)
        if alone.numel():  # 1e-5 of the clip's range: what float32 gives when sums are blocked otherwise
            difference = (frames[row, : alone.shape[1]] - alone[0]).abs().max()
            assert difference <= 1e-5 * max(1.0, float(alone.abs().max()))
        assert not frames[row, alone.shape[1] :].any()


@pytest.mark.parametrize("name", [name for name, settings in EVERY.items() if settings.top_db is None])
def test_stretches_of_long_sound_join_exactly(name: str) -> None:
    settings = EVERY[name]
    samples = sound(50007)
    whole, hop, margin = mfcc(settings, samples), settings.hop_length, settings.margin
    joined = []
    for first in range(0, len(whole), 41):
        last = min(first + 41, len(whole))
        start = max(first - margin, 0)
        stop = len(samples) if last == len(whole) else (last + margin) * hop
        joined.append(mfcc(settings, samples[start * hop : stop])[first - start : last - start])
    assert_close(np.concatenate(joined), whole, 1e-3)


@pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY)
def test_the_exported_graph_gives_the_same_frames_at_any_length(
    settings: MfccSettings, tmp_path: Path
) -> None:
    Mfcc(settings).export_onnx(tmp_path / "frontend.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["frontend.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "frontend.onnx", providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["waveform"]
    assert [value.name for value in session.get_outputs()] == ["frames"]
    span = settings.n_fft
    for samples in (span, span + 1, span + settings.hop_length - 1, 3 * span + 7, 16000, 48003):
        (frames,) = session.run(None, {"waveform": sound(samples)[None]})
        assert_close(frames[0], mfcc(settings, sound(samples)), 1e-3)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(("n_fft", "length"), [(512, 410), (512, 512), (512, 257), (512, 256), (510, 401), (511, 400)])
def test_bands_are_those_of_a_fourier_transform(n_fft: int, length: int, periodic: bool) -> None:
    """However much of it symmetry spares: of a frame's two halves, and of what is a half of the transform apart."""
    mfcc = Mfcc(preset("an4", n_fft=n_fft, window_length=length, periodic_window=periodic))
    columns = torch.randn(2, length, 3, generator=torch.Generator().manual_seed(n_fft + length))
    frames = columns.numpy().astype(np.float64) * matrices.window(mfcc.settings)[:, None]
    power = np.abs(np.fft.rfft(frames * mfcc.settings.sample_scale, n_fft, axis=1)) ** 2
    bands = matrices.mel_filters(mfcc.settings) @ power
    np.testing.assert_allclose(mfcc._bands(columns), bands, rtol=1e-4, atol=1e-6 * bands.max())


@pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY)
def test_silence_gives_finite_frames(settings: MfccSettings) -> None:
    frames = mfcc(settings, np.zeros(4096, np.float32))
    assert len(frames) > 0
    assert np.isfinite(frames).all()


def test_short_clips_have_the_frames_that_their_edges_allow() -> None:
    counts = {
        name: [settings.n_frames(n) for n in (0, 1, 399, 400, 410, 560)] for name, settings in PRESETS.items()
    }
    assert counts == {
        "an4": [0, 1, 1, 1, 2, 2],
        "librosa": [0, 1, 1, 1, 1, 2],
        "torchaudio": [0, 1, 2, 3, 3, 3],
        "kaldi": [0, 0, 0, 1, 1, 2],
    }
    for settings in PRESETS.values():
        for samples in (0, 1, 399):
            assert np.isfinite(mfcc(settings, sound(samples))).all()


@pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY)
def test_gradients_reach_the_waveform(settings: MfccSettings) -> None:
    waveforms = torch.from_numpy(sound(6000))[None].requires_grad_()
    Mfcc(settings)(waveforms, torch.tensor([5000]))[0].sum().backward()
    assert waveforms.grad.isfinite().all()
    assert waveforms.grad.any()


def test_autocast_does_not_touch_the_frames() -> None:
    waveforms = torch.from_numpy(sound(8000))[None]
    module = Mfcc(preset("an4"))
    with torch.autocast("cpu", torch.bfloat16):
        frames, _ = module(waveforms)
    assert frames.dtype == torch.float32
    assert torch.equal(frames, module(waveforms)[0])


def test_nothing_of_it_lands_in_a_checkpoint() -> None:
    assert Mfcc(preset("an4")).state_dict() == {}


def test_settings_are_plain_and_rebuild_themselves() -> None:
    for settings in PRESETS.values():
        plain = dataclasses.asdict(settings)
        assert all(value is None or type(value) in (str, int, float, bool) for value in plain.values())
        assert MfccSettings(**plain) == settings
    assert preset("an4").frame_shift == 0.01
    assert preset("kaldi", n_mfcc=20, n_mels=30).n_mels == 30


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_mfcc": 41}, "at most n_mels"),
        ({"n_mfcc": 0}, "n_mfcc is 0"),
        ({"hop_length": 160.0}, "hop_length is 160.0"),
        ({"remove_dc": "yes"}, "remove_dc is 'yes'"),
        ({"preemphasis": "0.97"}, "preemphasis is '0.97'"),
        ({"preemphasis": math.nan}, "preemphasis is nan"),
        ({"window_length": 513}, "n_fft must hold the window"),
        ({"sample_rate": 8000}, "half the sample rate"),
        ({"high_frequency": math.nan}, "high_frequency nan"),
        ({"low_frequency": 6800.0}, "must be the lower"),
        ({"window": "han"}, "choose from hamming, hann"),
        ({"log_floor": 0.0}, "silence would be -inf"),
        ({"top_db": -80.0}, "top_db is -80.0"),
        ({"sample_scale": 0.0}, "sample_scale is 0.0"),
        ({"edges": "round", "hop_length": 500}, "as long as the hop"),
        ({"n_mfc": 13}, "did you mean 'n_mfcc'"),
        ({"colour": 1}, "there are sample_rate, n_mfcc"),
    ],
)
def test_nonsense_is_refused_by_name(changes: dict, said: str) -> None:
    with pytest.raises(EarsightError) as error:
        preset("an4", **changes)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(EarsightError, match="did you mean 'librosa'"):
        preset("librossa")
    with pytest.raises(EarsightError, match="there are an4, librosa, torchaudio, kaldi"):
        preset("zzz")


def test_bands_that_the_fft_cannot_tell_apart_are_refused() -> None:
    with pytest.raises(EarsightError, match="use fewer bands or a larger n_fft"):
        Mfcc(preset("an4", n_mels=200))
    with pytest.raises(EarsightError, match="no FFT bin lies between"):
        Mfcc(preset("librosa", n_mels=20, low_frequency=1.0, high_frequency=2.0))
