"""What a run tells of itself while it trains: its speed, its gates, its curves, and what it leaves out."""

import math
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from conftest import REPOSITORY, tiny_run
from earsight.audio.data import SpeechData, read_clip
from earsight.common.checkpoint import read_checkpoint
from earsight.common.errors import EarsightError
from earsight.common.nn.heads import CTCHead
from earsight.common.training.callbacks import FiniteGradients, Throughput
from earsight.common.training.curves import earlier_rows, read_rows
from earsight.common.training.running import run_training

# Spoils one step's loss in the second of two processes.
SPOIL = """
import os, sys
from earsight.common.nn.heads import CTCHead
from earsight.app.main import main

true_loss, calls = CTCHead.loss, []
def spoilt(log_probs, *others):
    calls.append(log_probs.requires_grad)
    loss = true_loss(log_probs, *others)
    return loss * float("nan") if os.environ.get("LOCAL_RANK") == "1" and sum(calls) == 2 and calls[-1] else loss
CTCHead.loss = staticmethod(spoilt)
sys.exit(main(sys.argv[1:]))
"""


def bad_batches(run):
    return [row["bad_batches"] for row in read_rows(run / "logs" / "metrics.csv") if "bad_batches" in row]


def test_a_run_tells_its_speed_its_gates_and_draws_its_curves(tone_runs):
    rows = read_rows(tone_runs["ctc"] / "logs" / "metrics.csv")
    told = {name for row in rows for name in row}
    assert {"clips_per_second", "hours_per_hour", "data_wait", "bad_batches", "gates/layer1_forward/forget_mean",
            "gates/layer1_backward/memory_seconds"} <= told
    assert all(0 <= row[name] <= 1 for row in rows for name in row if name.endswith("_mean"))
    assert {row["bad_batches"] for row in rows if "bad_batches" in row} == {0}
    assert (tone_runs["ctc"] / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("processes", [1, 2])
def test_throughput_is_counts_by_the_clock(processes):
    now, logged = 100.0, {}
    callback = Throughput(clock=lambda: now)
    # As if all processes were as this one.
    strategy = SimpleNamespace(reduce=lambda sums, reduce_op: sums * processes)
    trainer = SimpleNamespace(log_every_n_steps=4, strategy=strategy, world_size=processes)
    module = SimpleNamespace(device="cpu", log=lambda name, value, **_: logged.setdefault(name, []).append(value))
    batches = [SimpleNamespace(ids=["a"] * n, seconds=3.0 * n, weight=weight)
               for n, weight in ((5, 1), (1, 0), (7, 1), (8, 1), (2, 1))]

    def validation():
        nonlocal now
        now += 1000
        callback.on_validation_end(trainer, module)

    callback.on_train_start(trainer, module)
    for i, batch in enumerate(batches):
        if i == 2:
            validation()
        now += 0.5
        callback.on_train_batch_start(trainer, module, batch, i)
        now += 1.5
        callback.on_train_batch_end(trainer, module, None, batch, i)
        assert bool(logged) == (i >= 3)
    seconds = 4 * 2.0
    for rate in logged["clips_per_second"]:
        assert rate * seconds == pytest.approx(processes * (5 + 7 + 8))
    for rate in logged["hours_per_hour"]:
        assert rate * seconds == pytest.approx(processes * 3.0 * (5 + 7 + 8))
    assert logged["data_wait"] == pytest.approx([0.25, 0.25])


def test_batches_tell_how_long_their_clips_are(tone_corpus):
    data = SpeechData(str(tone_corpus / "tones.csv"), str(tone_corpus / "tones.csv"), workers=0,
                      batch_duration=2.5)
    data.trainer = None
    assert sum(batch.seconds for batch in data.train_dataloader()) == pytest.approx(
        sum(cut.duration for cut in data.cuts("train")))


def test_a_clip_that_is_not_finite_is_named_counted_and_spoils_nothing(tone_corpus, tmp_path, monkeypatch, capsys):
    def read(data, cut, rng):
        clip = read_clip(cut, data.sample_rate)
        return clip * np.float32(math.nan) if cut.id == "03" and rng is not None else clip

    monkeypatch.setattr(SpeechData, "read", read)
    assert run_training(tiny_run(tone_corpus / "tones.csv", tmp_path / "run", "characters", "--data.workers", "0",
                                 "--trainer.max_epochs", "2", "--data.batch_duration", "3")) == 0
    assert capsys.readouterr().err.count(": 03; the step is left out") == 2
    rows = read_rows(tmp_path / "run" / "logs" / "metrics.csv")
    assert max(row.get("bad_batches", 0) for row in rows) >= 1
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in state.values() if value.is_floating_point())


