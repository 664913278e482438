"""Files that this program or others wrote, and that are something else now: one line that names them, or made anew."""

import io
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import exported

from earsight.app.learning.state import State
from earsight.common.checkpoint import read_checkpoint
from earsight.common.data.corpora.shards import _there
from earsight.common.data.manifest_files import with_manifests
from earsight.common.data.openers import npy_shape
from earsight.common.data.shards import read_index
from earsight.common.errors import EarsightError
from earsight.common.inference.journal import Journal
from earsight.common.inference.recognition import Transcript, Utterance, Word
from earsight.common.inference.segmenting import Stretch
from earsight.common.model_folder import describe_models, read_config
from earsight.common.recipes import read_yaml
from earsight.common.series.matching import table_options
from earsight.common.training.export import _read_card
from earsight.common.tuning.search_space import parse_space
from earsight.video.frontends.pictures import PictureSettings

DEEP = "[" * 100_000  # more than Python's parser of JSON goes down, which it tells by a RecursionError


@pytest.mark.parametrize("name, read", [
    ("config.json", lambda path: read_config(path.parent)),
    ("state.json", State.read),
    ("card.json", _read_card),
    ("recipe.yaml", read_yaml),
])
def test_nested_too_deep(tmp_path, name, read):
    path = tmp_path / name
    path.write_text(DEEP if name != "recipe.yaml" else DEEP[:3000])
    with pytest.raises(EarsightError, match=name):
        read(path)


def test_a_manifest_that_is_nested_too_deep(tmp_path):
    (tmp_path / "clips.jsonl").write_text(DEEP + "\n")
    refused = []
    assert with_manifests([tmp_path / "clips.jsonl"], refused) == []
    assert "clips.jsonl, line 1: not a cut" in str(refused[0])


def test_where_a_pulled_model_came_from(tmp_path, monkeypatch):
    _, folder = exported(tmp_path / "pulled")
    (folder / "origin.json").write_text(DEEP)
    monkeypatch.setenv("EARSIGHT_MODELS", str(tmp_path))
    assert "pulled\n  from: not known\n" in describe_models()


def written(save, *arrays) -> bytes:
    held = io.BytesIO()
    save(held, *arrays)
    return held.getvalue()


FRAMES = written(np.save, np.zeros((8, 3), np.float32))


@pytest.mark.parametrize("content", [
    written(np.savez, np.zeros(3)),  # an archive of arrays, of which none is asked for
    b"PK\3\4" + FRAMES,  # zipfile.BadZipFile
    FRAMES.replace(b"(8, 3)", b"(8, 3 "),  # tokenize.TokenError
    FRAMES.replace(b"(8, 3), }", b"(" + b"8" * 30 + b",)}")[:128],  # OverflowError
    FRAMES.replace(b"descr", b"desc\xff"),
])
def test_arrays_that_numpy_raises_its_own_kinds_of(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(EarsightError, match="a.npy: "):
        npy_shape(tmp_path / "a.npy")


@pytest.mark.parametrize("line", [b"true", b"{}", b'{"utterance": 3}', b'{"utterance": {"transcript": {"words": [1]}}}',
                                  DEEP.encode()])
def test_a_journal_goes_on_where_it_is_still_one(tmp_path, line):
    path = tmp_path / "journal"
    heard = Utterance(0.0, 1.0, Transcript("", "a", 1.0, "m", 0.5, (Word("a", 0.0, 0.1, 0.5),)))
    entry = json.dumps({"place": asdict(Stretch(0, 1, 0, 1)), "utterance": asdict(heard)}).encode()
    path.write_bytes(b"\n".join([b'{"key": 1}', entry, line, entry, b""]))
    journal = Journal(path, {"key": 1})
    assert journal.open() == [(Stretch(0, 1, 0, 1), heard)]
    journal.close()
    assert path.read_bytes() == b'{"key": 1}\n' + entry + b"\n"


@pytest.mark.parametrize("plain", [[], {"shards": 3}, {"shards": [{"files": {"cuts": 3}}], "key": "x"},
                                   {"shards": [[]]}])
def test_an_index_of_shards_that_is_none(tmp_path, plain):
    """They are made anew."""
    (tmp_path / "shards.json").write_text(json.dumps(plain))
    assert _there(tmp_path / "shards.json", "x") is None


@pytest.mark.parametrize("clips", [-1, 2**63, "3", None, [1]])
def test_an_index_of_shards_with_a_count_that_is_none(tmp_path, clips):
    shard = {"files": {"cuts": ["a.gz", 1, "x"]}, "clips": clips}
    (tmp_path / "shards.json").write_text(json.dumps({"shards": [shard]}))
    with pytest.raises(EarsightError, match="shards.json: cannot be read"):
        read_index(tmp_path)


@pytest.mark.parametrize("views", ["two", -1, [1], 0.5])
def test_what_was_decided_is_of_its_kind(tmp_path, views):
    (tmp_path / "state.json").write_text(json.dumps({"sources": [], "clips": "", "views": views}))
    with pytest.raises(EarsightError, match="state.json: damaged"):
        State.read(tmp_path / "state.json")


@pytest.mark.parametrize("text", ["start: 2024-13-45\n", "a: !!timestamp x\n", "a: !!int x\n"])
def test_a_recipe_with_a_date_that_is_none(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(EarsightError, match="a.yaml: cannot be read as YAML"):
        read_yaml(tmp_path / "a.yaml")


def test_a_choice_that_looks_like_a_date():
    (setting,) = parse_space(["data.labels=choice(2024-13-45,characters)"])
    assert setting.distribution.choices == ("2024-13-45", "characters")


def test_a_checkpoint_with_any_byte_changed(tmp_path):
    path: Path = tmp_path / "model.ckpt"
    torch.save({"earsight": {"medium": "frames"}, "state_dict": {"a": torch.zeros(2)}}, path,
               _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x21]) + content[place + 1:])
        with suppress(EarsightError):
            read_checkpoint(path)


def test_settings_of_pictures_and_tables_that_are_none(tmp_path):
    for plain in ({"9" * 300: 1}, {"flow": {"-1": 2}}, {"picture": {"x": 1}}, {"picture": {}}, {"flow": []},
                  {"pose": 3}):
        with pytest.raises(EarsightError, match="model: settings of pictures that are none"):
            PictureSettings.from_dict(plain, tmp_path / "model")
    (tmp_path / "table.csv").write_text("time,nan,x\n0,1,2\n")
    with pytest.raises(EarsightError, match="mine: says of tables what is nothing"):
        table_options(tmp_path / "table.csv", {"table": {"y": "nan"}, "channels": ["x"], "named": True}, "mine", False)
