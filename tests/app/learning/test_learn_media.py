"""`earsight learn` of frames, videos and texts at a small size."""

import json

import numpy as np
import pytest
from films import corpus

import earsight
from conftest import TONES, tone, write_wav
from earsight.app.learning import texts
from earsight.app.learning.learning import learn
from earsight.common.model_folder import read_config


def quiet(line: str) -> None:
    """Nothing is told."""


def test_frames_of_any_origin(tmp_path):
    rng = np.random.default_rng(0)
    for label, level in (("calm", 0.0), ("wild", 2.0)):
        (tmp_path / "clips" / label).mkdir(parents=True)
        for number in range(8):
            frames = level + rng.normal(size=(20 + number, 5))
            np.save(tmp_path / "clips" / label / f"{label}{number}.npy", frames.astype(np.float32))
    learned = learn([tmp_path / "clips"], tmp_path / "model", minutes=0.5, tell=quiet)
    assert learned.figure == 1.0 and learned.taken.startswith("linear")
    config = read_config(learned.model)
    assert config.medium == "frames" and config.n_features == 5 and not (learned.model / "frontend.onnx").exists()
    np.save(tmp_path / "new.npy", (2.0 + rng.normal(size=(9, 5))).astype(np.float32))
    assert earsight.classify(tmp_path / "new.npy", learned.model).label == "wild"


def test_videos(tmp_path):
    pytest.importorskip("cv2")
    corpus(tmp_path / "films", clips=4)
    learned = learn([tmp_path / "films"], tmp_path / "model", minutes=0.9, tell=quiet)
    config = read_config(learned.model)
    packaged = read_config(earsight.common.model_folder.find_model("actions-10"))
    assert config.medium == "video" and config.frontend == packaged.frontend
    assert config.labels["symbols"] == ["across", "down"]
    figures = json.loads((tmp_path / "model-learning" / "figures.json").read_text())
    assert figures["clip_count"] == 8
    film = next((tmp_path / "films" / "down").iterdir())
    assert earsight.classify(film, learned.model).label == "down"  # one that it was taught


def test_texts(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "TUNING", 13.0)  # seconds; training takes the others, or as many
    rows = ["path,text,speaker"]
    rng = np.random.default_rng(1)
    for number in range(24):
        names = [list(TONES)[k] for k in rng.permutation(3)[: 1 + number % 3]]
        sound = np.concatenate([np.concatenate([tone(TONES[name], 0.35, seed=number), 1e-3 * tone(1, 0.1)])
                                for name in names])
        write_wav(tmp_path / "clips" / f"{number:02}.wav", sound)
        rows.append(f"clips/{number:02}.wav,{' '.join(names).capitalize()}!,speaker{number % 6}")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    told = []
    learned = learn([tmp_path / "clips.csv"], tmp_path / "model", minutes=0.5, tell=told.append)
    config = read_config(learned.model)
    assert config.task == "ctc" and config.medium == "speech"
    assert set(config.labels["symbols"][1:]) <= set(" hiloml"), "lower case, no punctuation"
    assert "6 speakers: the speakers are named" in "\n".join(told)
    figures = json.loads((tmp_path / "model-learning" / "figures.json").read_text())
    held = {one["speaker"] for one in figures["utterances"]}
    assert held and held < {f"speaker{number}" for number in range(6)}
    assert learned.figure == pytest.approx(figures["words"]["rate"])
    assert "word error rate" in learned.page.read_text()
    earsight.transcribe(tmp_path / "clips" / "00.wav", learned.model)
