"""The learning rate over a run, beside torch's own schedules."""

import pytest
import torch

from earsight.common.nn.schedules import Constant, OneCycle, Plateau


@pytest.mark.parametrize("mode", ["min", "max"])
def test_plateau_is_torchs_after_the_rise(mode):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, factor=0.5, patience=1)
    ours = Plateau(total=100, warmup=0.1, mode=mode, factor=0.5, patience=1)
    rates = set()
    for score in (0.9, 0.5, 0.5, 0.6, 0.4, 0.7, 0.7, 0.7, 0.2, 0.9, 0.9, 0.95, 0.0, 0.1, 0.1):
        ours.observe(score)
        theirs.step(score)
        assert 0.5 * ours(50) == pytest.approx(optimizer.param_groups[0]["lr"])
        rates.add(ours(50))
    assert len(rates) > 2


@pytest.mark.parametrize("schedule", [OneCycle(200, 0.1), Constant(200, 0.1), Plateau(200, 0.1, "min", 0.5, 1)])
def test_all_rise_alike(schedule):
    assert [schedule(step) for step in (0, 10, 20)] == pytest.approx([0.04, 0.52, 1.0])
    end = 0.001 if isinstance(schedule, OneCycle) else 1.0
    assert schedule(200) == schedule(300) == pytest.approx(end)


def test_no_rise():
    assert Constant(10, 0.0)(0) == 1.0 == OneCycle(10, 0.0)(0)
