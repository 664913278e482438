"""AN4 in the corpus's layout, made on the fly, and as published where it is there."""

import struct
from pathlib import Path

import numpy as np
import pytest
from small_corpora import ids, read_all, sound

from earsight.audio.corpora.importers import prepare
from earsight.common.data.cuts import speaker_of, text_of
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError


def an4(folder: Path, training: int = 102) -> Path:
    """Two speakers, `training` utterances and two test ones, each of 20 frames, in the corpus's layout."""
    speakers = [("bob", "amy")[i % 2] for i in range(training)]
    listed = {
        "train": [f"an4_clstk/{speaker}/an{i}-{speaker}-b" for i, speaker in enumerate(speakers)],
        "test": ["an4test_clstk/zed/an1-zed-b", "an4test_clstk/zed/an2-zed-b"],
    }
    (folder / "etc").mkdir(parents=True)
    for part, files in listed.items():
        stems = [file.split("/")[-1] for file in files]
        (folder / "etc" / f"an4_{part}.fileids").write_text("\n".join(files) + "\n")
        lines = [f"<s> GO A </s> ({stem})" if part == "train" else f"GO A ({stem})" for stem in stems]
        (folder / "etc" / f"an4_{part}.transcription").write_text("\n".join(lines) + "\n")
        for file in files:
            path = folder / "feat" / f"{file}.mfc"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(struct.pack(">i", 260) + np.arange(260, dtype=">f4").tobytes())
    (folder / "etc" / "an4.dic").write_text("A   AH\nA(2)   EY\nGO  G OW\n")
    return folder


def test_an4_features(tmp_path):
    paths = prepare("an4", an4(tmp_path / "an4"), tmp_path / "out", progress=False)
    cuts = read_all(paths)
    assert {split: len(found) for split, found in cuts.items()} == {"train": 2, "dev": 100, "test": 2}
    # sorted by speaker-utterance, amy's 51 and bob's first 49 are dev
    assert ids(cuts["train"]) == {f"bob-an{i}-bob-b" for i in (96, 98)}
    cut = cuts["test"][0]
    assert (cut.id, speaker_of(cut), text_of(cut), cut.duration) == ("zed-an1-zed-b", "zed", "go a", 0.2)
    assert text_of(cuts["dev"][0]) == "go a"  # the sentence marks are gone
    np.testing.assert_array_equal(cut.load_frames(), np.arange(260, dtype=np.float32).reshape(20, 13))
    assert (tmp_path / "out" / "lexicon.txt").read_text() == "a EY\ngo G OW\na AH\n"


def test_an4_keeps_the_case_that_is_asked_for(tmp_path):
    source = an4(tmp_path / "an4")
    cuts = read_all(prepare("an4", source, tmp_path / "out", case="keep", progress=False))
    assert text_of(cuts["test"][0]) == "GO A"
    assert (tmp_path / "out" / "lexicon.txt").read_text() == "A EY\nGO G OW\nA AH\n"
    with pytest.raises(EarsightError, match="option case is 'Title'"):
        prepare("an4", source, tmp_path / "out", case="Title")


def test_an4_waveforms_in_each_form(tmp_path):
    source = an4(tmp_path / "an4")
    sound(source / "wav" / "an1-zed-b.wav", rate=16000)
    sound(source / "wav/an4_clstk/bob/an0-bob-b.sph", rate=16000, format="NIST")
    tone = (8000 * np.sin(np.arange(1600) / 20)).astype(np.int16)
    for name, order in (("an2-bob-b", "<i2"), ("an4-bob-b", ">i2")):
        (source / "wav/an4_clstk/bob" / f"{name}.raw").write_bytes(tone.astype(order).tobytes())
    with pytest.warns(UserWarning, match="100 of 104 utterances have no waveform"):
        paths = prepare("an4", source, tmp_path / "out", source_kind="waveforms", progress=False)
    cuts = read_all(paths)
    assert ids(cuts["test"]) == {"zed-an1-zed-b"}
    by_id = {cut.id: cut for cut in cuts["dev"]}
    for name in ("an2-bob-b", "an4-bob-b"):
        np.testing.assert_array_equal(by_id[f"bob-{name}"].load_audio()[0] * 32768, tone)
    assert by_id["bob-an0-bob-b"].num_samples == 3200


def test_an4_broken_frames_are_named_and_the_others_written(tmp_path):
    source = an4(tmp_path / "an4")
    broken = source / "feat/an4test_clstk/zed/an1-zed-b.mfc"
    broken.write_bytes(broken.read_bytes()[:-4])  # one float less than announced
    with pytest.raises(EarsightError, match="1 of 104 clips left out .zed-an1-zed-b: .*an1-zed-b.mfc"):
        prepare("an4", source, tmp_path / "out", progress=False)
    assert ids(read_manifest(tmp_path / "out" / "test.jsonl.gz")) == {"zed-an2-zed-b"}


def test_an4_transcripts_must_belong_to_their_files(tmp_path):
    path = an4(tmp_path / "an4") / "etc" / "an4_test.transcription"
    path.write_text("GO (an2-zed-b)\nGO (an1-zed-b)\n")
    with pytest.raises(EarsightError, match="an4_test.transcription, line 1"):
        prepare("an4", tmp_path / "an4", tmp_path / "out", progress=False)
    path.write_text("GO (an2-zed-b)\n")
    with pytest.raises(EarsightError, match="1 lines for 2 utterances"):
        prepare("an4", tmp_path / "an4", tmp_path / "out", progress=False)


def test_an4_as_published(shared_data, tmp_path):
    cuts = read_all(prepare("an4", shared_data / "an4", tmp_path, progress=False))
    assert {split: len(found) for split, found in cuts.items()} == {"train": 848, "dev": 100, "test": 130}
    assert sum(len(text_of(cut).split()) for cut in cuts["test"]) == 773
    words = {line.split()[0] for line in (tmp_path / "lexicon.txt").read_text().splitlines()}
    assert {word for found in cuts.values() for cut in found for word in text_of(cut).split()} <= words
