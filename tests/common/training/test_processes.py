"""Several processes train what one does, see each clip once, and count errors together."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from jobs import seen, train, wait_until

from conftest import REPOSITORY, tiny_run
from earsight.common.checkpoint import read_checkpoint

EPOCHS = 3  # of `train`


@pytest.fixture(scope="module")
def runs(tone_corpus, tmp_path_factory):
    """The same recipe in one process and in two: folder, with what was printed, by number of processes."""
    folders = {}
    for devices in (1, 2):
        folders[devices] = tmp_path_factory.mktemp(f"processes{devices}")
        run = train(tone_corpus / "tones.csv", folders[devices], devices=devices)
        output = run.communicate(timeout=300)[0]
        assert run.returncode == 0, output
        (folders[devices] / "output.txt").write_text(output)
    return folders


def test_each_clip_is_seen_once_and_all_take_as_many_steps(runs):
    alone, first, second = seen(runs[1], 0), seen(runs[2], 0), seen(runs[2], 1)
    assert len(alone) == len(first) == len(second)
    assert any(weight == 0 for *_, weight in second)  # a batch of one clip
    for (epoch, step, ids, _), *shares in zip(alone, first, second, strict=True):
        assert all(share[:2] == [epoch, step] for share in shares)
        counted = [name for _, _, names, weight in shares if weight for name in names]
        assert sorted(counted) == sorted(ids)


def test_two_processes_learn_what_one_does(runs):
    one, two = (read_checkpoint(runs[devices] / "run" / "last.ckpt") for devices in (1, 2))
    assert one["global_step"] == two["global_step"]
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(two["state_dict"][name], value, atol=1e-4, rtol=1e-4)


def test_metrics_are_those_of_the_whole_set(runs):
    def metrics(devices):
        import csv

        with (runs[devices] / "run" / "logs" / "metrics.csv").open() as file:
            return [[float(row[name]) for name in ("val_wer", "val_cer", "val_loss")]
                    for row in csv.DictReader(file) if row["val_wer"]]

    one, two = metrics(1), metrics(2)
    assert len(one) == len(two) >= EPOCHS
    torch.testing.assert_close(torch.tensor(two), torch.tensor(one), atol=1e-3, rtol=1e-3)
    assert (runs[2] / "run" / "model.ckpt").is_file()


def test_a_process_that_dies_ends_the_job(tone_corpus, tmp_path):
    job = train(tone_corpus / "tones.csv", tmp_path, "--trainer.max_epochs", "100000", devices=2)
    other = tmp_path / "seen-1.jsonl"
    while not other.exists() or len(other.read_text().splitlines()) < 5:
        assert job.poll() is None, job.stdout.read()
        time.sleep(0.05)
    os.kill(int((tmp_path / "seen-1.pid").read_text()), signal.SIGKILL)
    output = job.communicate(timeout=120)[0]
    assert job.returncode == 1
    assert "error: another process of this job has died" in output, output


def wait_for_steps(job, folder, rank, steps):
    path = folder / f"seen-{rank}.jsonl"
    wait_until(lambda: path.exists() and len(path.read_text().splitlines()) >= steps, job)
    return int((folder / f"seen-{rank}.pid").read_text())


def is_alive(pid):
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ended(pids, seconds=20):
    end = time.monotonic() + seconds
    while any(map(is_alive, pids)) and time.monotonic() < end:
        time.sleep(0.1)
    return not any(map(is_alive, pids))


def family(pid):
    """A process and its descendants."""
    children = ""
    with suppress(FileNotFoundError, ProcessLookupError):  # one that has ended meanwhile
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *(each for child in children.split() for each in family(int(child)))]


@pytest.mark.parametrize("number, group", [(signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGINT, True)])
def test_two_processes_stop_together_and_go_on(number, group, tone_corpus, runs, tmp_path):
    """Told alone, as by a scheduler, or with their children, as by a terminal and by systemd."""
    job = train(tone_corpus / "tones.csv", tmp_path, "--data.workers", "1", devices=2, process_group=0)
    wait_for_steps(job, tmp_path, 1, 2)
    members = family(job.pid)
    assert len(members) >= 4  # with the loaders' workers
    (os.killpg if group else os.kill)(job.pid, number)
    begun = time.monotonic()
    output = job.communicate(timeout=60)[0]
    assert time.monotonic() - begun < 30, output  # a batch takes far less than a second, and Lightning's way never ends
    assert job.returncode == 128 + number and f"stopped by {number.name}; `--resume auto`" in output
    assert "Traceback" not in output and ended(members)
    saved = read_checkpoint(tmp_path / "run" / "resume.ckpt")["global_step"]
    assert saved == len(seen(tmp_path, 0)) == len(seen(tmp_path, 1))
    rest = train(tone_corpus / "tones.csv", tmp_path, "--resume", "auto", devices=2)
    output = rest.communicate(timeout=200)[0]
    assert rest.returncode == 0 and "resume.ckpt: the run goes on from there" in output, output
    ours, whole = (read_checkpoint(folder / "run" / "last.ckpt") for folder in (tmp_path, runs[2]))
    assert ours["global_step"] == whole["global_step"]
    for name, value in whole["state_dict"].items():
        torch.testing.assert_close(ours["state_dict"][name], value, atol=1e-5, rtol=1e-5)


def test_nobody_outlives_a_first_process_that_is_killed(tone_corpus, tmp_path):
    job = train(tone_corpus / "tones.csv", tmp_path, "--data.workers", "1", "--trainer.max_epochs", "100000", devices=2)
    wait_for_steps(job, tmp_path, 1, 2)
    members = family(job.pid)
    job.kill()
    job.communicate(timeout=60)
    assert len(members) >= 4 and ended(members)


def test_two_processes_say_nothing_of_sync_dist(runs):
    output = (runs[2] / "output.txt").read_text()
    assert "sync_dist" not in output and "Warning" not in output, output


def test_devices_and_strategies_that_are_not_there(tone_corpus, tmp_path):
    from earsight.common.errors import EarsightError
    from earsight.common.training.running import run_training

    def arguments(*options):
        return tiny_run(tone_corpus / "tones.csv", tmp_path, "characters", *options)

    with pytest.raises(EarsightError, match="(?i)cuda|gpu"):
        run_training(arguments("--trainer.accelerator", "gpu", "--trainer.devices", "2"))
    with pytest.raises(EarsightError, match="nothing_of_that_name"):
        run_training(arguments("--trainer.strategy", "nothing_of_that_name"))


def test_a_port_in_use(tone_corpus, tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        arguments = tiny_run(tone_corpus / "tones.csv", tmp_path, "characters", "--trainer.devices", "2",
                             "--trainer.strategy", "ddp")
        job = subprocess.run([sys.executable, "-m", "earsight", "train", *arguments], cwd=REPOSITORY, text=True,
                             capture_output=True, env={**os.environ, "MASTER_PORT": port}, timeout=120)
    assert job.returncode == 1 and f"error: port {port} is in use" in job.stderr, job.stderr


def test_torchrun_trains_and_goes_on(tone_corpus, tmp_path):
    arguments = tiny_run(tone_corpus / "tones.csv", tmp_path, "characters")[1:]
    environment = {**os.environ, "PROCESSES": "2", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def launch(epochs):
        return subprocess.run(["bash", str(REPOSITORY / "scripts" / "torchrun.sh"), *arguments, "--trainer.max_epochs",
                               str(epochs)], env=environment, capture_output=True, text=True, timeout=200)

    assert (done := launch(1)).returncode == 0, done.stderr
    steps = read_checkpoint(tmp_path / "last.ckpt")["global_step"]
    assert (done := launch(2)).returncode == 0, done.stderr
    assert "the run goes on from there" in done.stdout
    assert read_checkpoint(tmp_path / "last.ckpt")["global_step"] > steps
