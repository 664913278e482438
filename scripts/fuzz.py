"""Looks for input that is met by something else than a result or an `EarsightError`: damaged files, odd arguments.

    pip install atheris==2.3.0                              # for Python 3.11; 3.0.0 for later ones
    python scripts/fuzz.py all --minutes 60                 # divided among the targets by what they are worth
    python scripts/fuzz.py sound --minutes 5 --seed 2
    python scripts/fuzz.py arguments --minutes 60           # hypothesis, without atheris
    python scripts/fuzz.py sound --input FILE               # one input again

Each target begins with valid input, made on the fly, changes it guided by coverage (atheris, libFuzzer), and calls the
public function that reads such a thing. The first byte of an input chooses how the rest is read. What is found goes to
DIR/findings/TARGET/, one folder for each kind of error and place in this project: the input, and a traceback. A process
that crashes, takes too long or too much memory is a finding if it does so again with that input alone; another one goes
on. Inputs that reach something new are kept in DIR/TARGET, and are where the next run begins. The end is a table.

Coverage is that of the project's own Python: what libav, libsndfile or KenLM do with an input is not seen, but whether
they live through it.
"""

from __future__ import annotations

import argparse
import faulthandler
import gzip
import importlib.util
import io
import json
import os
import pickle
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
LONGEST = 10.0  # seconds of the processor that an input may take
WALL = 300.0  # seconds by the clock, of a machine with other work
MEMORY = 2 << 30  # bytes that an input may take
LIMIT = 3  # exit status of a process whose input took too much memory


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes:
        seeds: material -> valid inputs, each behind its first byte.
        read: material, a folder to write to, the first byte, the rest -> nothing.
        mutate: bytes, their utmost number, a seed -> other bytes; None leaves that to libFuzzer.
        worth: share of the time of `all`.
    """

    seeds: Callable[[Path], Iterator[bytes]]
    read: Callable[[Path, Path, int, bytes], object]
    mutate: Callable[[bytes, int, int], bytes] | None = None
    worth: float = 1.0


# Material: clips and models, made once


def make_material(folder: Path) -> Path:
    """Clips, tables and models, which seeds are made of and which inputs name."""
    if (folder / "whole").exists():
        return folder
    import numpy as np
    import series_models
    from films import sliding, write_film
    from ngram_models import sentences
    from small_models import exported
    from sounds import speechlike
    from sounds import write as write_sound

    from earsight.common.decoding.ngrams.making import make_model

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    shutil.copy(write_sound(folder, "clip.wav", speechlike(8000, 0.3), 8000), folder / "other.wav")
    write_film(folder / "film.mkv", sliding(6, (48, 64)), 8)
    np.save(folder / "frames.npy", rng.standard_normal((40, 6)).astype(np.float32))
    exported(folder / "ctc")
    exported(folder / "classes", streams=(3, 3))
    series_models.trained(folder, epochs=1)
    series_models.export_checkpoint(folder / "run" / "model.ckpt", folder / "series")
    texts = [" ".join(words) for words in sentences(60, 12)]
    texts += ["a b c ab ba cab"] * 3
    for name in ("words.arpa", "words.bin"):
        make_model(texts, 3, folder / name)
    make_model(["abc cab", "bca a"], 3, folder / "letters.arpa", characters=True)
    (folder / "table.csv").write_text("path,text,speaker\nclip.wav,a b,x\nother.wav,b,y\n")
    (folder / "labels.csv").write_text("path,label\nclip.wav,a\nother.wav,b\n")
    (folder / "words.txt").write_text("ab a b\nba b a\nc\n")
    write_manifests(folder)
    (folder / "whole").touch()
    return folder


def write_manifests(folder: Path) -> None:
    """Manifests of the material, in each of the ways in which a cut is described."""
    from earsight.app.media import openers
    from earsight.common.data.manifest import read_manifest, write_manifest

    (folder / "all.csv").write_text("path,text,label,start,duration,frame_shift\nclip.wav,a b,,0,0.2,\n"
                                    "frames.npy,ab,x,,,0.01\nfilm.mkv,,x,,,\n")
    for name in ("table", "labels", "all"):
        write_manifest(read_manifest(folder / f"{name}.csv", openers()), folder / f"{name}.jsonl")
    write_manifest(read_manifest(folder / "table.csv", openers()), folder / "table.jsonl.gz")


def placed(folder: Path, name: str, content: bytes) -> Path:
    """A file of an input."""
    path = folder / name
    path.write_bytes(content)
    return path


# Sound and films


def sound_seeds(material: Path) -> Iterator[bytes]:
    import soundfile
    from sounds import WRITTEN, speechlike, write

    with tempfile.TemporaryDirectory() as folder:
        for name in WRITTEN:
            rate = 48000 if "opus" in str(WRITTEN[name]) else 16000
            content = write(Path(folder), name, speechlike(rate, 0.12), rate).read_bytes()
            yield from (bytes([choice]) + content for choice in (0, 1))
        for format, subtype in (("WAV", "FLOAT"), ("WAV", "PCM_24"), ("WAV", "PCM_U8"), ("WAV", "ULAW"),
                                ("WAV", "IMA_ADPCM"), ("WAVEX", "PCM_16"), ("RF64", "PCM_16"), ("W64", "PCM_16"),
                                ("AIFF", "FLOAT"), ("AU", "ALAW"), ("CAF", "ALAC_16"), ("NIST", "PCM_16")):
            held = io.BytesIO()
            soundfile.write(held, speechlike(8000, 0.1), 8000, format=format, subtype=subtype)
            yield b"\3" + held.getvalue()
        wav = Path(folder, "clip.wav").read_bytes()
        yield b"\0" + wav + wav


def read_sound(material: Path, folder: Path, choice: int, content: bytes) -> None:
    from earsight.audio.reading import ReadingOptions, announced_duration, each_channel, info, open_blocks, read
    from earsight.video.content import has_pictures

    if choice & 4:
        content = with_checksums(content)
    path = placed(folder, "clip.wav", content)
    options = ReadingOptions(damaged=("refuse", "skip")[choice & 1], channels=("mix", 1)[choice >> 1 & 1],
                             longest=(None, 60.0)[choice >> 3 & 1], track=(None, 1)[choice >> 4 & 1])
    has_pictures(path)
    announced_duration(path)
    if choice & 32:
        info(path)
    if choice & 64:
        each_channel(path, replace(options, channels="split"))
    if choice & 128:
        read(path, 16000, replace(options, longest=60.0))
    else:  # as files are read that no memory holds
        _, blocks = open_blocks(path, 16000, options)
        for _ in islice(blocks, 1000):
            pass


def with_checksums(content: bytes) -> bytes:
    """Ogg pages with checksums as they should be: else nearly every change is no more than a damaged page."""
    from earsight.audio.reading.ogg import _checksum

    mended, place = bytearray(content), 0
    while (place := content.find(b"OggS", place)) >= 0 and place + 27 <= len(content):
        table = content[place + 27:place + 27 + content[place + 26]]
        end = place + 27 + len(table) + sum(table)
        mended[place + 22:place + 26] = bytes(4)
        mended[place + 22:place + 26] = _checksum(bytes(mended[place:end])).to_bytes(4, "little")
        place += 4
    return bytes(mended)


def film_seeds(material: Path) -> Iterator[bytes]:
    import av
    from films import sliding
    from sounds import WRITTEN, speechlike, write

    with tempfile.TemporaryDirectory() as folder:
        for name in ("clip.mp4", "h264.mp4", "fast.mp4", "live.mp4", "clip.mov", "clip.mkv", "clip.webm", "clip.avi",
                     "clip.ts", "clip.flv"):
            rate = 48000 if "opus" in str(WRITTEN[name]) else 16000
            yield b"\0" + write(Path(folder), name, speechlike(rate, 0.4), rate).read_bytes()
        for name, codec, pixels in (("a.gif", "gif", "rgb8"), ("a.avi", "mjpeg", "yuvj420p"),
                                    ("a.mp4", "mpeg4", "yuv420p"), ("a.mpg", "mpeg2video", "yuv420p"),
                                    ("a.wmv", "wmv2", "yuv420p")):
            with av.open(str(Path(folder, name)), "w") as container:
                stream = container.add_stream(codec, rate=25)
                stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
                for image in sliding(5, (48, 64)):
                    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
            yield b"\1" + Path(folder, name).read_bytes()
    yield b"\2" + (material / "film.mkv").read_bytes()


def read_film(material: Path, folder: Path, choice: int, content: bytes) -> None:
    from earsight.video.content import has_pictures
    from earsight.video.corpora.files import OPENERS
    from earsight.video.reading import probe, read_frames, sample

    path = placed(folder, "film.mp4", content)
    has_pictures(path)
    if choice & 1:
        probe(path)
    if choice & 2:
        for _ in islice(read_frames(path), 100):
            pass
    elif choice & 4 and OPENERS.video:
        OPENERS.video(path)
    else:
        lag, start, end = (None, 0.2)[choice >> 3 & 1], (0.0, 0.1)[choice >> 4 & 1], (None, 0.3)[choice >> 5 & 1]
        for _ in islice(sample(path, 5.0, lag, start=start, end=end), 100):
            pass


# Arrays and tables


def frames_seeds(material: Path) -> Iterator[bytes]:
    import numpy as np

    for kind, shape in (("<f4", (8, 3)), (">f8", (4, 2)), ("<f2", (3, 3)), ("<i4", (6, 2)), ("<U3", (2, 2)),
                        ("<f4", (5,))):
        held = io.BytesIO()
        np.save(held, np.zeros(shape).astype(kind))
        yield b"\0" + held.getvalue()
    yield b"\1" + (26).to_bytes(4, "big") + bytes(4 * 26)
    held = io.BytesIO()
    np.savez(held, np.zeros(3))
    yield b"\2" + held.getvalue()


def read_stored_frames(material: Path, folder: Path, choice: int, content: bytes) -> None:
    from earsight.app.media import openers
    from earsight.audio.reading import read_frames
    from earsight.common.data.openers import look_at_frames
    from earsight.common.series.reading import read_series

    path = placed(folder, f"clip.{('npy', 'mfc')[choice & 1]}", content)
    for read in (read_frames, partial(look_at_frames, openers=openers()), *([] if choice & 1 else [read_series])):
        tried(read, path)


def table_seeds(material: Path) -> Iterator[bytes]:
    for text in ("path,text\nclip.wav,a b\nother.wav,c\n", "path;label;speaker\nclip.wav;x;me\nfilm.mkv;y;you\n",
                 "sep=|\npath|text|start|duration|id\nclip.wav|a|0.1|0.1|one\n\"clip.wav\"|b|0|0.1|two\n",
                 "path\tlabel\tgroup\tsplit\tframe_shift\nframes.npy\tx\tg\ttrain\t.1\nframes.npy\ty\th\ttest\t.2\n",
                 ",path,text\n0,clip.wav,a\n1,other.wav,b\n", "\ufeffpath,text\r\nclip.wav,\"a, b\"\r\n"):
        yield from (bytes([choice]) + text.encode() for choice in (0, 1))
    yield b"\2" + "path,text\nclip.wav,a\n".encode("utf-16")


def read_clip_table(material: Path, folder: Path, choice: int, content: bytes) -> None:
    from earsight.app.media import openers
    from earsight.common.data.manifest import read_manifest

    path = placed(folder, f"clips.{('csv', 'tsv')[choice >> 1 & 1]}", content)
    link_clips(material, folder)
    look_at(read_manifest(path, openers(), [] if choice & 1 else None))
    check_clips(path)


def link_clips(material: Path, folder: Path) -> None:
    for name in ("clip.wav", "other.wav", "film.mkv", "frames.npy"):
        if not (folder / name).exists():
            (folder / name).symlink_to(material / name)


def look_at(cuts: Any) -> None:
    """What training, evaluation and `prepare` ask of cuts."""
    from earsight.common.data import cuts as looks

    for cut in cuts:
        for look in (looks.text_of, looks.label_of, looks.speaker_of, looks.group_of, looks.video_of, looks.film_of):
            look(cut)


def check_clips(path: Path) -> None:
    """`earsight check`."""
    from earsight.app.media import openers
    from earsight.audio.checking import SoundCheck
    from earsight.common.data.checking import check_files
    from earsight.video.checking import VideoCheck

    for report in check_files([path], openers(), {"sound": SoundCheck(None), "video": VideoCheck()}).values():
        report.text()


def manifest_seeds(material: Path) -> Iterator[bytes]:
    for name in ("table", "labels", "all"):
        text = (material / f"{name}.jsonl").read_bytes()
        yield from (bytes([choice]) + text for choice in (0, 1, 4))
    yield b"\2" + (material / "table.jsonl.gz").read_bytes()


def read_cuts(material: Path, folder: Path, choice: int, content: bytes) -> None:
    from earsight.app.media import openers
    from earsight.common.data.manifest import describe, read_manifest, write_manifest
    from earsight.common.data.manifest_files import with_manifests

    if choice & 1:
        content = gzip.compress(content, 1)
    path = placed(folder, f"clips.jsonl{'.gz' if choice & 3 else ''}", content)
    if choice & 4:
        tried(with_manifests, [path], [])
        tried(describe, path)
    cuts = read_manifest(path, openers(), [] if choice & 8 else None)
    look_at(cuts)
    tried(write_manifest, cuts, folder / "written.jsonl")
    check_clips(path)


def series_seeds(material: Path) -> Iterator[bytes]:
    import numpy as np
    from series_models import swing, write_long

    for text in ("@problemName x\n@timeStamps false\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n2,?,4:5,6,NaN:b\n",
                 "@timestamps true\n@classlabel true a b\n@data\n(0,1),(1,2):(0,3),(2,4):a\n(0,1),(1,2):(0,3):b\n",
                 "@timeStamps true\n@data\n(2024-05-31 10:00:00,1),(2024-05-31 10:00:01,2)\n"):
        yield b"\0" + text.encode()
    for text in ("@relation x\n@attribute t0 numeric\n@attribute t1 numeric\n@attribute label {a,b}\n@data\n1,2,a\n"
                 "3,?,b\n",
                 "@relation x\n@attribute m relational\n@attribute t0 numeric\n@end m\n@attribute class {a,b}\n@data\n"
                 "'1,2\\n3,4',a\n'5,6\\n7,8',b\n"):
        yield b"\1" + text.encode()
    for arrays in ({"X": np.zeros((2, 3, 2)), "y": np.array(["a", "b"]), "times": np.arange(3.0)},
                   {"X_train": np.zeros((2, 3)), "y_train": np.arange(2), "X_test": np.ones((1, 3)),
                    "y_test": np.arange(1), "channels": np.array(["l"])}):
        held = io.BytesIO()
        np.savez(held, **arrays)
        yield b"\2" + held.getvalue()
    held = io.BytesIO()
    np.save(held, np.zeros((2, 4, 1)))
    yield b"\x12" + held.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        swings = {"one": (swing("left", 6), "left"), "two": (swing("right", 5), "right")}
        long = write_long(Path(folder, "a.csv"), swings).read_bytes()
    yield from (bytes([choice]) + long for choice in (3, 0x13, 0x23, 0x33))
    yield b"\3time_ms;l;r\n0;1;2\n100;;3\n300;4;5\n"
    yield b"\3label,a_0,a_1,a_2,a_3,a_4,a_5,a_6,a_7\nx,1,2,3,4,5,6,7,8\ny,1,2,3,4,5,6,7,\n"


def read_series_table(material: Path, folder: Path, choice: int, content: bytes) -> None:
    import earsight
    from earsight.app.media import openers
    from earsight.common.data.manifest import read_manifest
    from earsight.common.series.reading import TableOptions, is_table, read_series

    if choice & 3 == 2 and choice & 16:  # an archive that is whole, of an array that is not
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as archive:
            archive.writestr("X.npy", content)
        content = held.getvalue()
    path = placed(folder, f"clip.{('ts', 'arff', 'npz', 'csv')[choice & 3]}", content)
    is_table(path)
    options = {"layout": ("auto", "auto", "long", "wide")[choice >> 4 & 3], "labelled": not choice & 64}
    if choice & 4:
        options |= {"series": "rec", "time": "clock", "label": "label", "unit": "ms"}
    tried(read_series, path, TableOptions(**options))
    tried(earsight.classify, path, material / "series")
    if choice & 8:
        look_at(read_manifest(path, openers(), []))


# Texts


def lm_seeds(material: Path) -> Iterator[bytes]:
    for name in ("words.arpa", "words.bin", "letters.arpa"):
        yield from (bytes([choice]) + (material / name).read_bytes() for choice in (0, 1))


def read_language_model(material: Path, folder: Path, choice: int, content: bytes) -> None:
    import numpy as np

    from earsight.common.decoding.decoders import Decoder
    from earsight.common.decoding.ngrams.reading import words_of_lm
    from earsight.common.decoding.options import DecodingOptions
    from earsight.common.labels import Labels

    path = placed(folder, "lm", content)
    tried(words_of_lm, path)
    lexicon = str(placed(folder, "words", b"ab\nba\nc\ncab\nw1 a b\n")) if choice & 1 else ""
    labels = Labels("characters", ("<blank>", "a", "b", "c", " "))
    decoder = Decoder(labels, DecodingOptions("beam", beam=8, lm=str(path), lexicon=lexicon))
    log_probs = np.log(np.random.default_rng(choice).dirichlet(np.ones(5), 12)).astype(np.float32)
    decoder(log_probs)


def text_seeds(material: Path) -> Iterator[bytes]:
    for text in ("ab a b\nba b a\nc c\nab b\n", "ab\nba\n# no\n", "\ufeffab A B\r\nc\tC\r\n", "Straße s t\n",
                 "a b c\nb a c\n"):
        yield from (bytes([choice]) + text.encode() for choice in range(3))
    yield b"\2" + "ab a b\n".encode("utf-16")


def read_texts_of(material: Path, folder: Path, choice: int, content: bytes) -> None:
    from earsight.app.service.settings import read_keys
    from earsight.audio.recognition.aligning import Aligner, read_text
    from earsight.common.data.texts import read_texts
    from earsight.common.decoding.lexicon import read_spellings
    from earsight.common.decoding.ngrams.making import make_model, read_words
    from earsight.common.labels import Labels, build_labels, read_lexicon
    from earsight.common.recipes import read_yaml

    path = placed(folder, "text.txt", content)
    characters = Labels("characters", ("<blank>", "a", "b", "c", " "))
    phones = Labels("phones", ("<blank>", " ", "a", "b", "A", "B"), {"ab": [("a", "b")]})
    for call in (partial(read_spellings, path, characters), partial(read_spellings, path, phones),
                 partial(read_lexicon, path), partial(read_words, path), partial(read_keys, path),
                 partial(build_labels, "phones", ["ab ba"], path), partial(read_yaml, path)):
        tried(call)
    texts = tried(read_texts, [path])
    if texts and choice & 1:
        tried(make_model, texts, 2, folder / "made.arpa", choice & 2 == 2, 3 if choice & 4 else None)
        tried(make_model, texts, 3, folder / "made.bin", False, None, 0.01)
    if choice & 2:
        said = tried(read_text, str(path))
        if said:
            aligner = tried(Aligner, material / "ctc", path if choice & 8 else None)
            tried((aligner or Aligner(material / "ctc")).align, material / "frames.npy", said[:200])


# What programs write: models, and what is left for the next run


def config_seeds(material: Path) -> Iterator[bytes]:
    from earsight.common.model_folder import package_models

    for choice, name in enumerate(("ctc", "classes", "series")):
        yield bytes([choice]) + (material / name / "config.json").read_bytes()
    for folder in package_models().values():
        if (content := (folder / "config.json").read_bytes())[1 << 14:] == b"":
            yield b"\3" + content


def read_model(material: Path, folder: Path, choice: int, content: bytes) -> None:
    import earsight
    from earsight.audio.recognition.recogniser import SpeechRecogniser
    from earsight.common.data.checking import model_options
    from earsight.common.decoding.options import decoding_options
    from earsight.common.model_folder import read_config
    from earsight.common.series.recognition import SeriesRecogniser

    model = folder / "model"
    model.mkdir(exist_ok=True)
    placed(model, "config.json", content)
    config = read_config(model)
    tried(decoding_options, model, config.decoding, {})
    tried(model_options, model)
    kind = choice & 3
    for name in ("encoder.onnx", "frontend.onnx"):
        (model / name).unlink(missing_ok=True)
        source = material / ("ctc", "classes", "series", "ctc")[kind] / name
        (model / name).symlink_to(source)
    if kind == 2:
        tried(SeriesRecogniser, model)
        tried(earsight.classify, material / "train.csv", model)
    for task, call in (("ctc", earsight.transcribe), ("classification", earsight.classify)):
        if config.task == task:
            tried(call, material / "frames.npy", model)
            tried(SpeechRecogniser, model, task)


def state_seeds(material: Path) -> Iterator[bytes]:
    from earsight.common.inference.recognition import Transcript, Utterance, Word
    from earsight.common.inference.segmenting import Stretch

    yield b"\0" + json.dumps({"sources": ["/a"], "clips": "x", "views": 2}).encode()
    shard = {"cuts": ["cuts.000000.jsonl.gz", 3, "x"], "recording": ["recording.000000.tar", 3, "y"]}
    yield b"\1" + json.dumps({"shards": [{"files": shard, "clips": 1}]}).encode()
    yield b"\2" + json.dumps({"source": "/a", "sha256": "0" * 64}).encode()
    heard = Utterance(0.0, 1.0, Transcript("", "a", 1.0, "m", 0.5, (Word("a", 0.0, 0.1, 0.5),)))
    entry = {"place": asdict(Stretch(0, 1, 0, 1)), "utterance": asdict(heard)}
    yield b"\3" + b"".join(json.dumps(each).encode() + b"\n" for each in ({"key": 1}, entry, entry))


def read_state(material: Path, folder: Path, choice: int, content: bytes) -> None:
    from earsight.app.learning.state import State
    from earsight.common.data.shards import ShardCuts, read_index
    from earsight.common.inference.journal import Journal
    from earsight.common.model_folder import describe_models

    kind = choice & 3
    if kind == 0:
        state = State.read(placed(folder, "state.json", content))
        state.with_sources(["/a"], True, folder)
    elif kind == 1:
        for name in ("cuts.000000.jsonl.gz", "recording.000000.tar"):
            placed(folder, name, b"abc")
        placed(folder, "shards.json", content)
        list(ShardCuts(read_index(folder)))
    elif kind == 2:
        model = Path(os.environ["EARSIGHT_MODELS"], "model")
        shutil.copytree(material / "ctc", model, dirs_exist_ok=True)
        placed(model, "origin.json", content)
        describe_models()
    else:
        journal = Journal(placed(folder, "journal", content), {"key": 1})
        try:
            journal.open()
        finally:
            journal.close()


def archive_seeds(material: Path) -> Iterator[bytes]:
    import tarfile

    from earsight.common.model_archives import pack

    with tempfile.TemporaryDirectory() as folder:
        pack(str(material / "ctc"), Path(folder, "model.zip"))
        yield b"\0" + Path(folder, "model.zip").read_bytes()
        for mode in ("w", "w:gz"):
            with tarfile.open(Path(folder, "model.tar"), mode) as archive:
                archive.add(material / "ctc", "model")
            yield b"\0" + Path(folder, "model.tar").read_bytes()


def read_archive(material: Path, folder: Path, choice: int, content: bytes) -> None:
    from earsight.common.inference.runtime import Runtime
    from earsight.common.model_archives import pull

    pull("pulled", str(placed(folder, "archive", content)))
    Runtime("pulled").outputs(np_frames(material))


@lru_cache(1)
def np_frames(material: Path) -> Any:
    import numpy as np

    return np.load(material / "frames.npy")


def tried(call: Callable, *given: Any) -> Any:
    """What a call gives; None where it refuses: another one may take the input yet."""
    from earsight.common.errors import EarsightError

    try:
        return call(*given)
    except EarsightError as error:
        str(error)
        return None


# Other bytes

ODD_TOKENS = [
    "", "0", "-1", "-0", "1e999", "-1e999", "nan", "NaN", "inf", "1e-320", "1e308", "2147483648", "9" * 30, "9" * 5000,
    "0x10", "1_0", "٣", "²", "true", "null", "\0", "\ufeff", "\u2028", "é", "A\u0301", "\U0001f600", "a" * 3000, '"',
    "'", ",", ":", ";", "|", "\\", "?", "#", "%", "..", "/", "<unk>", "<s>", "</s>", "@data", "@end", "\\data\\",
    "\\end\\", "2024-05-31 10:00:00", "0001-01-01", "9999-12-31T23:59:59-23:59"]
ODD_VALUES = [
    None, True, False, 0, -1, 1, 2, 0.5, -0.5, 1e308, 1e-300, float("inf"), float("nan"), 2**31, 2**63, 10**400, "",
    "a", "\0", "\ud800", "nan", "1", "../x", "a" * 3000, [], {}, [None], [[]], [0, 1], {"a": None}, ["a", "b"], [1.5]]
BREAKS = re.compile(r"([\s,:;|(){}\[\]\"'=]+)")


def mutate_text(data: bytes, most: int, seed: int) -> bytes:
    """Words, cells and lines taken for others; now and then bytes."""
    import atheris

    draw = random.Random(seed)
    if draw.random() < 0.3:
        return atheris.Mutate(data, most)
    text = data[1:].decode("utf-8", "surrogateescape")
    for _ in range(draw.choice((1, 1, 2, 4))):
        text = draw.choice((change_word, change_word, change_lines))(text, draw)
    first = bytes([draw.randrange(256)]) if draw.random() < 0.1 else data[:1]
    return (first + text.encode("utf-8", "surrogateescape"))[:most]


def change_word(text: str, draw: random.Random) -> str:
    words = BREAKS.split(text)
    place = draw.randrange(len(words))
    words[place] = draw.choice(ODD_TOKENS) if draw.random() < 0.7 else draw.choice(words)
    return "".join(words)


def change_lines(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    place = draw.randrange(len(lines)) if lines else 0
    kept, other, odd = lines[place:place + 1], draw.choice(lines or [""]), draw.choice(ODD_TOKENS) + "\n"
    lines[place:place + 1] = draw.choice(([], kept * 2, [other], [*kept, other], [odd, *kept]))
    return "".join(lines)


def mutate_json(data: bytes, most: int, seed: int) -> bytes:
    """Values of the JSON in a text, or in one of its lines, taken for others; now and then words or bytes."""
    draw = random.Random(seed)
    text = data[1:].decode("utf-8", "replace")
    lines = [text] if text.lstrip().startswith("{\n") or "\n" not in text.strip() else text.split("\n")
    place = draw.randrange(len(lines))
    try:
        plain = json.loads(lines[place])
    except (ValueError, RecursionError):
        return mutate_text(data, most, seed)
    if draw.random() < 0.15:
        return mutate_text(data, most, seed)
    for _ in range(draw.choice((1, 1, 2, 3))):
        plain = with_other_value(plain, draw)
    changed = json.dumps(plain)
    if draw.random() < 0.01:
        changed = changed.replace("null", "[" * 3000, 1)
    lines[place] = changed
    first = bytes([draw.randrange(256)]) if draw.random() < 0.1 else data[:1]
    return (first + "\n".join(lines).encode("utf-8", "replace"))[:most]


def with_other_value(plain: Any, draw: random.Random) -> Any:
    """JSON of which one value is another, or is gone, or is there twice."""
    if not isinstance(plain, dict | list) or not plain or draw.random() < 0.1:
        return deepcopy(draw.choice(ODD_VALUES))
    key = draw.choice(list(plain) if isinstance(plain, dict) else range(len(plain)))
    if draw.random() < 0.1:
        del plain[key]
    elif draw.random() < 0.1:
        other = draw.choice(list(plain.values()) if isinstance(plain, dict) else plain)
        plain[key] = deepcopy(other)
    else:
        plain[key] = with_other_value(plain[key], draw)
    return plain


# Arguments


def argument_calls(material: Path, folder: Path) -> dict[str, tuple[Any, Callable[..., object]]]:
    """Public functions by name: how their arguments are drawn, and what is called with them."""
    import numpy as np
    from hypothesis import strategies as st

    import earsight
    from earsight.app.service import running
    from earsight.app.service.settings import Settings
    from earsight.audio.reading import ReadingOptions, info, open_blocks, read
    from earsight.audio.recognition.aligning import Aligner
    from earsight.common.decoding.hotwords import parse_hotword
    from earsight.common.decoding.ngrams.making import make_model
    from earsight.common.series.reading import TableOptions, read_series
    from earsight.common.texts import TextForm
    from earsight.video.reading import probe, read_frames, sample

    def usual(*values: Any) -> Any:
        """Values that serve, mostly; else anything."""
        return st.one_of(st.sampled_from(values), st.sampled_from(values), anything)

    def some(**each: Any) -> Any:
        """Some of the arguments."""
        return st.fixed_dictionaries({}, optional=each)

    def every(optional: dict[str, Any] | None = None, **each: Any) -> Any:
        return st.fixed_dictionaries(each, optional=optional or {})

    numbers = st.one_of(st.integers(-3, 8), st.integers(), st.floats(), st.booleans())
    texts = st.text(st.characters(exclude_characters="/~"), max_size=8)
    anything = st.one_of(
        st.none(), numbers, texts, st.binary(max_size=4), st.lists(st.text(max_size=4), max_size=2),
        st.complex_numbers(), st.tuples(st.integers()), st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
        st.sampled_from([b"\xff", np.float32(2), np.array([1, 2]), range(3), "a" * 300, "\ud800", 10**400]))
    counts = st.one_of(numbers, st.sampled_from([1, 2, 2**31, 2**63, 10**400]))
    floats, spans = st.floats(), st.one_of(st.none(), st.floats())

    names = ("clip.wav", "film.mkv", "frames.npy", "table.csv", "all.jsonl", "words.txt", "words.arpa", "train.csv")
    files = [material / name for name in names]
    named = st.sampled_from([*files, Path("missing"), material])
    paths = usual(*files, *map(str, files), material, "missing")
    models = usual(material / "ctc", material / "classes", material / "series", "en-small", "digits", None, material)
    languages = usual(material / "words.arpa", material / "letters.arpa")
    decoding = {
        "decoder": usual("greedy", "beam"), "beam": usual(1, 5), "beam_threshold": usual(5.0, 0.1), "lm": languages,
        "lexicon": usual(material / "words.txt"), "lm_weight": usual(1.0), "word_score": usual(0.0),
        "hotwords": usual(["ab:3"], ["a b", "c:1e300"], []), "n_best": usual(1, 3)}
    columns = st.one_of(st.sampled_from(["rec", "clock", "l", "label", ""]), texts)

    cells = st.one_of(st.floats(width=32), st.integers(-9, 9), st.just(float("nan")), st.none(), st.text(max_size=2))
    rows = st.lists(st.one_of(st.lists(cells, max_size=3), cells), max_size=5)
    X, y = np.random.default_rng(1).random((4, 9, 2)), [0, 1, 0, 1]
    series = st.one_of(st.just(X), st.just(X), anything, st.lists(rows, max_size=4), st.sampled_from([
        np.zeros((4, 5)), np.zeros((0, 5)), np.zeros((4, 0, 2)), np.full((4, 5, 2), np.inf), np.array([["a"]]),
        np.zeros((4, 5, 2), complex), np.zeros((4, 5, 2), "M8[s]"), [np.zeros((3, 2)), np.zeros((5, 2))],
        np.zeros(4, object), np.ma.zeros((4, 5, 2)), np.zeros((2, 2, 2, 2))]))
    labels = st.lists(st.one_of(st.sampled_from("ab"), cells), max_size=5)
    classes = st.one_of(st.just(y), anything, labels, st.sampled_from([
        np.array(["a", "b", "a", "b"]), [True, False] * 2, [None, "a"] * 2, ["a", 1] * 2, [b"a", b"b"] * 2,
        [0.5, float("nan")] * 2, [(1, 2), (3, 4)] * 2]))
    settings = {name: kind.filter(small) for name, kind in {
        **dict.fromkeys(("hidden", "layers", "members", "stride", "batch_size", "seed", "threads"), counts),
        "residual": anything, "steps": usual(1, 2), "learning_rate": usual(1e-3), "augment": anything,
        "frame_shift": usual(1.0, 0.1)}.items()}

    @lru_cache(1)
    def fitted() -> Any:
        return earsight.SeriesClassifier(hidden=4, layers=1, steps=1, threads=1).fit(X, y)

    def transcribe(path: Any = material / "clip.wav", model: Any = "en-small", **more: Any) -> None:
        earsight.transcribe(path, model, **more)

    def classify(path: Any = material / "clip.wav", model: Any = None) -> None:
        earsight.classify(path, model)

    def learn(source: Any = material / "labels.csv", output: Any = "out", minutes: Any = 1e-4, **more: Any) -> None:
        earsight.learn(source, output, minutes=brief(minutes), **more)

    def fit(given: dict[str, Any], X: Any, y: Any) -> None:
        earsight.SeriesClassifier(**given).fit(X, y).score(X, y)

    def predict(X: Any, y: Any) -> None:
        tried(fitted().predict_proba, X)
        fitted().score(X, y)

    def read_sounds(path: Any, rate: Any, **options: Any) -> None:
        tried(info, path)
        tried(lambda: read(path, rate, ReadingOptions(**options)))
        for _ in islice(open_blocks(path, rate, ReadingOptions(**options))[1], 100):
            pass

    def read_films(path: Any, rate: float, **options: Any) -> None:
        tried(probe, path)
        tried(lambda: list(islice(read_frames(path), 20)))
        for _ in islice(sample(path, rate, **options), 100):
            pass

    def read_table(path: Any, **options: Any) -> None:
        read_series(path, TableOptions(**options))

    def form(text: str = "", **more: Any) -> None:
        TextForm(**more)(text)

    def align(path: Any = material / "frames.npy", text: str = "ab", numbers: str = "keep") -> None:
        Aligner(material / "ctc", None, 1, numbers).align(path, text)

    def make(texts: list[str], order: int = 2, output: str = "a.arpa", **more: Any) -> None:
        make_model(texts, order, output, **more)

    def serve(**options: Any) -> None:
        running.asyncio = Unrun  # what would serve ends at once
        running.serve(Settings(port=0, model="en-small", jobs=1, **options))

    calls = {
        "transcribe": (some(path=paths, model=models, track=usual(1, None), channels=usual("mix", "split", 1),
                            damaged=usual("refuse", "skip"), **decoding), transcribe),
        "classify": (some(path=paths, model=models), classify),
        "learn": (some(source=st.one_of(paths, st.lists(paths, max_size=2)), output=usual("out", material),
                       add=anything, minutes=usual(1e-4, 0), task=usual("auto", "classes", "text")), learn),
        "fit": (every(given=some(**settings), X=series, y=classes), fit),
        "predict": (every(X=series, y=classes), predict),
        "save": (every(folder=paths), lambda folder: fitted().save(folder)),
        "set_params": (every(given=st.dictionaries(st.sampled_from(["hidden", "x"]), anything, max_size=2)),
                       lambda given: earsight.SeriesClassifier().set_params(**given)),
        "read": (every({"track": anything, "channels": anything, "damaged": anything, "quiet": st.booleans()},
                       path=named, rate=st.sampled_from([None, 8000, 1, 384000])), read_sounds),
        "sample": (every({"lag": spans, "start": floats, "end": spans, "threads": st.integers(0, 3)}, path=named,
                         rate=st.one_of(floats, st.just(5.0))), read_films),
        "read_series": (every({**dict.fromkeys(("series", "time", "label", "group"), columns),
                               "layout": usual("auto", "long", "wide"), "unit": usual("s", "ms"),
                               "labelled": st.booleans(), "channels": st.lists(columns, max_size=2).map(tuple)},
                              path=named), read_table),
        "TextForm": (some(case=usual("lower", "upper"), punctuation=usual("drop"), numbers=usual("words"),
                          language=texts, text=st.text()), form),
        "parse_hotword": (some(given=st.one_of(anything, st.text(), st.from_regex(r"\w+:\S*=?.*"))),
                          lambda given="": parse_hotword(given)),
        "align": (some(path=named, text=st.text("abc 21,'\0é", max_size=12),
                       numbers=st.sampled_from(["keep", "words"])), align),
        "make_model": (every({"order": st.integers(-2, 9), "output": st.sampled_from(["a.arpa", "a.bin", "."]),
                              "characters": st.booleans(), "size": spans,
                              "vocabulary": st.one_of(st.none(), st.integers(-2, 5), st.lists(texts, max_size=3))},
                             texts=st.lists(st.text("ab |<s>é\0\n", max_size=9), max_size=4)), make),
        "serve": (some(host=texts, keys=st.one_of(named, st.none()), certificate=st.one_of(named, st.none()),
                       certificate_key=named, temporary=named,
                       allow_host=st.lists(texts, max_size=2).map(tuple)), serve),
    }
    lines = command_lines(material)
    return calls | {f"command {name}": (every(argv=argv), run_command) for name, argv in lines.items()}


class Unrun:
    """Stands where asyncio does: what would serve, is not begun."""

    @staticmethod
    def run(coroutine: Any) -> int:
        coroutine.close()
        return 0


def small(value: Any) -> bool:
    """Whether a setting, if it serves, leaves a training that is over in a moment, or asks for what is absurd."""
    return not isinstance(value, int) or value <= 8 or value >= 2**31


def brief(minutes: Any) -> Any:
    """Time in which nothing is learnt."""
    return min(minutes, 0.01) if isinstance(minutes, int | float) and minutes > 0.01 else minutes


def run_command(argv: list[str]) -> None:
    """A command line; its exit status may be any but that of a traceback."""
    from earsight.app.main import main

    try:
        main(argv)
    except SystemExit as done:
        assert done.code in (0, 2), done.code


HARMLESS = ("transcribe", "classify", "explain", "align", "listen", "watch", "prepare", "check", "evaluate", "predict",
            "export", "lm", "tune-decoder", "calibrate", "models", "completion", "train", "tune")
UNDRAWN = ("--ray", "--help", "--version", "--list-devices", "--storage", "--trials")


def command_lines(material: Path) -> dict[str, Any]:
    """Command lines by command, drawn from its own parser: values that serve, and others."""
    from hypothesis import strategies as st

    from earsight.app.command_line import parser

    every = next(action for action in parser("en-small", {"sound": "digits", "video": "actions-10"})._actions
                 if isinstance(action, argparse._SubParsersAction))
    names = ("clip.wav", "film.mkv", "frames.npy", "table.csv", "labels.csv", "all.jsonl", "table.jsonl.gz",
             "words.txt", "words.arpa", "words.bin", "train.csv", "ctc", "classes", "series", "run", "run/model.ckpt")
    files = st.sampled_from([str(material / name) for name in names])
    values = st.one_of(files, files, st.sampled_from([
        "out", "out.png", "out.zip", "out.jsonl", "missing", "", "-", "0", "1", "-1", "1e999", "nan", "0.5", "a b",
        "ab:3", "a=b", "csv", "folder", "series", "shards", "embeddings", "fit", "text=x", "dev=0.5", "²", "٣",
        "9" * 5000, str(2**40), "a" * 300]),
        st.text(st.characters(exclude_characters="/~", exclude_categories=[]), max_size=6))

    def option(action: argparse.Action) -> Any:
        value = st.one_of(st.sampled_from(sorted(action.choices)), values) if action.choices else values
        name = st.sampled_from(action.option_strings)
        if action.nargs == 0:
            return st.tuples(name).map(list)
        count = {None: (1, 1), "?": (0, 1), "+": (1, 3), "*": (0, 3)}.get(action.nargs, (1, 1))
        several = st.lists(value, min_size=count[0], max_size=count[1])
        return st.tuples(name, several).map(lambda pair: [pair[0], *pair[1]])

    def line(name: str, sub: argparse.ArgumentParser) -> Any:
        wanted = [action for action in sub._actions
                  if action.option_strings and not set(UNDRAWN) & set(action.option_strings)]
        options = st.lists(st.one_of(*map(option, wanted)), max_size=3) if wanted else st.just([])
        required = [option(action) for action in wanted if action.required]
        places = st.lists(values, max_size=4)
        if any(isinstance(action, argparse._SubParsersAction) for action in sub._actions):
            actions = st.sampled_from(["pull", "remove", "pack"])
            places = st.tuples(actions, places).map(lambda pair: [pair[0], *pair[1]])
        if name == "tune":
            options = st.just([])
        return st.tuples(places, options, *required).map(
            lambda parts: [name, *parts[0], *(word for each in parts[1] for word in each),
                           *(word for each in parts[2:] for word in each)])

    return {name: line(name, every.choices[name]) for name in HARMLESS}


# A process that tries inputs

TARGETS = {
    "sound": Target(sound_seeds, read_sound, worth=3),
    "film": Target(film_seeds, read_film, worth=2),
    "frames": Target(frames_seeds, read_stored_frames, worth=0.7),
    "table": Target(table_seeds, read_clip_table, mutate_text),
    "manifest": Target(manifest_seeds, read_cuts, mutate_json, worth=2),
    "series": Target(series_seeds, read_series_table, mutate_text, worth=2),
    "lm": Target(lm_seeds, read_language_model, mutate_text, worth=1.5),
    "text": Target(text_seeds, read_texts_of, mutate_text, worth=0.8),
    "config": Target(config_seeds, read_model, mutate_json, worth=2),
    "state": Target(state_seeds, read_state, mutate_json, worth=0.5),
    "archive": Target(archive_seeds, read_archive, worth=0.5),
}
ARGUMENTS = "arguments"


class Trial:
    """Tries inputs one by one, and writes down what is found; the process ends with LIMIT at one that takes too much.

    Args:
        target: its name.
        place: DIR.
        work: a folder for this run: `input`, the last one; `log`, why the process ended; `count`, of inputs.
    """

    def __init__(self, target: str, place: Path, work: Path):
        self.target, self.place, self.work = target, place, work
        self.log = open(work / "log", "w")
        self.input = os.open(work / "input", os.O_RDWR | os.O_CREAT)
        self.count = int((work / "count").read_text() or 0) if (work / "count").exists() else 0
        self.counter = os.open(work / "count", os.O_RDWR | os.O_CREAT)
        faulthandler.enable(self.log)
        faulthandler.register(signal.SIGPROF, self.log, chain=True)  # and the process ends

    def __call__(self, content: bytes, call: Callable[[], object], told: str = "") -> None:
        from earsight.common.errors import EarsightError

        os.ftruncate(self.input, 0)
        os.pwrite(self.input, content, 0)
        self.count += 1
        os.pwrite(self.counter, str(self.count).encode(), 0)
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        faulthandler.dump_traceback_later(WALL, exit=True, file=self.log)
        try:
            call()
        except EarsightError as error:
            str(error)
        except MemoryError:
            traceback.print_exc(file=self.log)
            os._exit(LIMIT)
        except BaseException as error:
            self.note(error, content, told)
        finally:
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_PROF, 0)

    def note(self, error: BaseException, content: bytes, told: str) -> None:
        key = f"{type(error).__name__}-{innermost(error)}"
        keep_finding(self.place, self.target, key, content, told + "".join(traceback.format_exception(error)))


def innermost(error: BaseException) -> str:
    """The last place of this project in a traceback, this script left out."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if Path(frame.filename).is_relative_to(REPOSITORY) and Path(frame.filename) != Path(__file__).resolve()]
    if not frames:
        return "outside"
    return f"{Path(frames[-1].filename).relative_to(REPOSITORY)}-{frames[-1].lineno}".replace("/", ".")


