"""The mean of several trainings' weights."""

import pytest
import torch
from average_checkpoints import main
from small_models import exported

from earsight.common.checkpoint import read_checkpoint


def write(path, symbols=("<blank>", "a"), **weights):
    torch.save({"earsight": {"medium": "frames", "labels": {"kind": "characters", "symbols": list(symbols)}},
                "state_dict": {name: torch.tensor(value) for name, value in weights.items()}}, path)
    return str(path)


def test_the_mean_of_weights_and_the_counts_of_the_first(tmp_path):
    one, two = (write(tmp_path / f"{k}.ckpt", weight=[1.0 * k, 2.0], count=k) for k in (1, 4))
    assert main([one, two, two, "--output", str(tmp_path / "mean.ckpt")]) == 0
    mean = torch.load(tmp_path / "mean.ckpt", weights_only=True)["state_dict"]
    assert mean["weight"].tolist() == [3.0, 2.0] and mean["count"] == 1


@pytest.mark.parametrize("other", [{"weight": [1.0]}, {"weight": [1.0, 2.0], "more": 1.0}, {},
                                   {"weight": [1.0, 2.0], "symbols": ("<blank>", "b")}])
def test_checkpoints_of_other_models_are_named(tmp_path, capsys, other):
    one, two = write(tmp_path / "one.ckpt", weight=[1.0, 2.0]), write(tmp_path / "two.ckpt", **other)
    assert main([one, two, "--output", str(tmp_path / "mean.ckpt")]) == 1
    assert "two.ckpt: is of another model" in capsys.readouterr().err
    assert main([one, str(tmp_path / "none.ckpt"), "--output", str(tmp_path / "mean.ckpt")]) == 1
    assert "no such checkpoint" in capsys.readouterr().err and not (tmp_path / "mean.ckpt").exists()


def test_the_model_that_a_training_began_with_is_one_of_them(tmp_path, capsys):
    model, folder = exported(tmp_path / "model")
    begun = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        for value in model.parameters():
            value += 1
    checkpoint = {"state_dict": model.state_dict()}
    model.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / "model.ckpt")
    assert main([str(tmp_path / "model.ckpt"), str(folder), "--output", str(tmp_path / "mean.ckpt")]) == 0
    mean = read_checkpoint(tmp_path / "mean.ckpt")["state_dict"]
    for name, _ in model.named_parameters():
        torch.testing.assert_close(mean[name], begun[name] + 0.5)
    assert main([str(folder), str(tmp_path / "model.ckpt"), "--output", str(tmp_path / "other.ckpt")]) == 1
    assert "no such checkpoint" in capsys.readouterr().err
