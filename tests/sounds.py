"""Sound files in any codec that PyAV writes, for the tests of readers."""

from fractions import Fraction

import av
import numpy as np


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
