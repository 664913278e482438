"""A model folder computes what its checkpoint does, at several lengths and batch sizes."""

import json
import os

import numpy as np
import pytest
import torch
from small_models import exported

from earsight.audio.model import SpeechModel, export_checkpoint, load_model
from earsight.common.errors import EarsightError
from earsight.common.inference.runtime import Runtime
from earsight.common.labels import Labels
from earsight.common.nn.encoder import EncoderSettings
from earsight.common.nn.module import NormaliserSettings, SequenceModel
from earsight.common.training.export import export_model


@pytest.mark.parametrize("cell", ["lstm", "gru", "transformer"])
@pytest.mark.parametrize("kind, streams, members", [
    ("characters", (), 1), ("characters", (2, 4), 1), ("classes", (), 1), ("classes", (1, 3, 2), 1),
    ("characters", (), 3), ("classes", (2, 4), 2)])
def test_folder_equals_model(cell, kind, streams, members, tmp_path):
    torch.manual_seed(1)
    labels = Labels(kind, ("<blank>", "a", "b", "c"))
    # Deltas triple each frame; those of streams would not lie beside their own features.
    normaliser = NormaliserSettings(normalise="set") if streams else NormaliserSettings(deltas=2)
    model = SequenceModel(labels.to_dict(), n_features=6, normaliser=normaliser,
                          encoder=EncoderSettings(cell=cell, hidden=8, layers=2, stride=3, channels=8,
                                                  streams=streams, members=members)).eval()
    settings = {"sample_rate": 0, "frame_shift": 0.01, "frontend": {}}
    folder = export_model(model, tmp_path / "model", lambda path: path.touch(), settings)
    session = Runtime(folder)._encoder
    for batch, time in ((1, 1), (1, 200), (3, 7), (5, 64)):
        frames = torch.randn(batch, time, 6)
        with torch.no_grad():
            expected = model(frames, torch.full((batch,), time))[0].numpy()
        given = session.run(None, {"frames": frames.numpy()})[0]
        np.testing.assert_allclose(given, expected, atol=1e-4)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_residual_folder_equals_model(cell, bidirectional, tmp_path):
    model, folder = exported(tmp_path / "model", cell=cell, layers=4, residual=True, bidirectional=bidirectional)
    frames = torch.randn(3, 21, 6)
    with torch.no_grad():
        expected = model(frames, torch.full((3,), 21))[0].numpy()
    np.testing.assert_allclose(Runtime(folder).batch_outputs(frames.numpy()), expected, atol=1e-4)


def test_speech_folder_equals_checkpoint(tone_runs, tone_models, tone_corpus):
    from earsight.audio.reading import read

    model = load_model(tone_runs["ctc"] / "model.ckpt")
    runtime = Runtime(tone_models["ctc"])
    for clip in sorted((tone_corpus / "text").iterdir())[:3]:
        samples = read(clip, 16000).samples
        with torch.no_grad():
            frames, lengths = model.frontend(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
            expected = model(frames, lengths)[0][0].numpy()
        np.testing.assert_allclose(runtime.outputs(runtime.frames(samples)), expected, atol=1e-3)


def test_int8_is_smaller_and_close(tone_runs, tone_models, tmp_path, tone_corpus):
    from earsight.audio.recognition.recogniser import SpeechRecogniser

    small = export_checkpoint(tone_runs["ctc"] / "model.ckpt", tmp_path / "int8", int8=True)
    full = tone_models["ctc"]
    assert (small / "encoder.onnx").stat().st_size < 0.6 * (full / "encoder.onnx").stat().st_size
    assert json.loads((small / "config.json").read_text())["precision"] == "int8"
    clip = tone_corpus / "text" / "02.wav"
    assert SpeechRecogniser(small, "ctc").transcribe(clip).text == SpeechRecogniser(full, "ctc").transcribe(clip).text


def test_a_folder_holds_no_pickle(tone_models):
    assert {path.name for path in tone_models["ctc"].iterdir()} == {"config.json", "encoder.onnx", "frontend.onnx"}


def test_export_replaces_model_folders_only(tone_runs, tmp_path):
    checkpoint = tone_runs["classification"] / "model.ckpt"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(EarsightError, match="no model folder"):
        export_checkpoint(checkpoint, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    export_checkpoint(checkpoint, tmp_path / "model")
    export_checkpoint(checkpoint, tmp_path / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "model"]


def test_bad_checkpoints(tone_runs, tmp_path):
    import pickle

    good = tone_runs["ctc"] / "model.ckpt"
    for name, content, complaint in (
            ("pickle.ckpt", pickle.dumps({"model": SpeechModel}), "pickled"),
            ("cut.ckpt", good.read_bytes()[:5000], "damaged"),
            ("empty.ckpt", b"", "damaged"),
            ("text.ckpt", b"hello", "damaged")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(EarsightError, match=f"{name}.*{complaint}"):
            export_checkpoint(tmp_path / name, tmp_path / "model")
    torch.save({"code": SpeechModel}, tmp_path / "object.ckpt")
    with pytest.raises(EarsightError, match="object.ckpt.*pickled"):
        export_checkpoint(tmp_path / "object.ckpt", tmp_path / "model")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(EarsightError, match="not a checkpoint of `earsight train`"):
        export_checkpoint(tmp_path / "other.ckpt", tmp_path / "model")
    with pytest.raises(EarsightError, match="no such checkpoint"):
        export_checkpoint(tmp_path / "lost.ckpt", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_folder_whose_name_is_no_utf8(tmp_path):
    with pytest.raises(EarsightError, match="a name that is not UTF-8"):
        exported(tmp_path / os.fsdecode(b"\x80"))
    assert not list(tmp_path.iterdir())
