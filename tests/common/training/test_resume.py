"""A run that is killed comes back as if nothing had happened."""

import csv
import errno
import multiprocessing
import os
import signal

import pytest
import torch
from jobs import RANDOM, start, wait_until

from conftest import tiny_run
from earsight.common.checkpoint import read_checkpoint
from earsight.common.errors import EarsightError
from earsight.common.nn.module import SequenceModel
from earsight.common.training import callbacks
from earsight.common.training.resume import RESUME, RunLock, WholeCheckpoints, find_checkpoint
from earsight.common.training.running import run_training

EPOCHS = 5


def arguments(corpus, run, *more):
    return tiny_run(corpus / "tones.csv", run, "characters", *RANDOM, *more, epochs=EPOCHS)


@pytest.fixture(scope="module")
def whole(tone_corpus, tmp_path_factory):
    """A run that nothing stopped."""
    run = tmp_path_factory.mktemp("whole")
    assert run_training(arguments(tone_corpus, run)) == 0
    return run


def same_weights(run, other, name):
    ours, theirs = read_checkpoint(run / name), read_checkpoint(other / name)
    assert (ours["epoch"], ours["global_step"]) == (theirs["epoch"], theirs["global_step"])
    for key, value in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][key], value), key


def test_killed_twice_and_bit_identical(tone_corpus, whole, tmp_path):
    saved, last = tmp_path / RESUME, tmp_path / "last.ckpt"
    killed = start(arguments(tone_corpus, tmp_path))
    wait_until(saved.exists, killed)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL and not last.exists()
    steps = [read_checkpoint(saved)["global_step"]]

    killed = start(arguments(tone_corpus, tmp_path, "--resume", "auto"))
    wait_until(lambda: last.exists() and saved.stat().st_mtime_ns > last.stat().st_mtime_ns, killed)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    steps.append(read_checkpoint(saved)["global_step"])
    assert 0 < steps[0] < steps[1] < read_checkpoint(whole / "last.ckpt")["global_step"]

    assert run_training(arguments(tone_corpus, tmp_path, "--resume", "auto")) == 0
    same_weights(tmp_path, whole, "last.ckpt")
    assert torch.equal(read_checkpoint(tmp_path / "model.ckpt")["state_dict"]["head.output.weight"],
                       read_checkpoint(whole / "model.ckpt")["state_dict"]["head.output.weight"])
    assert logged(tmp_path) == logged(whole)


def logged(run):
    """What the table of a run says that is not a time."""
    names = ("train_loss", "val_loss", "val_wer", "gates/layer2_backward/forget_mean")
    with (run / "logs" / "metrics.csv").open(newline="") as file:
        return [{name: row[name] for name in ("step", *names)} for row in csv.DictReader(file)
                if any(row[name] for name in names)]


class Killed(Exception):
    """Ends a run where a test wants it."""


def stop_after(batches, arguments, monkeypatch):
    """Train for so many batches; what is saved later is not there."""
    done = []

    def on_train_batch_end(self, outputs, batch, batch_idx):
        done.append(batch_idx)
        if len(done) == batches:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(SequenceModel, "on_train_batch_end", on_train_batch_end)
        run_training(arguments)


# The rate falls after each validation that is no better; a place is saved between the two batches of a step.
CHANGES = {"plateau": ("--model.optimiser.schedule", "plateau", "--model.optimiser.patience", "0"),
           "ema": ("--ema", "0.9"),
           "accumulation": ("--trainer.accumulate_grad_batches", "2", "--save_every", "3")}


@pytest.mark.parametrize("change", CHANGES)
def test_bit_identical_with(change, tone_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks, "_boards", lambda trainer: [])  # most of the time went into pictures
    run = tmp_path / "run"
    assert run_training(arguments(tone_corpus, tmp_path / "whole", *CHANGES[change])) == 0
    stop_after(3, arguments(tone_corpus, run, *CHANGES[change]), monkeypatch)
    step = read_checkpoint(run / RESUME)["global_step"]
    assert step == {"accumulation": 1}.get(change, 2) and not (run / "last.ckpt").exists()
    stop_after(9, arguments(tone_corpus, run, *CHANGES[change], "--resume", "auto"), monkeypatch)
    assert run_training(arguments(tone_corpus, run, *CHANGES[change], "--resume", "auto")) == 0
    same_weights(run, tmp_path / "whole", "last.ckpt")
    if change == "plateau":
        schedule = read_checkpoint(run / "last.ckpt")["lr_schedulers"][0]["lr_lambdas"][0]
        assert schedule["level"] < 1 and schedule["best"] is not None


