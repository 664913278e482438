"""Where the words of a manifest's clips stand, by the forced alignment of another system: pocketsphinx.

    python scripts/sphinx_times.py data/mine/dev.jsonl.gz data/mine/dev-times.jsonl.gz

What it writes is for scripts/bench_times.py. Clips with a word that pocketsphinx's dictionary lacks are left out, as
are those in which its search does not find their text. Needs pip install pocketsphinx, which brings its English model.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from pocketsphinx import Decoder

from earsight.audio.corpora.importers import OPENERS
from earsight.audio.data import read_clip
from earsight.common.data.cuts import text_of
from earsight.common.data.manifest import read_manifest, write_manifest
from earsight.common.errors import EarsightError

RATE, FRAME = 16000, 0.01  # Hz; seconds of pocketsphinx's frames


def aligned(decoder: Decoder, samples: np.ndarray, text: str) -> list[tuple[str, float, float]] | None:
    """The words of `text` with start and end in seconds; None where they are not found in the samples at RATE."""
    decoder.set_align_text(text)
    decoder.start_utt()
    decoder.process_raw((32767 * np.clip(samples, -1, 1)).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    found = [(piece.word.split("(")[0], piece.start_frame * FRAME, (piece.end_frame + 1) * FRAME)
             for piece in decoder.seg() or () if not piece.word.startswith(("<", "["))]
    return found if [word for word, _, _ in found] == text.split() else None


def main(source: str, destination: str) -> int:
    decoder, kept, count = Decoder(samprate=RATE, loglevel="FATAL"), [], 0
    try:
        for cut in read_manifest(source, OPENERS):
            text = (text_of(cut) or "").lower()
            count += 1
            if not text or any(decoder.lookup_word(word) is None for word in text.split()):
                continue
            if words := aligned(decoder, read_clip(cut, RATE), text):
                said = replace(cut.supervisions[0], custom={"words": [list(word) for word in words]})
                kept.append(replace(cut, supervisions=[said]))
        write_manifest(kept, Path(destination))
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{destination}: {len(kept)} of {count} clips")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 3 else __doc__)
