"""What several tests need: the shared recordings where they exist, and small clips and models made on the fly."""

import fcntl
import os
import shutil
import wave
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # the tests' figures are the CPU's
# As video.reading sets it; here, because some tests write films with OpenCV before any is read, and it looks once.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings beside the repository; tests that need it are skipped elsewhere."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the recordings in {folder}")
    return folder


def tone(frequency: float, seconds: float = 0.5, rate: int = 16000, seed: int = 0) -> np.ndarray:
    """A tone with a little noise, (samples,) in [-1, 1]."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (0.3 * np.sin(2 * np.pi * frequency * time) + 0.01 * noise).astype(np.float32)


def write_wav(path: Path, samples: np.ndarray, rate: int = 16000) -> Path:
    """A 16-bit mono wav."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", "not compressed"))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def write_hours(path: Path, hours: int) -> Path:
    """An 8-bit wav at 8 kHz in which the example's command is said again and again, a second apart."""
    import soundfile

    sound, rate = soundfile.read(REPOSITORY / "scripts" / "examples" / "command-telephone.wav")
    said = np.tile(np.concatenate([sound, np.zeros(rate)]), 16)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_U8") as file:
        for _ in range(hours * 3600 * rate // len(said) + 1):
            file.write(said)
    return path


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` fills in the first of xdist's workers to need it; all only read it."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (done := folder.with_suffix(".made")).exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker in which it failed
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


TONES = {"lo": 200.0, "mi": 700.0, "hi": 2500.0}


@pytest.fixture(scope="session")
def tone_corpus(tmp_path_factory) -> Path:
    """A corpus that a tiny model learns in seconds: clips of tones, `tones.csv` (path,text) and `classes/LABEL`."""
    return once(tmp_path_factory, "tones", _write_tones)


def _write_tones(folder: Path) -> None:
    rng = np.random.default_rng(1)
    rows = ["path,text"]
    for i in range(12):
        names = [list(TONES)[k] for k in rng.permutation(3)[:1 + i % 3]]
        sound = [np.concatenate([tone(TONES[name], 0.35, seed=i), 1e-3 * tone(1, 0.1)]) for name in names]
        write_wav(folder / f"text/{i:02}.wav", np.concatenate(sound))
        rows.append(f"text/{i:02}.wav,{' '.join(names)}")
    (folder / "tones.csv").write_text("\n".join(rows) + "\n")
    for label, frequency in TONES.items():
        for i in range(4):
            write_wav(folder / f"classes/{label}/{label}{i}.wav", tone(frequency * (1 + 0.02 * i), seed=i))


def tiny_run(train: Path, run: Path, labels: str, *options: str, epochs: int = 1) -> list[str]:
    """Arguments of `earsight train fit` for a model that trains in seconds."""
    return ["fit", "--data", "earsight.audio.data.SpeechData", "--data.train", str(train),
            "--data.validation", str(train), "--data.labels", labels, "--data.workers", "0",
            "--data.batch_duration", "2.5", "--model", "earsight.audio.model.SpeechModel",
            "--model.encoder.hidden", "32", "--model.encoder.layers", "1", "--model.encoder.channels", "24",
            "--model.encoder.dropout", "0", "--model.head_dropout", "0",
            "--model.optimiser.learning_rate", "0.01", "--trainer.accelerator", "cpu",
            "--trainer.max_epochs", str(epochs), "--trainer.enable_progress_bar", "false",
            "--trainer.enable_model_summary", "false", "--threads", "1", "--run", str(run), *options]


@pytest.fixture(scope="session")
def tone_runs(tone_corpus, tmp_path_factory) -> dict[str, Path]:
    """Runs of `earsight train` on the tones: "ctc" and "classification" -> the run's folder."""
    def train(folder: Path) -> None:
        from earsight.common.training.running import run_training

        assert run_training(tiny_run(tone_corpus / "tones.csv", folder / "ctc", "characters", "--data.curriculum", "3",
                                     "--trainer.check_val_every_n_epoch", "5", epochs=60)) == 0
        assert run_training(tiny_run(tone_corpus / "classes", folder / "classification", "classes", epochs=12)) == 0

    folder = once(tmp_path_factory, "tone-runs", train)
    return {task: folder / task for task in ("ctc", "classification")}


@pytest.fixture(scope="session")
def tone_models(tone_runs, tmp_path_factory) -> dict[str, Path]:
    """Model folders of `tone_runs`."""
    def export(folder: Path) -> None:
        from earsight.audio.model import export_checkpoint

        for task, run in tone_runs.items():
            export_checkpoint(run / "model.ckpt", folder / task)

    folder = once(tmp_path_factory, "tone-models", export)
    return {task: folder / task for task in tone_runs}
