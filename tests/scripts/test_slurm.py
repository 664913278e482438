"""`scripts/slurm.sh` under SLURM, of which this machine is the one node."""

import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import REPOSITORY, tiny_run

DAEMONS = ("munged", "slurmctld", "slurmd")
PATIENCE = 600  # seconds: tests' machines are busy
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def daemon(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[dict[str, str]]:
    """A cluster of this machine alone, all of it in one folder; the environment in which its commands find it."""
    if missing := [name for name in DAEMONS if not daemon(name)]:
        pytest.skip(f"needs SLURM (Debian: apt install slurm-wlm munge); {', '.join(missing)} not found")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    (folder / "slurm.conf").write_text(CONFIGURATION.format(
        host=socket.gethostname().partition(".")[0], user=pwd.getpwuid(os.getuid()).pw_name, folder=folder,
        ports=free_ports(2), cores=len(os.sched_getaffinity(0))))
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    munge = [f"--{kind}={folder}/munge.{kind.partition('-')[0]}" for kind in ("socket", "key-file", "pid-file",
                                                                             "log-file", "seed-file")]
    commands = [[daemon("munged"), "--foreground", "--force", *munge], [daemon("slurmctld"), "-D"],
                [daemon("slurmd"), "-D", "-N", socket.gethostname().partition(".")[0]]]
    with open(folder / "log", "w") as log:
        started = [subprocess.Popen(command, env=environment, stdout=log, stderr=log) for command in commands]
    try:
        wait_for(lambda: " idle" in told(environment, "sinfo", "--noheader", "--format", "%n %t"), folder)
        yield environment
    finally:
        told(environment, "scancel", "--full", "--user", str(os.getuid()))
        while told(environment, "squeue", "--noheader"):
            time.sleep(0.2)
        for process in reversed(started):
            process.terminate()
            process.wait(60)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def told(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60).stdout


def wait_for(condition, folder: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "".join(path.read_text()[-3000:] for path in folder.glob("*log*"))
        time.sleep(0.2)


def test_a_job_that_is_stopped_is_queued_again_and_goes_on(slurm, tone_corpus, tmp_path):
    run, log = tmp_path / "run", tmp_path / "job.log"
    arguments = tiny_run(tone_corpus / "tones.csv", run, "characters", "--trainer.check_val_every_n_epoch", "5",
                         epochs=20)
    environment = {**slurm, "PATH": f"{Path(sys.executable).parent}:{slurm['PATH']}"}
    job = told(environment, "sbatch", "--parsable", "--ntasks-per-node", "2", "--cpus-per-task", "1", "--overcommit",
               "--chdir", str(tmp_path), "--output", str(log), "--open-mode", "append",
               str(REPOSITORY / "scripts" / "slurm.sh"), *arguments[1:]).strip()
    assert job.isdecimal()

    def of_job(name: str) -> str:
        return re.search(rf"\b{name}=(\S+)", told(slurm, "scontrol", "show", "job", job))[1]

    wait_for(lambda: (run / "last.ckpt").exists(), tmp_path)
    # As SLURM does it when the time is nearly up (--signal=B:TERM@120): to the batch script alone.
    told(slurm, "scancel", "--batch", "--signal=TERM", job)
    wait_for(lambda: of_job("Restarts") == "1", tmp_path)
    first = log.read_text()
    assert "stopped by SIGTERM; `--resume auto` goes on from what was saved" in first and "Killed" not in first
    wait_for(lambda: of_job("JobState") not in ("RUNNING", "PENDING", "COMPLETING"), tmp_path)
    second = log.read_text().removeprefix(first)
    assert of_job("JobState") == "COMPLETED" and of_job("Restarts") == "1", second
    assert "MEMBER: 2/2" in first and "MEMBER: 2/2" in second
    assert "the run goes on from there" in second and (run / "model.ckpt").exists()


def test_a_job_that_fails_is_not_queued_again(slurm, tmp_path):
    log = tmp_path / "job.log"
    environment = {**slurm, "PATH": f"{Path(sys.executable).parent}:{slurm['PATH']}"}
    done = subprocess.run(["sbatch", "--wait", "--cpus-per-task", "1", "--chdir", tmp_path, "--output", log,
                           REPOSITORY / "scripts" / "slurm.sh", "--config", "missing.yaml"], env=environment,
                          timeout=PATIENCE)
    assert done.returncode not in (0, 143) and "missing.yaml" in log.read_text()
