"""A training that starts from a model folder begins where the folder's own training ended."""

import onnx
import pytest
import torch
from small_models import exported

from earsight.audio.frontends import pretrained
from earsight.audio.frontends.pretrained import PretrainedSettings
from earsight.audio.frontends.whisper import WhisperShape
from earsight.audio.model import SpeechModel, export_checkpoint
from earsight.common.errors import EarsightError
from earsight.common.labels import Labels
from earsight.common.model_folder import ENCODER
from earsight.common.nn.encoder import EncoderSettings
from earsight.common.nn.module import NormaliserSettings, SequenceModel
from earsight.common.training.export import export_model
from earsight.common.training.folder_weights import starting_weights
from earsight.common.training.weights import start_from

LABELS = Labels("characters", ("<blank>", "a", "b", "c")).to_dict()
SET = NormaliserSettings(normalise="set")
KINDS = [{}, {"cell": "gru"}, {"cell": "transformer"}, {"bidirectional": False}, {"members": 2}, {"streams": (2, 4)},
         {"norm": False}, {"streams": (2, 4), "layers": 3, "joint": 2}]


def shaken(model: SequenceModel) -> SequenceModel:
    """The model with weights and statistics that no new one has."""
    with torch.no_grad():
        for value in [*model.parameters(), model.normaliser.mean]:
            value.add_(0.1 * torch.randn_like(value))
    model.normaliser.square.uniform_(1, 2)
    model.normaliser.batches.fill_(30)
    return model.eval()


def begun(model: SequenceModel, source: str) -> dict[str, torch.Tensor]:
    """The weights with which a model begins; all of them are the source's."""
    assert start_from(model, starting_weights(source)) == (len(model.state_dict()), 0)
    return model.state_dict()


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_weights_are_those_of_the_model(options, tmp_path):
    encoder = EncoderSettings(**{"hidden": 8, "layers": 2, "stride": 2, "channels": 8, **options})
    model = shaken(SequenceModel(LABELS, n_features=6, normaliser=SET, encoder=encoder))
    settings = {"sample_rate": 0, "frame_shift": 0.01, "frontend": {}}
    export_model(model, tmp_path / "model", lambda path: path.touch(), settings)
    torch.manual_seed(7)
    again = begun(SequenceModel(LABELS, n_features=6, normaliser=SET, encoder=encoder), str(tmp_path / "model"))
    assert again.pop("normaliser.batches") > 100  # a new training moves them slowly
    for name, value in again.items():
        torch.testing.assert_close(value, model.state_dict()[name], msg=lambda found, name=name: f"{name}: {found}")


@pytest.mark.parametrize("int8", [False, True])
def test_a_pretrained_encoder_comes_along(int8, tmp_path, monkeypatch):
    monkeypatch.setitem(pretrained.WHISPER, "whisper-small-test", WhisperShape(128, 3))
    options = {"labels": LABELS, "pretrained": PretrainedSettings("whisper-small-test", tuned_blocks=2),
               "normaliser": SET, "encoder": EncoderSettings(hidden=8, layers=2, stride=2, channels=8)}
    model = shaken(SpeechModel(**options))
    checkpoint = {"state_dict": model.state_dict()}
    model.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / "model.ckpt")
    export_checkpoint(tmp_path / "model.ckpt", tmp_path / "model", int8)
    torch.manual_seed(7)
    again = begun(SpeechModel(**options), str(tmp_path / "model"))
    del again["normaliser.batches"]
    for name, value in again.items():
        expected = model.state_dict()[name]
        step = 2 * float(expected.abs().max()) / 127 if int8 else 1e-5
        assert float((value - expected).abs().max()) <= step, name
    assert all(map(torch.equal, starting_weights(str(tmp_path / "model.ckpt"))["state_dict"].values(),
                   model.state_dict().values()))


def test_what_cannot_be_taken_is_refused(tmp_path):
    with pytest.raises(EarsightError, match="actions-10: holds no weights under the names of one training"):
        starting_weights("actions-10")
    with pytest.raises(EarsightError, match="no-such-model"):
        starting_weights("no-such-model")
    folder = exported(tmp_path / "model")[1]
    content = (folder / ENCODER).read_bytes()
    (folder / ENCODER).write_bytes(content[:len(content) // 2])
    with pytest.raises(EarsightError, match=f"{ENCODER}: damaged"):
        starting_weights(str(folder))
    onnx.save(onnx.ModelProto(), str(folder / ENCODER))
    with pytest.raises(EarsightError, match="holds no weights"):
        starting_weights(str(folder))
