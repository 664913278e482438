"""Sound files in any codec that PyAV writes, for the tests of readers."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from earsight.audio.reading import read
from earsight.common.errors import EarsightError


def encode(
    path, samples, rate, codec, *, layout="mono", format=None, options=None, codec_options=None, video=None
):
    """Write `samples` with PyAV, the same in each channel; `video`: a codec for pictures beside the sound."""
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        pictures = None
        if video:
            pictures = container.add_stream(video, rate=10)
            pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        stream = container.add_stream(codec, rate=rate, options=codec_options or {})
        stream.layout = layout
        if pictures:
            rng = np.random.default_rng(0)
            for _ in range(round(10 * len(samples) / rate)):
                frame = av.VideoFrame.from_ndarray(
                    rng.integers(0, 255, (64, 64, 3), np.uint8), format="rgb24"
                )
                container.mux(pictures.encode(frame))
        channels = av.AudioLayout(layout).nb_channels
        frame = av.AudioFrame.from_ndarray(np.repeat(samples, channels)[None], format="flt", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if pictures:
            container.mux(pictures.encode(None))
    return path


def speechlike(rate: int, seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    """Bursts of low-passed noise: a signal with energy below 1 kHz whose place in time can be told."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(rate * seconds)) / rate
    tones = rng.uniform(150, 1000, 12)
    burst = sum(np.sin(2 * np.pi * tone * time + rng.uniform(0, 6)) for tone in tones) / 24
    return (burst * (0.1 + 0.9 * (np.sin(2 * np.pi * 1.3 * time) > 0))).astype(np.float32)


# How to write each format: name, codec and what else `encode` takes. Without a codec, soundfile writes it.
WRITTEN = {
    "clip.wav": {},
    "clip.flac": {},
    "clip.ogg": {},
    "clip.aiff": {},
    "clip.caf": {},
    "clip.au": {},
    "clip.w64": {},
    "clip.opus": {"codec": "libopus"},
    "clip.mp3": {"codec": "libmp3lame"},
    "clip.m4a": {"codec": "aac"},
    "fast.m4a": {"codec": "aac", "options": {"movflags": "faststart"}},
    "clip.aac": {"codec": "aac", "format": "adts"},
    "clip.mka": {"codec": "aac"},
    "clip.wma": {"codec": "wmav2", "codec_options": {"b": "64k"}},
    "clip.mp4": {"codec": "aac", "video": "mpeg4"},
    "h264.mp4": {"codec": "aac", "video": "libx264"},
    "fast.mp4": {"codec": "aac", "video": "mpeg4", "options": {"movflags": "faststart"}},
    "live.mp4": {"codec": "aac", "video": "mpeg4", "options": {"movflags": "frag_keyframe+empty_moov"}},
    "clip.mov": {"codec": "aac", "video": "mpeg4"},
    "clip.mkv": {"codec": "aac", "video": "mpeg4"},
    "clip.webm": {"codec": "libopus", "video": "libvpx"},
    "clip.avi": {"codec": "libmp3lame", "video": "mpeg4"},
    "clip.ts": {"codec": "aac", "video": "mpeg2video"},
    "clip.flv": {"codec": "aac", "video": "flv"},
}


def write(folder: Path, name: str, samples: np.ndarray, rate: int) -> Path:
    path = folder / name
    settings = dict(WRITTEN[name])
    if "codec" in settings:
        return encode(path, samples, rate, **settings)
    soundfile.write(path, samples, rate)
    return path


def refused(path, *words, function=read) -> None:
    """Reading fails with one line that names the file and holds `words`."""
    with pytest.raises(EarsightError) as caught:
        function(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    for word in words:
        assert word in message
    # What is wrong, then what to do about it.
    assert ";" in message or "):" in message
