"""What happens to the weights between batches: their moving average, and steps over several batches."""

from types import SimpleNamespace

import pytest
import torch

from conftest import tiny_run
from earsight.audio.model import load_model
from earsight.common.checkpoint import read_checkpoint
from earsight.common.errors import EarsightError
from earsight.common.inference.runtime import Runtime
from earsight.common.nn.module import OptimiserSettings, SequenceModel
from earsight.common.training.export import EqualLengths
from earsight.common.training.running import run_training

WEIGHT = "head.output.weight"


def test_the_average_is_that_of_the_steps_and_what_is_used(tone_corpus, tmp_path, monkeypatch):
    weights, validated = [], []

    def on_train_batch_end(self, outputs, batch, batch_idx):
        weights.append(self.head.output.weight.detach().clone())

    def validation_step(self, batch, batch_idx, original=SequenceModel.validation_step):
        if not self.trainer.sanity_checking:
            validated.append(self.head.output.weight.detach().clone())
        return original(self, batch, batch_idx)

    monkeypatch.setattr(SequenceModel, "on_train_batch_end", on_train_batch_end)
    monkeypatch.setattr(SequenceModel, "validation_step", validation_step)
    assert run_training(tiny_run(tone_corpus / "classes", tmp_path, "classes", "--ema", "0.4", "--average", "1",
                                 epochs=4)) == 0
    average = weights[0]
    for n, weight in enumerate(weights[1:], start=2):
        kept = min(0.4, n / (n + 9))
        average = kept * average + (1 - kept) * weight
    assert len(weights) >= 8  # so that 0.4 is reached
    saved = read_checkpoint(tmp_path / "last.ckpt")["state_dict"][WEIGHT]
    torch.testing.assert_close(saved, average)
    torch.testing.assert_close(validated[-1], average)
    assert (saved - weights[-1]).abs().max() > 1e-4

    from earsight.audio.model import export_checkpoint

    frames = torch.randn(30, 13)
    outputs = Runtime(export_checkpoint(tmp_path / "last.ckpt", tmp_path / "model")).graph_outputs(frames.numpy())
    model = load_model(tmp_path / "last.ckpt")
    model.head.output.weight.data.copy_(average)
    with torch.no_grad():
        expected = EqualLengths(model)(frames[None])[0][0]
    torch.testing.assert_close(torch.from_numpy(outputs), expected, atol=1e-4, rtol=1e-4)


def test_an_average_that_cannot_be(tone_corpus, tmp_path):
    with pytest.raises(EarsightError, match="--ema 1.5: give a number between 0 and 1"):
        run_training(tiny_run(tone_corpus / "classes", tmp_path, "classes", "--ema", "1.5"))


def test_two_batches_are_one_of_both(tone_corpus, tmp_path):
    # 12 clips of half a second, in one order: two clips a batch, or four.
    common = "--data.curriculum", "2", "--data.buckets", "1"
    assert run_training(tiny_run(tone_corpus / "classes", tmp_path / "two", "classes", *common, "--data.batch_duration",
                                 "1", "--trainer.accumulate_grad_batches", "2", epochs=2)) == 0
    assert run_training(tiny_run(tone_corpus / "classes", tmp_path / "one", "classes", *common, "--data.batch_duration",
                                 "2", epochs=2)) == 0
    two, one = (read_checkpoint(tmp_path / run / "last.ckpt") for run in ("two", "one"))
    assert two["global_step"] == one["global_step"] == 6
    assert two["lr_schedulers"][0]["lr_lambdas"][0]["total"] == 6
    # The classes do not depend on this bias (softmax): its gradient is rounding, which AdamW makes a step of.
    del one["state_dict"]["head.score.bias"]
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(two["state_dict"][name], value, atol=1e-5, rtol=1e-5)


def test_a_run_that_only_its_time_ends_has_no_steps_to_schedule(tone_corpus, tmp_path):
    """Lightning's max_epochs is -1 then. The rate would be at its lowest from the second step on."""
    arguments = tiny_run(tone_corpus / "tones.csv", tmp_path, "characters", "--trainer.max_time", "00:00:00:01",
                         epochs=-1)
    with pytest.raises(EarsightError, match="nothing says how many there are; give --trainer.max_epochs or"):
        run_training(arguments)
    trainer = SimpleNamespace(max_steps=-1, max_epochs=-1)
    model = SimpleNamespace(trainer=trainer, optimiser=OptimiserSettings(schedule="constant", warmup=0.0))
    assert SequenceModel._total_steps(model) == 1
