"""Sound and frames of a corpus: what a manifest refers to where it lies, and what is converted beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from ...common.data.cuts import Said, clip_files, frames_cut, frames_of, recording_cut, video_of
from ...common.data.openers import Openers
from ...common.data.shards import load_frames
from ...common.files import whole_file
from .. import reading

if TYPE_CHECKING:
    from lhotse.cut import Cut

RATE = 16000  # Hz, of the sound that is converted

# Suffixes of sound that lhotse loads just as `audio.reading` does. Decoders disagree about an mp3's length,
# so one is left to lhotse only where lhotse measured it.
REFERRED = (".wav", ".flac", ".ogg", ".aif", ".aiff", ".npy")
LHOTSE_READS = (*REFERRED, ".mp3", ".opus", ".sph")


def sound_cut(identity: str, path: Path, **said: Unpack[Said]) -> Cut:
    """A cut of the whole of a sound file where it lies; `said` as in `recording_cut`, English by default."""
    info = reading.info(path)
    said.setdefault("language", "en")
    return recording_cut(
        identity,
        path,
        sample_rate=info.sample_rate,
        num_samples=info.frames,
        channels=info.channels,
        **said,
    )


def write_flac(samples: np.ndarray, path: Path, sample_rate: int = RATE) -> None:
    """Write mono sound as 16-bit FLAC, whole or not at all."""
    import soundfile

    with whole_file(path) as temporary:
        soundfile.write(temporary, samples, sample_rate, format="FLAC", subtype="PCM_16")


def write_frames(frames: np.ndarray, path: Path) -> None:
    """Write frames (time, feature) as float32 `.npy`, whole or not at all."""
    with whole_file(path) as temporary:
        np.save(temporary, frames.astype(np.float32), allow_pickle=False)


def in_place(cut: Cut, destination: Path, referred: tuple[str, ...] = REFERRED) -> Cut:
    """The cut itself if training can read its file; else a cut of its part converted into `destination`."""
    if video_of(cut) is not None:
        return cut
    frames = frames_of(cut)
    if frames is not None and frames.is_in_memory:
        values = load_frames(cut)
        path = destination / "frames" / f"{_file_name(cut.id)}.npy"
        write_frames(values, path)
        made = frames_cut(cut.id, path, shape=values.shape, frame_shift=frames.frame_shift)
    else:
        files = clip_files(cut)
        if len(files) != 1 or files[0].suffix.lower() in referred:
            return cut
        waveform = reading.read(files[0])
        first = round(cut.start * waveform.sample_rate)
        samples = waveform.samples[first : first + round(cut.duration * waveform.sample_rate)]
        path = destination / "audio" / f"{_file_name(cut.id)}.flac"
        write_flac(samples, path, waveform.sample_rate)
        made = recording_cut(cut.id, path, sample_rate=waveform.sample_rate, num_samples=len(samples))
    said = replace(cut.supervisions[0], recording_id=cut.id, channel=0, duration=made.duration)
    return replace(made, supervisions=[said])


def _file_name(identity: str) -> str:
    return identity.replace("%", "%25").replace("/", "%2F")  # two ids never make one name


OPENERS = Openers(
    sound=reading.info,
    frames=reading.read_frames,
    suffixes=(*reading.SOUND_SUFFIXES, *reading.FRAME_SUFFIXES),
    settle=in_place,
)
