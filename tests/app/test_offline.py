"""No command talks to anybody, and none writes into the home directory."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY, tiny_run

# Notes each connection that Python code opens, its libraries' threads included.
GUARD = """
import os, sys

def note(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        with open(os.environ["CONNECTIONS"], "a") as file:
            print(event, arguments[1:] if event != "socket.getaddrinfo" else arguments, file=file)

sys.addaudithook(note)
"""

# matplotlib's list of fonts, which takes seconds to make, is kept where XDG says; nothing of the user's is in it.
ALLOWED = re.compile(r"\.(cache|config)/matplotlib/")

# The address that `serve` listens at is a number already: nobody is asked for it.
OWN = re.compile(r"socket\.getaddrinfo \('127\.0\.0\.1',")


def commands(folder, corpus, run, model):
    manifest, clip = corpus / "tones.csv", corpus / "text/02.wav"
    return {
        "transcribe": ["transcribe", clip],
        "classify": ["classify", clip],
        "explain": ["explain", clip, "--output", folder / "picture.png"],
        "align": ["align", clip, "lo mi hi", "--model", model],
        "listen": ["listen", clip, "--format", "jsonl", "--subtitles", folder / "live.srt"],
        "watch": ["watch", REPOSITORY / "scripts/films/push-ups.mp4"],
        "serve": ["serve", "--port", "0", "--jobs", "1", "--model", "en-small"],
        "prepare": ["prepare", "csv", manifest, folder / "prepared"],
        "check": ["check", manifest],
        "train": ["train", *tiny_run(manifest, folder / "run", "characters", "--trainer.max_epochs", "2")],
        "evaluate": ["evaluate", model, manifest, "--json", folder / "figures.json"],
        "predict": ["predict", "--model", run / "model.ckpt", manifest, "--output", folder / "words.jsonl"],
        "export": ["export", run / "model.ckpt", folder / "model"],
        "tune": ["tune", *tiny_run(manifest, folder / "run", "characters")[1:], "--trials", "1", "--study",
                 folder / "study", "--space", "model.optimiser.learning_rate=log(1e-3,1e-2)"],
        "tune-decoder": ["tune-decoder", model, manifest, "--output", folder / "tuned"],
        "lm": ["lm", manifest, "--output", folder / "lm.arpa"],
        "pack": ["models", "pack", model, folder / "model.zip"],
        "models": ["models"],
        "doctor": ["doctor"],
    }


def inner(pid):
    """The process that strace has started, and follows."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@pytest.mark.parametrize("name", commands(*[REPOSITORY] * 4))
def test_no_connection_and_nothing_in_the_home_directory(name, tone_corpus, tone_runs, tone_models, tmp_path):
    home, guard, seen, trace = (tmp_path / part for part in ("home", "guard", "connections", "trace"))
    home.mkdir(), guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD)
    arguments = commands(tmp_path, tone_corpus, tone_runs["ctc"], tone_models["ctc"])[name]
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith(("XDG_", "MPLCONFIG", "ORT_")) and key != "CI"}
    environment |= {"HOME": str(home), "PYTHONPATH": str(guard), "CONNECTIONS": str(seen)}
    strace = shutil.which("strace")
    watch = [strace, "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o",
             str(trace)] if strace else []
    process = subprocess.Popen([*watch, sys.executable, "-m", "earsight", *map(str, arguments)], cwd=REPOSITORY,
                               env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if name == "serve":  # it has its workers by now, and would go on for ever
        assert process.stdout.readline().startswith("earsight serves")
        os.kill(inner(process.pid) if strace else process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    noted = seen.read_text().splitlines() if seen.exists() else []
    assert [line for line in noted if not OWN.match(line)] == []
    written = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    assert [path for path in written if not ALLOWED.match(path)] == []
    if not strace:
        pytest.skip("strace is not installed: what libraries in C++ open was not counted")
    assert [line for line in trace.read_text().splitlines() if "AF_INET" in line] == []


def test_who_wants_to_be_watched_is_not():
    """ONNX Runtime takes 0, an empty text and all it does not know for a yes."""
    for given in ("0", "", "off"):
        code = "import os, earsight; print(os.environ['ORT_DISABLE_TELEMETRY'])"
        done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "ORT_DISABLE_TELEMETRY": given},
                              cwd=REPOSITORY, capture_output=True, text=True, check=True)
        assert done.stdout == "1\n"
