"""A run tells how far it is: of how many batches, and for how long still."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, IterableDataset

from conftest import REPOSITORY, tiny_run
from earsight.app.main import main
from earsight.common.training.progress import BatchLines, show_progress


class Unsized(IterableDataset):
    """So many batches, and no length."""

    def __init__(self, count: int):
        self.count = count

    def __iter__(self):
        return (torch.zeros(1) for _ in range(self.count))


class Known(pl.LightningDataModule):
    """Six training batches and three of validation, from loaders that do not say so."""

    def batches(self, split: str) -> int:
        return {"train": 6, "validation": 3}[split]

    def train_dataloader(self):
        return DataLoader(Unsized(6), batch_size=None)

    def val_dataloader(self):
        return DataLoader(Unsized(3), batch_size=None)


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, _):
        return self.layer(batch).square().sum()

    def validation_step(self, batch, _):
        self.log("val_loss", 0.25)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Clock:
    """Ten seconds later each time a batch ends."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fit(tmp_path, every: float, epochs: int, clock: Clock) -> None:
    class Ticking(pl.Callback):
        def on_train_batch_start(self, *_):
            clock.now += 10

    trainer = pl.Trainer(accelerator="cpu", max_epochs=epochs, logger=False, enable_checkpointing=False,
                         enable_model_summary=False, default_root_dir=tmp_path,
                         callbacks=[Ticking(), BatchLines(every, clock)], num_sanity_val_steps=0)
    trainer.fit(Module(), datamodule=Known())


def test_lines_come_every_so_often_with_the_time_left(tmp_path, capsys):
    fit(tmp_path, every=30, epochs=2, clock=Clock())
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch")]
    assert lines[0].startswith("epoch 1 of 2, batch 3 of 6") and lines[0].endswith(
        "0:00:30 left in the epoch, 0:01:30 in all")  # 10 s a batch; three batches here and six in the second epoch
    assert lines[1].startswith("epoch 1 of 2, batch 6 of 6")
    assert lines[2] == "epoch 1 of 2, validation: val_loss 0.25"
    assert [line.split(", ")[:2] for line in lines[3:]] == [["epoch 2 of 2", "batch 3 of 6"],
                                                            ["epoch 2 of 2", "batch 6 of 6"],
                                                            ["epoch 2 of 2", "validation: val_loss 0.25"]]


def test_few_lines_where_little_time_passes(tmp_path, capsys):
    fit(tmp_path, every=1000, epochs=2, clock=Clock())
    told = capsys.readouterr().err
    assert told.count("validation:") == 2 and "batch" not in told


def test_a_bar_of_the_users_own_stays():
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False)
    before = list(trainer.callbacks)
    show_progress(trainer)
    assert trainer.callbacks == before  # none was wanted


def test_a_terminal_shows_the_number_of_batches(tone_corpus, tmp_path):
    """In a pseudo-terminal, as a person sees it."""
    options = [word for word in tiny_run(tone_corpus / "tones.csv", tmp_path / "run", "characters", epochs=2)]
    options[options.index("--trainer.enable_progress_bar") + 1] = "true"
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))  # rows, columns; pixels
    process = subprocess.Popen([sys.executable, "-m", "earsight", "train", *options], cwd=REPOSITORY, stdout=end,
                               stderr=subprocess.STDOUT)
    os.close(end)
    told = b""
    try:
        while piece := os.read(terminal, 65536):
            told += piece
    except OSError:  # the other end is closed
        pass
    assert process.wait() == 0, told.decode()
    shown = re.findall(rb"(Epoch|Validation)\b[^:\r]*:[^\r]*? ([1-9]\d*)/(\d+|\?) \[", told)
    assert {name for name, *_ in shown} == {b"Epoch", b"Validation"}
    assert [each for each in shown if not each[2].isdigit()] == []


def test_a_log_file_holds_no_bars(tone_corpus, tmp_path, capfd):
    options = [word for word in tiny_run(tone_corpus / "tones.csv", tmp_path / "run", "characters", epochs=2)]
    options[options.index("--trainer.enable_progress_bar") + 1] = "true"
    assert main(["train", *options]) == 0
    printed, said = capfd.readouterr()
    assert "\r" not in printed + said and "it/s" not in printed + said
    assert said.count("validation: val_loss") == 2
