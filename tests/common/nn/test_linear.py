"""The linear classifier: its solution against another implementation's, and under `train fit`."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from earsight.app.media import name_classes
from earsight.audio.model import load_model
from earsight.common.data.cuts import frames_cut
from earsight.common.data.manifest import write_manifest
from earsight.common.errors import EarsightError
from earsight.common.nn.linear import LinearModel, fit_linear
from earsight.common.training.running import run_training


def clouds(clips: int = 60, classes: int = 3, features: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = np.arange(clips) % classes
    centres = rng.normal(size=(classes, features))
    return (centres[targets] + rng.normal(size=(clips, features))).astype(np.float32), targets


@pytest.mark.parametrize("l2", [0.003, 0.1])
def test_the_solution_is_that_of_scikit_learn(l2):
    features, targets = clouds()
    features = features * np.geomspace(0.1, 10, 8, dtype=np.float32) + 5  # standardised, so that scales do not matter
    weights, biases = fit_linear(features, targets, 3, l2)
    spread = features.std(axis=0)
    spread = spread + 1e-3 * spread.mean()
    other = LogisticRegression(C=1 / (2 * l2 * len(targets)), max_iter=10_000, tol=1e-10)
    other.fit((features - features.mean(axis=0)) / spread, targets)
    expected = other.decision_function((features - features.mean(axis=0)) / spread)
    found = features @ weights.T + biases
    found, expected = (values - values.mean(axis=1, keepdims=True) for values in (found, expected))
    assert np.allclose(found, expected, atol=2e-2)
    assert np.array_equal(found.argmax(axis=1), expected.argmax(axis=1))


def stored_frames(folder, features: np.ndarray, targets: np.ndarray) -> list:
    """Clips of five frames each, whose mean is a row of `features`."""
    rng = np.random.default_rng(1)
    folder.mkdir()
    cuts = []
    for number, (mean, target) in enumerate(zip(features, targets)):
        noise = rng.normal(size=(5, len(mean)))
        np.save(folder / f"{number}.npy", (mean + noise - noise.mean(axis=0)).astype(np.float32))
        cuts.append(frames_cut(str(number), folder / f"{number}.npy", shape=(5, len(mean)), label="abc"[target]))
    return cuts


@pytest.mark.parametrize("streams", [(), (3, 5)])
def test_training_solves_for_the_same_weights(streams, tmp_path):
    features, targets = clouds()
    manifest = write_manifest(stored_frames(tmp_path / "frames", features, targets), tmp_path / "train.jsonl.gz")
    name_classes()
    arguments = ["fit", "--data", "SpeechData", "--data.train", str(manifest), "--data.validation", str(manifest),
                 "--data.labels", "classes", "--data.workers", "0", "--data.batch_duration", "0.5", "--model",
                 "LinearModel", "--model.n_features", "8", "--model.frame_shift", "0.01", "--model.l2", "0.05",
                 "--model.streams", str(list(streams)), "--trainer.max_epochs", "1", "--trainer.gradient_clip_val",
                 "null", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false",
                 "--trainer.enable_model_summary", "false", "--run", str(tmp_path / "run")]
    assert run_training(arguments) == 0
    model = load_model(tmp_path / "run" / "model.ckpt")
    frames = torch.from_numpy(features).unsqueeze(1)  # one frame is its own mean
    with torch.no_grad():
        found = model(frames, torch.ones(len(features), dtype=torch.int64))[0].log_softmax(dim=-1).numpy()
    each = []
    for part in np.split(features, [3], axis=1) if streams else [features]:
        weights, biases = fit_linear(np.ascontiguousarray(part), targets, 3, 0.05)
        each.append(torch.from_numpy(part @ weights.T + biases).log_softmax(dim=-1))
    expected = torch.stack(each).mean(dim=0).log_softmax(dim=-1).numpy()
    assert np.allclose(found, expected, atol=5e-3)


def test_padding_and_neighbours_do_not_matter():
    torch.manual_seed(0)
    model = LinearModel({"kind": "classes", "symbols": ["a", "b"]}, n_features=4).eval()
    with torch.no_grad():
        for head in model._heads():
            head.output.weight.normal_()
        short, long = torch.randn(3, 4), torch.randn(7, 4)
        batch = torch.nn.utils.rnn.pad_sequence([short, long], batch_first=True)
        together = model(batch, torch.tensor([3, 7]))[0]
        alone = torch.cat([model(clip[None], torch.tensor([len(clip)]))[0] for clip in (short, long)])
    assert torch.allclose(together, alone, atol=1e-6)


def test_texts_are_refused():
    with pytest.raises(EarsightError, match="names classes"):
        LinearModel({"kind": "characters", "symbols": ["<blank>", "a"]})
