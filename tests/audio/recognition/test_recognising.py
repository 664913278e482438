"""Long sound goes through the frontend in stretches, and nobody can tell from the frames."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from earsight.audio.model import SpeechModel
from earsight.audio.recognition import recogniser as recognising
from earsight.audio.recognition.recogniser import SpeechRecogniser
from earsight.common.errors import EarsightError
from earsight.common.labels import Labels
from earsight.common.nn.encoder import EncoderSettings
from earsight.common.training.export import export_model

FRONTENDS = {  # one for each kind of edges, and one whose frames hang on the whole clip
    "an4": {},
    "kaldi": {},
    "kaldi-round": {"edges": "round", "preemphasis_over": "clip"},
    "torchaudio": {"top_db": None, "n_mels": 40},
    "librosa": {"n_fft": 512, "window_length": 400, "hop_length": 220, "edges": "inside_fft", "top_db": None,
                "n_mels": 40},
    "torchaudio-top_db": {"top_db": 60.0, "n_mels": 40},
}
STRETCH = 40  # frames, so that the clips can be short


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Model folders of untrained models, one a frontend."""
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("frontends")
    labels = Labels("characters", ("<blank>", "a", "b")).to_dict()
    encoder = EncoderSettings(hidden=4, layers=1, channels=4)
    made = {}
    for name, changes in FRONTENDS.items():
        model = SpeechModel(labels, mfcc=name.split("-")[0], mfcc_changes=changes, encoder=encoder)
        settings = model.frontend.settings
        made[name] = export_model(model, folder / name, model.frontend.export_onnx, {
            "sample_rate": settings.sample_rate, "frame_shift": settings.frame_shift,
            "frontend": asdict(settings)})
    return made


@pytest.fixture
def count_runs(monkeypatch):
    """A function that makes a recogniser note how many samples each run of its frontend gets."""
    monkeypatch.setattr(recognising, "STRETCH", STRETCH)

    def watch(recogniser: SpeechRecogniser) -> list[int]:
        runs, frames = [], recogniser.runtime.frames
        monkeypatch.setattr(recogniser.runtime, "frames", lambda x: runs.append(len(x)) or frames(x))
        return runs

    return watch


def noise(samples: int) -> np.ndarray:
    """Noise whose loudness goes up and down, so that every frame is another."""
    time = np.arange(samples)
    sound = np.random.default_rng(samples).standard_normal(samples) * (0.05 + 0.04 * np.sin(time / 3000))
    return sound.astype(np.float32)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", [name for name in FRONTENDS if not name.endswith("top_db")])
def test_stretches_join_exactly(folders, count_runs, name, threads):
    recogniser = SpeechRecogniser(folders[name], "ctc", threads)
    hop = recogniser.runtime.config.frontend["hop_length"]
    whole = recogniser.runtime.frames
    runs = count_runs(recogniser)
    for hops, extra in ((2 * STRETCH, 0), (2 * STRETCH, -1), (3 * STRETCH - 1, 7), (5 * STRETCH + 1, 1)):
        samples = noise(hops * hop + extra)
        expected = whole(samples)
        runs.clear()
        frames = recogniser.frames_of_samples(samples, recogniser.sample_rate)
        assert len(runs) == max(len(samples) // (STRETCH * hop), 1)
        assert frames.shape == expected.shape
        np.testing.assert_allclose(frames, expected, atol=2e-4)


def test_short_sound_and_clipwide_floors_go_through_whole(folders, count_runs):
    for name, hops in (("an4", 2 * STRETCH - 1), ("torchaudio-top_db", 5 * STRETCH)):
        recogniser = SpeechRecogniser(folders[name], "ctc", 2)
        samples = noise(hops * recogniser.runtime.config.frontend["hop_length"])
        runs = count_runs(recogniser)
        recogniser.frames_of_samples(samples, recogniser.sample_rate)
        assert runs == [len(samples)]


def test_long_sound_gives_a_transcript_of_its_whole_length(folders, count_runs):
    recogniser = SpeechRecogniser(folders["an4"], "ctc", 2)
    count_runs(recogniser)
    frames = recogniser.frames_of_samples(noise(80000), 8000)  # resampled to 160000 samples, 1000 hops
    assert recogniser.transcript(frames).duration == pytest.approx(10, abs=0.03)


def test_no_samples_is_an_error(folders):
    with pytest.raises(EarsightError, match="clip.wav: holds no sound"):
        SpeechRecogniser(folders["an4"], "ctc").frames_of_samples(np.zeros(0, np.float32), 16000, "clip.wav")


def test_silence_is_blank_wherever_a_folder_runs(tone_models):
    from earsight.common.inference.runtime import Runtime

    runtime = Runtime(tone_models["ctc"])
    for time in (0, 1, 100):
        outputs = runtime.outputs(np.full((time, 13), -3.0, np.float32))
        assert outputs.shape == (-(-time // runtime.config.stride), len(runtime.labels))
        assert (outputs.argmax(axis=-1) == 0).all()
    varied = runtime.outputs(np.random.default_rng(1).standard_normal((100, 13)).astype(np.float32))
    assert np.isfinite(varied).all() and varied.shape == (50, len(runtime.labels))
