"""How right the times of words are, recognised and aligned, beside the word boundaries that a manifest holds.

    python scripts/bench_times.py en-small data/grid/test.jsonl.gz
    python scripts/bench_times.py MODEL_FOLDER data/grid/dev.jsonl.gz --fit

A supervision's custom field `words` holds `[word, start, end]` in seconds, as `earsight prepare grid` writes it. Of the
recognised words those are compared that the alignment of least edits pairs with the same word. `--fit` stores in the
model folder what is to be added to starts and ends: the medians of the recognised words' errors, which make the mean
absolute error least. Fit on a development part.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from earsight.audio.corpora.importers import OPENERS
from earsight.audio.data import read_clip
from earsight.audio.recognition.aligning import Aligner
from earsight.common.data.cuts import text_of
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError
from earsight.common.inference.recognition import Word
from earsight.common.inference.transcribing import folder_transcriber
from earsight.common.metrics import align
from earsight.common.model_folder import write_config

Errors = list[tuple[float, float]]  # of a word's start and end, in seconds


def measure(aligner: Aligner, manifest: Path) -> tuple[dict[str, Errors], int]:
    """The errors of recognised and of aligned words, and how many words the manifest holds."""
    runtime, recogniser = aligner.runtime, aligner.recogniser
    transcriber = folder_transcriber(runtime)
    transcriber.timing = aligner.timing
    errors: dict[str, Errors] = {"recognised": [], "aligned": []}
    count = 0
    for cut in read_manifest(manifest, OPENERS):
        references = (cut.supervisions[0].custom or {}).get("words")
        if not references:
            raise EarsightError(f"{manifest}: clip {cut.id} has no times of its words")
        frames = recogniser.frames_of_samples(read_clip(cut, recogniser.sample_rate), recogniser.sample_rate)
        read = transcriber(runtime.outputs(frames), frames, len(frames) * runtime.config.frame_shift)
        errors["recognised"] += compared(references, read.words)
        errors["aligned"] += compared(references, aligner.align_frames(frames, text_of(cut), cut.id).transcript.words)
        count += len(references)
    return errors, count


def compared(references: Sequence[tuple[str, float, float]], words: Sequence[Word]) -> Errors:
    """The errors of the words that are right."""
    errors, i, j = [], 0, 0
    for edit in align([word for word, *_ in references], [word.text for word in words]):
        if edit.kind == "ok":
            errors.append((words[j].start - references[i][1], words[j].end - references[i][2]))
        i += edit.kind != "ins"
        j += edit.kind != "del"
    return errors


def summary(errors: Errors, count: int) -> str:
    """One line on starts, one on ends."""
    lines = []
    for what, values in zip(("starts", "ends"), np.array(errors).T):
        size = np.abs(values)
        lines.append(f"{what:6} mean absolute error {1000 * size.mean():3.0f} ms, "
                     f"within 120 ms {np.mean(size <= 0.12):6.1%}, worst {1000 * size.max():4.0f} ms, "
                     f"median error {1000 * np.median(values):+3.0f} ms")
    return "\n".join([f"{len(errors)} of {count} words", *lines])


def fit(aligner: Aligner, manifest: Path) -> None:
    """Store in the model folder what is added to starts and ends."""
    times = {"start": 0.0, "end": 0.0}
    for column, edge in enumerate(times):  # the ends last: words end where the next one starts at the latest
        aligner.timing = replace(aligner.timing, **times)
        errors, _ = measure(aligner, manifest)
        times[edge] = round(-float(np.median(np.array(errors["recognised"])[:, column])), 3)
    aligner.timing = replace(aligner.timing, **times)
    write_config(aligner.runtime.folder, replace(aligner.runtime.config, times=times))
    print(f"{aligner.runtime.folder}: start {times['start']:+} s, end {times['end']:+} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--fit", action="store_true")
    args = parser.parse_args()
    try:
        aligner = Aligner(args.model)
        if args.fit:
            fit(aligner, args.manifest)
        errors, count = measure(aligner, args.manifest)
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, values in errors.items():
        print(f"{name}: {summary(values, count)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
