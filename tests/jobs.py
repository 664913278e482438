"""Training jobs in processes of their own, for the tests that watch, stop and resume them."""

import json
import os
import subprocess
import sys
import time

from conftest import REPOSITORY, tiny_run

# All that draws random numbers: dropout, masks of frames, speed, and a loader in a process of its own.
RANDOM = ("--data.workers", "1", "--model.encoder.dropout", "0.3", "--model.head_dropout", "0.3",
          "--model.encoder.layers", "2", "--model.spectrum", "earsight.audio.augmentation.SpectrumSettings",
          "--data.augmentation.speed", "0.1", "--data.augmentation.noise", "0.5", "--save_every", "2")

# Logs what each process sees, beside the run. Lightning's observer, which kills all when one dies, looks at once: where
# it is still at work, that is seen in each run and not in one of many.
SPY = """
import json, os, sys
from lightning_fabric.strategies.launchers import subprocess_script
from earsight.common.nn import module
from earsight.app.main import main

subprocess_script._ChildProcessObserver.__init__.__defaults__ = (0.01,)

step = module.SequenceModel.training_step
def spied(self, batch, i):
    with open(f"{os.environ['SPY']}-{self.global_rank}.pid", "w") as file:
        file.write(str(os.getpid()))
    with open(f"{os.environ['SPY']}-{self.global_rank}.jsonl", "a") as file:
        print(json.dumps([self.current_epoch, i, batch.ids, batch.weight]), file=file)
    return step(self, batch, i)
module.SequenceModel.training_step = spied
sys.exit(main(sys.argv[1:]))
"""


def train(manifest, folder, *options, devices, epochs=3, **how):
    (folder / "spy.py").write_text(SPY)
    arguments = tiny_run(manifest, folder / "run", "characters", "--trainer.num_sanity_val_steps", "0",
                         "--trainer.devices", str(devices), *options, epochs=epochs)
    if devices > 1:
        arguments += ["--trainer.strategy", "ddp"]
    return subprocess.Popen([sys.executable, str(folder / "spy.py"), "train", *arguments], cwd=REPOSITORY,
                            env={**os.environ, "SPY": str(folder / "seen")},
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how)


def seen(folder, rank):
    return [json.loads(line) for line in (folder / f"seen-{rank}.jsonl").read_text().splitlines()]


def start(arguments):
    return subprocess.Popen([sys.executable, "-m", "earsight", "train", *arguments], cwd=REPOSITORY,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_until(condition, process):
    while not condition():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.005)
