"""Where live sound comes from: a sound file, raw samples in a file or pipe, the standard input, a microphone."""

import io
import queue
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...common.ahead import ahead, taken
from ...common.errors import EarsightError, first_line, require
from ...common.escaping import printable
from ..reading import open_blocks
from .pcm import BYTES, PcmDecoder

PIECE = 0.05  # seconds that come at once
RATES = (8000, 192000)  # Hz, the least and the most
PCM_RATE = 16000  # Hz, of the standard input where nothing is said
GONE = 3.0  # seconds without any sound, after which a microphone is taken to be unplugged
BEHIND = 30.0  # seconds of a microphone's sound that may wait to be read; more is lost
STDIN = "-"

Until = Callable[[], bool]


@dataclass(frozen=True)
class Source:
    """Mono sound that is still coming.

    Attributes:
        name: for the user.
        sample_rate: Hz.
        blocks: float32 (samples,) in [-1, 1], in order.
        endless: it goes on until the command is told to end.
    """

    name: str
    sample_rate: int
    blocks: Iterator[np.ndarray]
    endless: bool = False


def open_source(path: str | None, rate: int | None, device: str | None, wanted: int, until: Until) -> Source:
    """The source that a command line names.

    Args:
        path: a file, "-" for the standard input, None for a microphone.
        rate: Hz; a file is then raw 16-bit mono samples.
        device: of the microphone; see `microphone`.
        wanted: Hz, the rate that suits the recogniser.
        until: asked now and then; the sound ends once it says so.

    Raises:
        EarsightError: there is no such source; or, while sound is taken, it fails.
    """
    if path is None:
        if rate is not None:
            raise EarsightError("--rate goes with a file or - (raw samples); a microphone has a rate of its own")
        return microphone(device, wanted, until)
    if device is not None:
        raise EarsightError(f"{path}: a source beside --device; name one of them")
    if rate is not None and not RATES[0] <= rate <= RATES[1]:
        raise EarsightError(f"--rate {rate}: sound has {RATES[0]} to {RATES[1]} samples a second; correct it")
    if path == STDIN:
        if sys.stdin is None or sys.stdin.isatty():
            raise EarsightError("standard input: no sound comes there; pipe 16-bit mono samples into it "
                                f"(`arecord -t raw -f S16_LE -r {PCM_RATE} | earsight listen -`), or name a file")
        return raw("standard input", open(sys.stdin.fileno(), "rb", closefd=False), rate or PCM_RATE, until)
    if rate is not None:
        try:
            file = open(path, "rb")
        except OSError as error:
            raise EarsightError(f"{path}: cannot be read ({error.strerror}); check the path") from error
        return raw(path, file, rate, until)
    if Path(path).is_fifo():
        raise EarsightError(f"{path}: a pipe; tell with --rate how many 16-bit mono samples a second come there")
    rate, blocks = open_blocks(Path(path), wanted)
    return Source(path, rate, _while_not(until, in_pieces(blocks, rate)))


def raw(name: str, file: io.BufferedReader, rate: int, until: Until) -> Source:
    """16-bit mono samples, the low byte first, that a file or pipe has."""

    def blocks() -> Iterator[np.ndarray]:
        decode, any_sound = PcmDecoder(), False
        size = round(PIECE * rate) * BYTES
        for sound in ahead(iter(lambda: file.read1(size), b""), 4, until):
            samples = decode(sound)
            any_sound = any_sound or len(samples) > 0
            yield samples
        if not any_sound and not until():
            raise EarsightError(f"{name}: holds no sound (0 samples); 16-bit mono samples are expected")

    return Source(name, rate, blocks())


def microphone(device: str | None, wanted: int, until: Until) -> Source:
    """A microphone, at the wanted rate if it has that, else at its own.

    Args:
        device: number or part of the name, as `devices` tells them; None for the system's choice.
    """
    sounddevice = _sounddevice()
    chosen: int | str | None = int(device) if device and device.isdecimal() else device
    try:
        info: Any = sounddevice.query_devices(chosen, "input")
    except (sounddevice.PortAudioError, ValueError) as error:
        name = "no microphone" if device is None else f"microphone {device}: not there"
        raise EarsightError(f"{name} ({_reason(error)}); plug one in, or choose another with --device "
                            "(`earsight listen --list-devices` tells what there is)") from error
    name = f"microphone {printable(str(info['name']))}"
    heard: queue.Queue = queue.Queue()
    lost = 0

    def take(samples: np.ndarray, _frames: int, _time: Any, status: Any) -> None:
        nonlocal lost
        late = heard.qsize() * PIECE > BEHIND
        lost += bool(status.input_overflow) or late
        if not late:
            heard.put(samples[:, 0].astype(np.float32) / 32768)  # whole numbers: no driver makes NaN of them

    def begun(rate: int) -> Any:
        stream = sounddevice.InputStream(samplerate=rate, blocksize=round(PIECE * rate), device=chosen, channels=1,
                                         dtype="int16", callback=take)
        stream.start()
        return stream

    rate, own = wanted, int(info["default_samplerate"])
    try:
        try:
            stream = begun(rate)
        except sounddevice.PortAudioError:
            if own == rate:
                raise
            stream = begun(rate := own)
    except sounddevice.PortAudioError as error:
        raise EarsightError(f"{name}: cannot be opened ({_reason(error)}); another program may have it: close that, or "
                            "choose another with --device") from error

    def blocks() -> Iterator[np.ndarray]:
        try:
            while (first := taken(heard, until, GONE)) is not None:
                # What came meanwhile comes with it: who is late does not stay late.
                yield np.concatenate([first, *(heard.get() for _ in range(heard.qsize()))])
            if not until():
                raise EarsightError(f"{name}: gave no sound for {GONE:g} s; it was unplugged, or its driver stopped: "
                                    "plug it in, and begin again")
        finally:
            stream.abort()
            stream.close()
            if lost:
                print(f"warning: {name}: sound was lost {lost} times; this machine is too busy", file=sys.stderr)

    return Source(name, rate, blocks(), endless=True)


def devices() -> list[str]:
    """The microphones that there are, a line each: number, name, channels and rate; a star at the system's choice."""
    sounddevice = _sounddevice()
    own = sounddevice.default.device[0]
    lines = [f"{'*' if number == own else ' '} {number:3} {printable(str(info['name']))} "
             f"({info['max_input_channels']} channels, {info['default_samplerate']:g} Hz)"
             for number, info in enumerate(sounddevice.query_devices()) if info["max_input_channels"] > 0]
    if not lines:
        raise EarsightError("no microphone: PortAudio finds none; plug one in (in a container: give it /dev/snd)")
    return lines


def in_pieces(blocks: Iterable[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    """The same sound as it comes from a microphone, little by little: so a file is read as if it were said."""
    size = round(PIECE * rate)
    for block in blocks:
        yield from (block[i:i + size] for i in range(0, len(block), size))


def _while_not(until: Until, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for block in blocks:
        if until():
            return
        yield block


def _sounddevice() -> Any:
    try:
        return require("sounddevice", "live")
    except EarsightError as error:
        if isinstance(error.__cause__, OSError):
            raise EarsightError("PortAudio, by which microphones are heard, is not installed or cannot be loaded: "
                                "install it (Debian: apt install libportaudio2; macOS: brew install portaudio)"
                                ) from error
        raise


def _reason(error: Exception) -> str:
    return first_line(error).removeprefix("Error ")