def keep_finding(place: Path, target: str, key: str, content: bytes, told: str) -> None:
    folder = place / "findings" / target / re.sub(r"[^\w.-]", "_", key)
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / "input").write_bytes(content)
        (folder / "traceback.txt").write_text(told, errors="backslashreplace")


def limit_memory(more: int = MEMORY) -> None:
    """So many bytes more than what is mapped now."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + more, resource.RLIM_INFINITY))


def try_inputs(name: str, place: Path, work: Path, seconds: float, seed: int, single: Path | None) -> None:
    """A process's work: one input, or such as atheris makes, for so long."""
    target, trial = TARGETS[name], Trial(name, place, work)
    material, folder = place / "material", work / "files"

    def read(data: bytes) -> None:
        for old in (folder, Path(os.environ["EARSIGHT_MODELS"])):
            shutil.rmtree(old, ignore_errors=True)
        folder.mkdir()
        target.read(material, folder, data[0], data[1:])

    def one(data: bytes) -> None:
        if data:
            trial(data, partial(read, data))

    with redirect_stdout(Nothing()), redirect_stderr(Nothing()):
        if single:
            return one(single.read_bytes())
        import atheris

        corpus = place / name
        with atheris.instrument_imports(include=["earsight"]):  # modules are loaded when they are needed
            for path in sorted(corpus.glob("seed*")):
                with suppress(Exception):
                    read(path.read_bytes())
        limit_memory()
        largest = max(path.stat().st_size for path in corpus.iterdir())
        options = [f"-max_total_time={round(seconds)}", f"-seed={seed}", f"-max_len={largest + 2000}", "-len_control=0",
                   "-rss_limit_mb=0", "-timeout=1000000", f"-artifact_prefix={work}/",
                   *(f"-handle_{signal}=0" for signal in ("segv", "abrt", "bus", "fpe"))]  # faulthandler has them
        mutator = {"custom_mutator": target.mutate} if target.mutate else {}
        atheris.Setup([sys.argv[0], *options, str(corpus)], one, **mutator)
        atheris.Fuzz()


