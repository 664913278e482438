"""Commands end soon after they are told to, and keep what they have done."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import REPOSITORY, tone, write_hours, write_wav

HOURS = 6  # of sound: more than any command is through with before it is told to end
SOON = 6.0  # seconds; a fraction of one as a rule, and a minute for who first ends what it has begun


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    path = write_hours(tmp_path_factory.mktemp("long") / "long.wav", HOURS)
    yield path
    path.unlink()


def start(*arguments, **how):
    return subprocess.Popen([sys.executable, "-m", "earsight", *map(str, arguments)], cwd=REPOSITORY, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)


def reads(process, clip):
    """Wait until it is at work: until it has read more of the clip than it reads ahead."""
    def place():
        for number in os.listdir(f"/proc/{process.pid}/fd"):
            with suppress(FileNotFoundError):  # closed meanwhile
                if os.readlink(f"/proc/{process.pid}/fd/{number}") == str(clip):
                    return int(Path(f"/proc/{process.pid}/fdinfo/{number}").read_text().split()[1])
        return 0

    while place() < 10 * 60 * 8000:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def tell(process, number):
    """Tell it to end; seconds that this took, and what it had still to say."""
    assert process.poll() is None, process.communicate()
    process.send_signal(number)
    begun = time.monotonic()
    try:
        said = process.communicate(timeout=120)
    finally:
        process.kill()
    return time.monotonic() - begun, *said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_ends_a_command(number, long_clip):
    process = start("transcribe", "--model", "en-small", long_clip)
    reads(process, long_clip)
    took, _, errors = tell(process, number)
    assert took < SOON and process.returncode == 128 + number and errors == f"error: stopped by {number.name}\n"


@pytest.mark.parametrize("command", ["classify", "align"])
def test_other_commands_end(command, long_clip, tmp_path):
    process = start(command, long_clip, *(["--timeline"] if command == "classify" else ["one two three four"]),
                    "--output", tmp_path / "out")
    reads(process, long_clip)
    took, _, errors = tell(process, signal.SIGINT)
    assert took < SOON and process.returncode == 130 and errors == "error: stopped by SIGINT\n"
    assert not any(tmp_path.rglob("*.*"))


# Sends this process a signal as soon as it loads the command line.
EARLY = """
import os, signal, sys

class Early:
    def find_spec(self, name, *_):
        if name == "earsight.app.main":
            os.kill(os.getpid(), int(os.environ["EARLY"]))

sys.meta_path.insert(0, Early())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("entry", [["-m", "earsight"], [str(Path(sys.executable).with_name("earsight"))]])
def test_a_command_that_is_still_being_loaded_ends_quietly(entry, number, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(EARLY)
    done = subprocess.run([sys.executable, *entry, "models"], cwd=REPOSITORY, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(tmp_path), "EARLY": str(int(number))}, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")


# A library in C that is told of the signal while it is being loaded.
SWALLOWS = """
import os, signal, sys

class Swallows:
    def find_spec(self, name, *_):
        if name == "onnxruntime":
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                for _ in range(1000):
                    pass
            except BaseException:
                raise ImportError("initialization failed") from None

sys.meta_path.insert(0, Swallows())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_command_line_is_read(number):
    script = """
import os, signal, sys
import earsight.app.main as main

read = main.parser
main.parser = lambda *given: (os.kill(os.getpid(), int(sys.argv[1])), read(*given))[1]
sys.exit(main.main(["models"]))
"""
    told = subprocess.run([sys.executable, "-c", script, str(int(number))], text=True, capture_output=True, timeout=60)
    assert (told.returncode, told.stdout, told.stderr) == (128 + number, "", f"error: stopped by {number.name}\n")


def test_a_signal_while_an_object_is_thrown_away():
    """Python drops what a `__del__` raises, and would print a traceback."""
    script = """
import os, signal, sys, time
import earsight.app.main as main

class Thrown:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

def read(*given):
    Thrown()
    time.sleep(60)

main.parser = read
sys.exit(main.main(["models"]))
"""
    told = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, timeout=50)
    assert (told.returncode, told.stderr) == (143, "error: stopped by SIGTERM\n")


def test_a_signal_that_a_library_made_an_error_of(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SWALLOWS)
    clip = write_wav(tmp_path / "clip.wav", tone(440, 1.0))
    done = subprocess.run([sys.executable, "-m", "earsight", "transcribe", clip], cwd=REPOSITORY, capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}, timeout=60)
    assert (done.returncode, done.stderr) == (143, "error: stopped by SIGTERM\n")


def test_a_stopped_transcription_goes_on(long_clip, tmp_path):
    process = start("transcribe", "--model", "en-small", long_clip, "--output", tmp_path)
    partial = tmp_path / ".long.txt.partial.jsonl"
    while not partial.exists() or partial.read_bytes().count(b"\n") < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    took, _, errors = tell(process, signal.SIGTERM)
    assert took < SOON and process.returncode == 143
    assert errors == f"error: stopped by SIGTERM; what was heard is kept in {tmp_path}, and the same command goes on\n"
    lines = partial.read_text().splitlines(keepends=True)
    assert len(lines) >= 4 and all(json.loads(line) for line in lines if line.endswith("\n"))
    assert os.listdir(tmp_path) == [partial.name]


def test_a_pipe_that_is_closed_ends_the_command(long_clip, tmp_path):
    """`earsight transcribe ... | head -1`: the next line has nowhere to go, and a long clip is still at work."""
    copies = [write_wav(tmp_path / f"{i}.wav", tone(440, 1.0)) for i in range(20)]
    with start("transcribe", "--model", "en-small", *copies, long_clip) as process:
        assert process.stdout.readline().startswith(str(copies[0]))
        process.stdout.close()
        begun = time.monotonic()
        assert process.wait(timeout=120) == 141 and process.stderr.read() == ""
        assert time.monotonic() - begun < SOON


def test_a_signal_that_is_ignored_stays_so(long_clip):
    """As nohup and `command &` in a script have it."""
    process = start("transcribe", "--model", "en-small", long_clip,
                    preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    reads(process, long_clip)
    process.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert process.poll() is None
    assert tell(process, signal.SIGTERM)[0] < SOON and process.returncode == 143


BUSY = """
import signal, sys, threading, time
from earsight.common import signals
from earsight.common.files import whole_file

def work():
    with whole_file(sys.argv[1]) as temporary:
        temporary.write_text("half")
        print("ready", flush=True)
        time.sleep(600)

with signals.ending_when_told():
    threading.Thread(target=work).start()
    while True:
        try:
            time.sleep(600)
        except signals.Stopped:
            pass  # a library that takes no notice
"""


def test_who_takes_no_notice_is_ended(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", BUSY, str(tmp_path / "out.txt")], text=True, cwd=REPOSITORY,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    took, _, errors = tell(process, signal.SIGTERM)
    assert took < SOON and process.returncode == 143 and errors == "error: stopped by SIGTERM\n"
    assert not os.listdir(tmp_path)  # what was half-written is gone
