"""The mean of several trainings' weights."""

import pytest
import torch
from average_checkpoints import main


def write(path, **weights):
    torch.save({"earsight": {"medium": "frames"}, "state_dict": {name: torch.tensor(value)
                                                                 for name, value in weights.items()}}, path)
    return str(path)


def test_the_mean_of_weights_and_the_counts_of_the_first(tmp_path):
    one, two = (write(tmp_path / f"{k}.ckpt", weight=[1.0 * k, 2.0], count=k) for k in (1, 4))
    assert main([one, two, two, "--output", str(tmp_path / "mean.ckpt")]) == 0
    mean = torch.load(tmp_path / "mean.ckpt", weights_only=True)["state_dict"]
    assert mean["weight"].tolist() == [3.0, 2.0] and mean["count"] == 1


@pytest.mark.parametrize("other", [{"weight": [1.0]}, {"weight": [1.0, 2.0], "more": 1.0}, {}])
def test_checkpoints_of_other_models_are_named(tmp_path, capsys, other):
    one, two = write(tmp_path / "one.ckpt", weight=[1.0, 2.0]), write(tmp_path / "two.ckpt", **other)
    assert main([one, two, "--output", str(tmp_path / "mean.ckpt")]) == 1
    assert "two.ckpt: is of another model" in capsys.readouterr().err
    assert main([one, str(tmp_path / "none.ckpt"), "--output", str(tmp_path / "mean.ckpt")]) == 1
    assert "no such checkpoint" in capsys.readouterr().err and not (tmp_path / "mean.ckpt").exists()