def try_arguments(place: Path, work: Path, seconds: float, seed: int, single: Path | None) -> None:
    """The same for calls, by hypothesis."""
    trial, material, folder = Trial(ARGUMENTS, place, work), place / "material", work / "files"
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    calls = argument_calls(material, folder)
    if single:
        name, given = pickle.loads(single.read_bytes())
        print(name, given)
        return trial(single.read_bytes(), lambda: calls[name][1](**given))

    import hypothesis

    end, number = time.monotonic() + seconds, seed

    def attempt(name: str, given: dict[str, Any]) -> None:
        if time.monotonic() < end:
            trial(pickle.dumps((name, given)), lambda: calls[name][1](**given), f"{name} {given!r}\n\n")
            os.chdir(folder)

    rules = hypothesis.settings(max_examples=20, database=None, deadline=None, phases=[hypothesis.Phase.generate],
                                suppress_health_check=list(hypothesis.HealthCheck))
    limit_memory(4 * MEMORY)  # libraries are still to be loaded
    with redirect_stdout(Nothing()), redirect_stderr(Nothing()):
        while time.monotonic() < end:
            for name in random.Random(number).sample(list(calls), len(calls)):
                number += 1

                @hypothesis.seed(number)
                @rules
                @hypothesis.given(given=calls[name][0])
                def test(given: dict[str, Any]) -> None:
                    attempt(name, given)

                test()


