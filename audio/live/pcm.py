"""Raw sound: 16-bit signed samples, the low byte first, mono."""

import numpy as np

BYTES = 2  # a sample


class PcmDecoder:
    """Bytes that come in pieces, which may end within a sample, to float32 (samples,) in [-1, 1)."""

    def __init__(self) -> None:
        self._rest = b""

    def __call__(self, sound: bytes) -> np.ndarray:
        sound = self._rest + sound
        whole = len(sound) // BYTES * BYTES
        self._rest = sound[whole:]
        return np.frombuffer(sound[:whole], "<i2").astype(np.float32) / 32768


def as_pcm(samples: np.ndarray) -> bytes:
    """The bytes that `PcmDecoder` made samples of; others are rounded, and clipped at full scale."""
    return np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes()
