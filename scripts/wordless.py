"""Short sounds with empty texts: bursts of noise, and beginnings of clips too short to hold a word.

    python scripts/wordless.py data/wordless data/fsdd/train.jsonl.gz data/grid/train.jsonl.gz --clips 800 --seed 1

Trained on with these, a model of few words stays silent where a door falls or the sound has hardly begun. Half the
clips are beginnings of the given manifests' clips (25 to 100 ms, and no word is as short), half are of the kinds of
`audio.noise_clips`: single bursts, and such with pauses between them. For clips that are stored as sound.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
from lhotse import CutSet
from tqdm import tqdm

from earsight.audio.data import read_clip
from earsight.audio.noise_clips import noise_clips
from earsight.common.data.cuts import recording_cut
from earsight.common.data.manifest import read_manifest, write_manifest
from earsight.common.files import whole_file

RATE = 16000  # Hz
BEGINNING = (0.025, 0.1)  # seconds
BURST = (0.03, 1.0)
MOST_BURSTS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("destination", type=Path)
    parser.add_argument("manifests", type=Path, nargs="+", help="of clips, from `earsight prepare`")
    parser.add_argument("--clips", type=int, default=800)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    spoken = [cut for manifest in arguments.manifests for cut in read_manifest(manifest) if cut.has_recording]
    rng = np.random.default_rng(arguments.seed)
    chosen = [spoken[i] for i in rng.integers(len(spoken), size=arguments.clips // 2)]
    noises = noise_clips(arguments.clips - len(chosen), RATE, arguments.seed)
    sounds = [*(beginning(read_clip(cut, RATE), rng) for cut in chosen), *(bursts(noise, rng) for noise in noises)]
    cuts = []
    for i, sound in enumerate(tqdm(sounds, unit="clip", disable=None)):
        path = arguments.destination / "audio" / f"wordless-{i:04d}.wav"
        with whole_file(path) as temporary:
            soundfile.write(temporary, sound, RATE, format="WAV", subtype="PCM_16")
        cuts.append(recording_cut(path.stem, path, sample_rate=RATE, num_samples=len(sound), text="", speaker="noise"))
    print(f"{len(cuts)} clips: {write_manifest(CutSet.from_cuts(cuts), arguments.destination / 'train.jsonl.gz')}")


def beginning(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return samples[:round(RATE * rng.uniform(*BEGINNING))]


def bursts(noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The noise (samples,), or one burst of it, or several with pauses between them, no longer than the noise."""
    length = round(RATE * rng.uniform(*BURST))
    if (most := rng.integers(0, MOST_BURSTS + 1)) < 2:
        return noise[:length] if most else noise
    pause = np.zeros(round(length * rng.random()), dtype=np.float32)
    parts = [part for i in range(most) for part in (noise[i * length:(i + 1) * length], pause)]
    return np.concatenate(parts)[:len(noise)]


if __name__ == "__main__":
    main()
