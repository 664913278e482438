"""Make new sentences of words cut from others, so that a small corpus is not learnt by heart.

    python scripts/cut_words.py data/an4/train.jsonl.gz data/an4-words --model runs/an4-first/model.ckpt
    python scripts/splice_words.py data/an4-words/words.jsonl.gz data/an4-spliced --clips 2500 --seed 1

Each sentence takes its words from one speaker, in any order, each with its own clip's surroundings and brought to one
level. After aligned data augmentation (Lam et al., 2021). For stored cepstra.
"""

import argparse
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from lhotse import CutSet
from lhotse.cut import Cut
from tqdm import tqdm

from earsight.common.data.cuts import frames_cut, speaker_of, text_of
from earsight.common.data.datamodule import read_frames_cut
from earsight.common.data.manifest import read_manifest, write_manifest
from earsight.common.files import whole_file

MOST_WORDS = 8
JOIN = 2  # frames over which two words are blended


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", type=Path, nargs="+", help="manifests of words, from scripts/cut_words.py")
    parser.add_argument("destination", type=Path)
    parser.add_argument("--clips", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    words = [cut for manifest in arguments.words for cut in read_manifest(manifest)]
    rng = np.random.default_rng(arguments.seed)
    sentences = [sentence(words, rng) for _ in range(arguments.clips)]
    cuts = [write_sentence(f"spliced-{i:05d}", chosen, arguments.destination)
            for i, chosen in enumerate(tqdm(sentences, unit="clip", disable=None))]
    print(f"{len(cuts)} clips: {write_manifest(CutSet.from_cuts(cuts), arguments.destination / 'train.jsonl.gz')}")


def sentence(words: list[Cut], rng: np.random.Generator) -> list[Cut]:
    """Words of one speaker in random order; rare words come oftener than they do in the corpus."""
    counts = Counter(text_of(cut) for cut in words)
    by_speaker = defaultdict(list)
    for cut in words:
        by_speaker[speaker_of(cut)].append(cut)
    own = by_speaker[sorted(by_speaker)[rng.integers(len(by_speaker))]]
    weights = np.array([counts[text_of(cut)] ** -0.5 for cut in own])
    return [own[i] for i in rng.choice(len(own), rng.integers(1, MOST_WORDS + 1), p=weights / weights.sum())]


def write_sentence(identity: str, words: list[Cut], folder: Path) -> Cut:
    """Join the words' frames and write them."""
    parts = [read_frames_cut(cut) for cut in words]
    level = np.mean([part[:, 0].max() for part in parts])
    for part in parts:
        part[:, 0] += level - part[:, 0].max()
    frames = parts[0]
    for part in parts[1:]:
        share = np.linspace(0, 1, JOIN + 2, dtype=np.float32)[1:-1, None]
        blend = frames[-JOIN:] * (1 - share) + part[:JOIN] * share
        frames = np.concatenate([frames[:-JOIN], blend, part[JOIN:]])
    path = folder / "frames" / f"{identity}.npy"
    with whole_file(path) as temporary:
        np.save(temporary, frames, allow_pickle=False)
    return frames_cut(identity, path, shape=frames.shape, text=" ".join(text_of(cut) or "" for cut in words),
                      speaker=speaker_of(words[0]))


if __name__ == "__main__":
    main()
