"""Films of drawn faces with sound: a tone of its own pitch for each letter that they say, and for a space."""

from pathlib import Path

import av
import numpy as np
from drawn_faces import FRAMES, speaking

RATE = 25  # pictures a second
SAMPLE_RATE = 16000
PITCHES = {" ": 150.0, "a": 320.0, "o": 900.0, "i": 2400.0}  # Hz


def tones(text: str) -> np.ndarray:
    """What `speaking(text)` sounds like, (samples,): a tone while a letter's mouth is open."""
    each = SAMPLE_RATE // RATE
    parts = []
    for letter in f".{text}.":
        time = np.arange(FRAMES * each) / SAMPLE_RATE
        pitch = PITCHES.get(letter)
        parts += [0.3 * np.sin(2 * np.pi * pitch * time) if pitch else 0 * time, np.zeros(3 * each)]
    return np.concatenate(parts).astype(np.float32)


def write_talking(path: Path, text: str, shift: float = 0.0, late: float = 0.0, said: str | None = None,
                  pictures: bool = True, black: bool = False) -> Path:
    """A film of a face that says a text aloud.

    Args:
        late: seconds by which its sound comes too late (below 0: too early).
        said: another text that is heard.
        pictures: without, sound alone.
        black: nothing is to be seen.
    """
    frames = speaking(text, shift)
    samples = tones(text if said is None else said)
    by = round(late * SAMPLE_RATE)
    samples = np.pad(samples, (max(by, 0), 0))[max(-by, 0):]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=RATE) if pictures else None
        sound = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
        if video:
            video.height, video.width = frames[0].shape[:2]
            video.pix_fmt = "bgr0"
            for frame in frames:
                image = np.zeros_like(frame) if black else frame
                container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(video.encode())
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path
