"""A model that keeps the strongest units of its encoder."""

import pytest
import torch
from narrow_encoder import main

from earsight.common.labels import Labels
from earsight.common.nn.encoder import EncoderSettings
from earsight.common.nn.module import NormaliserSettings, SequenceModel
from earsight.common.training.folder_weights import starting_weights
from earsight.common.training.weights import start_from

LABELS = Labels("characters", ("<blank>", "a", "b", "c")).to_dict()
UNREAD = [2, 5]  # units and channels of eight


def built(width, **encoder):
    return SequenceModel(LABELS, LABELS, n_features=6, normaliser=NormaliserSettings(normalise="set"), encoder=(
        EncoderSettings(**{"hidden": width, "channels": width, "layers": 3, "stride": 2, **encoder}))).eval()


def stored(model, path):
    checkpoint = {"state_dict": model.state_dict()}
    model.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, path)
    return str(path)


@pytest.mark.parametrize("options", [{}, {"cell": "gru"}, {"bidirectional": False}], ids=str)
def test_units_that_nothing_reads_are_left_out(options, tmp_path):
    torch.manual_seed(1)
    wide, narrow = built(8, norm=False, **options), built(6, norm=False, **options)
    both = [unit + side for side in (0, 8) for unit in UNREAD if not (side and options.get("bidirectional") is False)]
    with torch.no_grad():
        wide.encoder.subsample.second.weight[:, UNREAD] = 0
        for layers in (wide.encoder.layers.forwards, wide.encoder.layers.backwards):
            for depth, layer in enumerate(layers):
                layer.weight_hh_l0[:, UNREAD] = 0
                layer.weight_ih_l0[:, both if depth else UNREAD] = 0
        for head in (wide.head, wide.auxiliary_head):
            head.output.weight[:, both] = 0
    arguments = ["--hidden", "6", "--channels", "6", "--output", str(tmp_path / "narrow.ckpt")]
    assert main([stored(wide, tmp_path / "wide.ckpt"), *arguments]) == 0
    taken, left = start_from(narrow, starting_weights(str(tmp_path / "narrow.ckpt")))
    assert (taken, left) == (len(narrow.state_dict()), 0)
    frames, lengths = torch.randn(2, 20, 6), torch.tensor([20, 13])
    for layer, (wide_states, states) in enumerate(zip(wide.encoder(frames, lengths)[0],
                                                      narrow.encoder(frames, lengths)[0], strict=True)):
        head = "auxiliary_head" if layer == 1 else "head" if layer == 2 else None
        if head:
            torch.testing.assert_close(getattr(narrow, head).output(states), getattr(wide, head).output(wide_states))


@pytest.mark.parametrize("norm", [True, False])
def test_a_width_of_its_own_changes_nothing(norm, tmp_path):
    model = stored(built(8, norm=norm), tmp_path / "model.ckpt")
    assert main([model, "--hidden", "8", "--channels", "8", "--output", str(tmp_path / "same.ckpt")]) == 0
    before, after = (starting_weights(str(tmp_path / name))["state_dict"] for name in ("model.ckpt", "same.ckpt"))
    assert before.keys() == after.keys() and all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize(("options", "hidden", "said"), [
    ({"cell": "transformer"}, 4, "not of LSTM or GRU layers alone"),
    ({"members": 2}, 4, "not of LSTM or GRU layers alone"),
    ({}, 9, "has 8 units and 8 channels; give no more"),
])
def test_what_cannot_be_narrowed_is_refused(options, hidden, said, tmp_path, capsys):
    model = stored(built(8, **options), tmp_path / "model.ckpt")
    assert main([model, "--hidden", str(hidden), "--channels", "8", "--output", str(tmp_path / "out.ckpt")]) == 1
    assert said in capsys.readouterr().err and not (tmp_path / "out.ckpt").exists()