class Nothing(io.TextIOBase):
    """Where what is printed goes."""

    def write(self, text: str) -> int:
        return len(text)

    def fileno(self) -> int:
        return 1


def make_corpus(name: str, place: Path) -> None:
    """Seeds of a target, where there are none yet."""
    corpus, material = place / name, make_material(place / "material")
    if name in TARGETS and not corpus.exists():
        corpus.mkdir(parents=True)
        for number, seed in enumerate(TARGETS[name].seeds(material)):
            (corpus / f"seed{number:02}").write_bytes(seed)


# Processes, one after another


def fuzz(name: str, place: Path, minutes: float, seed: int) -> tuple[str, int, float, float, int]:
    """Try inputs for so long; the target, how many inputs, minutes by the clock and of the processor, findings."""
    begun, spent, restarts = time.monotonic(), processor(), 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        work = Path(folder)
        while (left := 60 * minutes - (time.monotonic() - begun)) > 3:
            before = counted(work)
            status = start(name, place, work, "--seconds", str(left), "--seed", str(seed + restarts))
            restarts += 1
            if status == 0:
                break
            if counted(work) == before:
                said = (work / "said").read_text(errors="replace")[-2000:]
                raise SystemExit(f"{name}: {said}\nerror: the process that tries inputs does not begin")
            confirm(name, place, work)
        tried = counted(work)
    found = place / "findings" / name
    findings = len(list(found.iterdir())) if found.exists() else 0
    return name, tried, (time.monotonic() - begun) / 60, (processor() - spent) / 60, findings


