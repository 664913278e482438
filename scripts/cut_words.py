"""Cut the words out of sentences, for new sentences made of them (scripts/splice_words.py) or a classifier of words.

    python scripts/cut_words.py data/an4/train.jsonl.gz data/an4-words --model runs/an4-first/model.ckpt

Where a manifest knows its words' times (GRID), these are taken; else a CTC model with phones aligns each clip with its
text. Sound stays where it is; of stored frames the word's are written.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torchaudio
from lhotse import CutSet
from lhotse.cut import Cut
from tqdm import tqdm

from earsight.audio.corpora.importers import OPENERS
from earsight.audio.data import read_clip
from earsight.audio.model import SpeechModel, load_model
from earsight.common.data.cuts import frames_cut, speaker_of, text_of
from earsight.common.data.datamodule import make_batch, read_frames_cut
from earsight.common.data.manifest import read_manifest, write_manifest
from earsight.common.errors import EarsightError
from earsight.common.files import whole_file
from earsight.common.labels import BLANK, BOUNDARY

EDGE = 0.15  # seconds kept before a word's first phone and after its last, where no other word is nearer
LONGEST, SHORTEST = 1.2, 0.15  # seconds; what is beyond was not aligned well

Word = tuple[str, float, float]  # the word, its start and its end in seconds


def main() -> None:
    arguments = _arguments()
    wanted = set(arguments.words.split(",")) if arguments.words else None
    model = load_model(arguments.model) if arguments.model else None
    cuts = []
    for cut in tqdm(read_manifest(arguments.manifest, OPENERS), unit="clip", disable=None):
        for number, (word, start, end) in enumerate(word_times(cut, model)):
            if (wanted is None or word in wanted) and SHORTEST <= end - start <= LONGEST:
                cuts.append(word_cut(cut, f"{cut.id}-{number}", word, start, end, arguments.destination))
    print(f"{len(cuts)} words: {write_manifest(CutSet.from_cuts(cuts), arguments.destination / 'words.jsonl.gz')}")


def word_times(cut: Cut, model: SpeechModel | None) -> Iterator[Word]:
    """The words of a clip with their times, as its manifest tells them or the model aligns them."""
    known = (cut.supervisions[0].custom or {}).get("words")
    if known:
        yield from ((word, start, end) for word, start, end in known)
        return
    if model is None:
        raise EarsightError(f"{cut.id}: its manifest has no times of words; give --model, a CTC model with phones")
    text = text_of(cut) or ""
    if not text:
        return
    targets = model.labels.encode(text)
    with torch.inference_mode():
        clip = read_clip(cut, model.frontend.sample_rate)
        log_probs, _ = model.predict_step(make_batch([(cut, clip)]))
        path, _ = torchaudio.functional.forced_align(log_probs, torch.tensor([targets]), blank=BLANK)
    yield from _words_on_path(text.split(), path[0].numpy(), model, cut.duration)


def _words_on_path(words: list[str], path: np.ndarray, model: SpeechModel, duration: float) -> Iterator[Word]:
    """Times of words on a CTC alignment (time,): half-way to its neighbours' phones, at most `EDGE` from its own."""
    boundary = model.labels.symbols.index(BOUNDARY)
    shift = model.frontend.frame_shift * model.encoder.stride
    # Phones between two boundary symbols are one word's; a symbol may hold for several frames.
    word_of = np.cumsum((path == boundary) & (np.roll(path, 1) != boundary))
    spoken = (path != BLANK) & (path != boundary)
    phones = [np.flatnonzero(spoken & (word_of == i)) * shift for i in range(len(words))]
    for i, word in enumerate(words):
        before = (phones[i - 1][-1] + phones[i][0]) / 2 if i else 0.0
        after = (phones[i][-1] + phones[i + 1][0]) / 2 if i + 1 < len(words) else duration
        yield word, max(before, phones[i][0] - EDGE), min(after, phones[i][-1] + shift + EDGE)


def word_cut(cut: Cut, identity: str, word: str, start: float, end: float, folder: Path) -> Cut:
    """One word of a clip as a clip of its own."""
    if cut.has_recording:
        part = cut.truncate(offset=start, duration=end - start).with_id(identity)
        said = part.supervisions[0]
        said.text, said.custom, said.start, said.duration = word, {"label": word}, 0.0, part.duration
        return part
    shift = cut.frames.frame_shift
    frames = read_frames_cut(cut)[round(start / shift):round(end / shift)]
    path = folder / "frames" / f"{identity}.npy"
    with whole_file(path) as temporary:
        np.save(temporary, frames, allow_pickle=False)
    return frames_cut(identity, path, shape=frames.shape, frame_shift=shift, text=word, label=word,
                      speaker=speaker_of(cut))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("destination", type=Path, help="folder of the words' manifest and frames")
    parser.add_argument("--words", help="which words, with commas between them (default: all)")
    parser.add_argument("--model", type=Path, help="checkpoint of a CTC model with phones, for clips without times")
    return parser.parse_args()


if __name__ == "__main__":
    main()
