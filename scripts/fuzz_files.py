"""Files that fuzz.py damages: for each kind, valid ones to begin with, and the public function that reads them.

The first byte of an input chooses how the rest is read.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from fuzz_material import np_frames, placed, tried

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
        for file in with_manifests([path], []):
            os.path.realpath(file)  # as whoever works through them does
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