def processor() -> float:
    """Seconds of the processor that all ended processes have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def confirm(name: str, place: Path, work: Path) -> None:
    """Note the last input, if a process ends at it alone too."""
    content, told = (work / "input").read_bytes(), (work / "log").read_text(errors="replace")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        (Path(folder) / "single").write_bytes(content)
        status = start(name, place, Path(folder), "--input", str(Path(folder) / "single"))
    if status:
        places = re.findall(rf'File "{re.escape(str(REPOSITORY))}/(?!scripts)(\S+)", line (\d+)', told)
        where = "-".join(places[0]).replace("/", ".") if places else "outside"
        keep_finding(place, name, f"ended-{status}-{where}", content, told)


def start(name: str, place: Path, work: Path, *more: str) -> int:
    """One process to its end; its exit status."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2",
                   "EARSIGHT_MODELS": str(work / "models"), "CUDA_VISIBLE_DEVICES": "", "TMPDIR": str(work),
                   "OPENCV_FFMPEG_LOGLEVEL": "-8"}
    with open(work / "said", "w") as said:
        return subprocess.run([sys.executable, __file__, name, "--corpus", str(place), "--work", str(work), *more],
                              stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment).returncode


def counted(work: Path) -> int:
    return int((work / "count").read_text() or 0) if (work / "count").exists() else 0


