"""Silence around short clips, which a model folder may ask of a pretrained frontend."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from conftest import tone
from earsight.common.errors import EarsightError
from earsight.common.inference.runtime import Runtime
from earsight.common.model_folder import find_model, read_config, write_config


def with_silence(folder, silence):
    source = find_model("en")
    folder.mkdir()
    for name in ("frontend.onnx", "encoder.onnx"):
        shutil.copy(source / name, folder / name)
    config = read_config(source)
    write_config(folder, replace(config, decoding={}, frontend={**config.frontend, "silence": silence}))
    return folder


def test_a_clip_is_heard_with_silence_and_gives_its_own_frames(tmp_path):
    plain, quiet = Runtime("en"), Runtime(with_silence(tmp_path / "model", [4800, 8000]))
    clip = tone(440.0, 0.4)
    expected = plain.frames(np.pad(clip, (4800, 8000)))[15:35]  # 320 samples a frame
    assert len(expected) == len(plain.frames(clip)) == 20
    assert np.allclose(quiet.frames(clip), expected, atol=1e-5)
    assert not np.allclose(plain.frames(clip), expected, atol=0.1)


def test_none_where_the_encoder_would_take_no_more(tmp_path):
    plain, quiet = Runtime("en"), Runtime(with_silence(tmp_path / "model", [4800, 8000]))
    clip = tone(440.0, 29.5)
    assert np.array_equal(quiet.frames(clip), plain.frames(clip))


@pytest.mark.parametrize("silence", [[1], "much", [-320, 0], [0.5, 0]])
def test_what_is_no_silence_is_refused(silence, tmp_path):
    with pytest.raises(EarsightError, match="'frontend.silence' is missing or wrong"):
        read_config(with_silence(tmp_path / "model", silence))
