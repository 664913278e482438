"""What a run tells of itself while it trains: its speed, its gates, its curves, and what it leaves out."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from audio.data import SpeechData, read_clip
from common.callbacks import Throughput
from common.curves import read_rows
from common.training import run_training
from conftest import tiny_run


def test_a_run_tells_its_speed_its_gates_and_draws_its_curves(tone_runs):
    rows = read_rows(tone_runs["ctc"] / "logs" / "metrics.csv")
    told = {name for row in rows for name in row}
    assert {"clips_per_second", "hours_per_hour", "data_wait", "bad_batches", "gates/layer1_forward/forget_mean",
            "gates/layer1_backward/memory_seconds"} <= told
    assert all(0 <= row[name] <= 1 for row in rows for name in row if name.endswith("_mean"))
    assert {row["bad_batches"] for row in rows if "bad_batches" in row} == {0}
    assert (tone_runs["ctc"] / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_throughput_counts_clips_seconds_and_waiting():
    clock = SimpleNamespace(now=0.0)
    throughput, logged = Throughput(lambda: clock.now), {}
    module = SimpleNamespace(device="cpu", log=lambda name, value, **_: logged.update({name: value}))
    trainer = SimpleNamespace(log_every_n_steps=4, world_size=1,
                              strategy=SimpleNamespace(reduce=lambda sums, reduce_op: sums))
    throughput.on_train_epoch_start(trainer, module)
    for i in range(4):
        clock.now += 0.5  # the batch comes
        throughput.on_train_batch_start(trainer, module, None, i)
        clock.now += 1.5  # the step
        batch = SimpleNamespace(ids=["a", "b", "c"], seconds=30.0, weight=1.0)
        throughput.on_train_batch_end(trainer, module, None, batch, i)
    assert logged == pytest.approx({"clips_per_second": 12 / 8, "hours_per_hour": 120 / 8, "data_wait": 0.25})


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