def shares(names: Sequence[str], minutes: float) -> dict[str, float]:
    total = sum(TARGETS[name].worth for name in names if name in TARGETS) or 1.0
    return {name: minutes * TARGETS[name].worth / total if name in TARGETS else minutes for name in names}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("target", choices=["all", *TARGETS, ARGUMENTS], help="all: every one that reads files")
    arguments.add_argument("--minutes", type=float, default=1.0, help="in all (default: 1)")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--corpus", type=Path, default=Path(tempfile.gettempdir(), "earsight-fuzz"), metavar="DIR",
                           help="inputs that were kept, and findings (default: earsight-fuzz among temporary files)")
    arguments.add_argument("--input", type=Path, metavar="FILE", help="try this one")
    arguments.add_argument("--work", type=Path, help=argparse.SUPPRESS)  # of a process that tries inputs
    arguments.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    args = arguments.parse_args()
    needed = "hypothesis" if args.target == ARGUMENTS else "atheris"
    if importlib.util.find_spec(needed) is None:
        print(f"error: {needed} is not installed, and this needs it: pip install {needed}"
              f"{'==2.3.0 (Python 3.11; 3.0.0 for later ones)' if needed == 'atheris' else ''}", file=sys.stderr)
        return 1
    place = args.corpus.resolve()
    if args.work is None:
        args.work = Path(tempfile.mkdtemp(prefix="fuzz-")) if args.input else None
    if args.work:
        os.environ.setdefault("EARSIGHT_MODELS", str(args.work / "models"))
        single = args.input.resolve() if args.input else None
        if args.target == ARGUMENTS:
            try_arguments(place, args.work, args.seconds or 0, args.seed, single)
        else:
            try_inputs(args.target, place, args.work, args.seconds or 0, args.seed, single)
        return 0
    print("| target | inputs | minutes | of the processor | findings |\n|---|---|---|---|---|")
    found = 0
    for name, minutes in shares(list(TARGETS) if args.target == "all" else [args.target], args.minutes).items():
        make_corpus(name, place)
        name, inputs, taken, spent, findings = fuzz(name, place, minutes, args.seed)
        print(f"| {name} | {inputs} | {taken:.1f} | {spent:.1f} | {findings} |", flush=True)
        found += findings
    print(f"\n{place / 'findings'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.path[:0] = [str(REPOSITORY / "tests")]
    sys.exit(main())