def test_sigterm_saves_and_leaves(tone_corpus, tmp_path):
    run = start([*arguments(tone_corpus, tmp_path, "--save_every", "100000"), "--trainer.max_epochs", "1000"])
    wait_until((tmp_path / "last.ckpt").exists, run)
    run.terminate()
    output = run.communicate(timeout=60)[0]
    assert run.returncode == 128 + signal.SIGTERM and "stopped by SIGTERM; `--resume auto`" in output
    assert "Traceback" not in output
    path, errors = find_checkpoint(tmp_path)
    assert not errors and read_checkpoint(path)["global_step"] >= read_checkpoint(tmp_path / "last.ckpt")["global_step"]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tone_corpus, whole, tmp_path, capsys):
    names = sorted(path.name for path in whole.glob("0*.ckpt"))
    for name in (*names, "last.ckpt"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    with (tmp_path / "last.ckpt").open("r+b") as file:
        file.truncate(1000)
    newest = max(names, key=lambda name: read_checkpoint(whole / name)["global_step"])
    assert run_training(arguments(tone_corpus, tmp_path, "--resume", "auto")) == 0
    said = capsys.readouterr()
    assert "last.ckpt: damaged or cut short" in said.err and f"{newest} is used" in said.err
    assert f"{newest}: the run goes on" in said.out
    for path in tmp_path.glob("*.ckpt"):
        path.write_bytes(b"no checkpoint")
    with pytest.raises(EarsightError, match="none of .* checkpoints can be read"):
        run_training(arguments(tone_corpus, tmp_path, "--resume", "auto"))


@pytest.mark.parametrize("change, named", [(("--model.encoder.hidden", "16"), "encoder"),
                                           (("--data.labels", "bpe", "--data.vocabulary", "14"), "labels")])
def test_a_checkpoint_of_another_model(change, named, tone_corpus, whole, tmp_path):
    (tmp_path / "last.ckpt").write_bytes((whole / "last.ckpt").read_bytes())
    with pytest.raises(EarsightError, match=f"last.ckpt: its {named}.* differ"):
        run_training(arguments(tone_corpus, tmp_path, "--resume", "auto", *change))


def test_one_job_a_folder(tone_corpus, tmp_path):
    def hold():
        lock = RunLock(tmp_path)
        held.set()
        over.wait()
        del lock

    fork = multiprocessing.get_context("fork")  # a process of its own would load torch for seconds
    held, over = fork.Event(), fork.Event()
    other = fork.Process(target=hold)
    other.start()
    assert held.wait(60)
    with pytest.raises(EarsightError, match="another job trains in this folder"):
        RunLock(tmp_path)
    over.set()
    other.join()
    RunLock(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(EarsightError, match="cannot be written"):
        run_training(arguments(tone_corpus, tmp_path / "file" / "run"))
    with pytest.raises(EarsightError, match="cannot be written .embedded null byte.; choose another --run"):
        RunLock(tmp_path / "a\0b")


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"step": torch.tensor(1)}, path)

    def full(checkpoint, file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(EarsightError, match="last.ckpt: cannot be written .No space left"):
        WholeCheckpoints().save_checkpoint({"step": torch.tensor(2)}, path)
    assert torch.load(path)["step"] == 1 and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("closing", [None, RuntimeError("unexpected pos 64 vs 0"), OSError("cut short")])
def test_a_worker_that_dies_while_a_checkpoint_is_written_is_no_full_disk(closing, tmp_path, monkeypatch):
    """torch's handler of SIGCHLD speaks up in the middle of whatever the process does."""
    from earsight.common.training import resume
    from earsight.common.training.process import training_process

    def killed(*_):
        try:
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
        finally:
            if closing:  # the file that was being written ends
                raise closing

    monkeypatch.setattr(resume.torch, "save", killed)
    with pytest.raises(EarsightError, match="a process that reads clips was killed"), training_process():
        resume.WholeCheckpoints().save_checkpoint({}, tmp_path / "model.ckpt")