@pytest.mark.parametrize("spoil", [lambda loss: loss * float("nan"), lambda loss: loss + float("inf")])
def test_a_loss_that_is_not_finite_is_left_out(spoil, tone_corpus, tmp_path, capsys, monkeypatch):
    """Added to the loss, infinity leaves the gradients as they are; the step is left out all the same."""
    true_loss, learnt = CTCHead.loss, []

    def spoilt(log_probs, *others):
        loss = true_loss(log_probs, *others)
        if log_probs.requires_grad:
            learnt.append(loss)
        return spoil(loss) if log_probs.requires_grad and len(learnt) == 2 else loss

    monkeypatch.setattr(CTCHead, "loss", staticmethod(spoilt))
    arguments = tiny_run(tone_corpus / "tones.csv", tmp_path, "characters", "--trainer.log_every_n_steps", "1")
    assert run_training(arguments) == 0
    assert "a loss or gradients that are not finite (batch 1 of at most 20): " in capsys.readouterr().err
    assert bad_batches(tmp_path) == [0, *[1] * (len(learnt) - 1)]
    saved = read_checkpoint(tmp_path / "last.ckpt")
    assert all(value.isfinite().all() for value in saved["state_dict"].values())
    steps = {int(state["step"]) for state in saved["optimizer_states"][0]["state"].values()}
    assert steps == {len(learnt) - 1}  # AdamW counts its own
    learnt.clear()
    with pytest.raises(EarsightError, match="the run ends: look at these clips"):
        run_training([*arguments, "--run", str(tmp_path / "none"), "--bad_batches", "0"])


def test_gradients_scaled_too_high_are_not_the_clips_fault():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight])
    strategy = SimpleNamespace(reduce=lambda value, reduce_op: value)
    module = SimpleNamespace(log=lambda *_: None)
    batch = SimpleNamespace(ids=["a"])

    def step(scaler, loss):
        callback = FiniteGradients(0)
        trainer = SimpleNamespace(scaler=scaler, strategy=strategy)
        weight.grad = torch.tensor([float("inf"), 1.0])
        callback.on_train_batch_start(trainer, module, batch, 0)
        callback.on_before_backward(trainer, module, torch.tensor(loss))
        callback.on_before_optimizer_step(trainer, module, optimizer)
        return callback.count

    assert step(object(), 1.0) == 0 and weight.grad is not None  # the scaler looks at the gradients itself
    module.eval = module.train = lambda: None
    module.predict_step = lambda batch: (torch.full((1, 3, 2), float("nan")), torch.tensor([3]))
    for scaler, loss in ((object(), float("inf")), (None, 1.0)):
        with pytest.raises(EarsightError, match="not finite .batch 1 of at most 0.: a; the run ends"):
            step(scaler, loss)


def test_a_bad_loss_in_one_process_is_left_out_by_both(tone_corpus, tmp_path):
    (tmp_path / "spoil.py").write_text(SPOIL)
    arguments = tiny_run(tone_corpus / "tones.csv", tmp_path / "run", "characters", "--trainer.devices", "2",
                         "--trainer.strategy", "ddp", "--trainer.log_every_n_steps", "1")
    job = subprocess.run([sys.executable, str(tmp_path / "spoil.py"), "train", *arguments], cwd=REPOSITORY, text=True,
                         capture_output=True, timeout=300)
    assert job.returncode == 0, job.stderr
    assert job.stderr.count("not finite (batch 1 of at most 20)") == 2 and "(batch 2 of" not in job.stderr
    assert bad_batches(tmp_path / "run")[-1] == 1
    saved = read_checkpoint(tmp_path / "run" / "last.ckpt")
    assert all(value.isfinite().all() for value in saved["state_dict"].values())
    steps = {int(state["step"]) for state in saved["optimizer_states"][0]["state"].values()}
    assert steps == {saved["global_step"] - 1}


def test_a_table_that_a_kill_cut_short(tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch,step,train_loss\n0,9,1.5\n0,19,1.25\n0,2")
    assert [row["step"] for row in read_rows(tmp_path / "metrics.csv")] == [9, 19]
    assert earlier_rows(tmp_path / "metrics.csv", 19) == [{"epoch": 0, "step": 9, "train_loss": 1.5}]
    assert not earlier_rows(tmp_path / "none.csv", 5)
