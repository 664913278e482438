"""Streams of two models in one: it says what both say together."""

import sys
from dataclasses import replace

import join_streams
import numpy as np
import pytest
from scipy.special import log_softmax
from small_models import exported

from earsight.common.inference.runtime import Runtime
from earsight.common.model_folder import FRONTEND, read_config, write_config

FLOW = {"height": 32, "width": 32, "every": 1, "grids": [1]}
BASE = {"rate": 100.0, "picture": {"height": 32, "width": 32, "every": 1}, "motion": None, "lag": 0.12,
        "motion_scale": 12.0}


@pytest.fixture
def folders(tmp_path):
    """A model of two streams, of pictures and flow, and one of poses, each of untrained encoders."""
    made = []
    for name, frontend, encoder in (("model", {**BASE, "flow": FLOW}, {"streams": (2, 4), "stride": 1}),
                                    ("added", {**BASE, "picture": None, "pose": {"every": 1, "graphs": "."}},
                                     {"streams": (6,), "stride": 1, "hidden": 5})):
        _, folder = exported(tmp_path / name, int8=name == "model", **encoder)
        config = read_config(folder)
        write_config(folder, replace(config, medium="video", frontend=frontend, about={"description": name}))
        (folder / FRONTEND).write_text(name)
        made.append(folder)
    for graph in ("pose_detector.onnx", "pose_landmarker.onnx"):
        (made[1] / graph).write_text(graph)
    return made


def test_each_stream_counts_the_same(folders, tmp_path):
    model, added = folders
    join_streams.join(model, added, tmp_path / "both", {"description": "both"})
    both, one, other = map(Runtime, (tmp_path / "both", model, added))
    frames = np.random.default_rng(1).normal(size=(7, 12)).astype(np.float32)
    said = [log_softmax(each.outputs(part)) for each, part in ((one, frames[:, :6]), (other, frames[:, 6:]))]
    expected = log_softmax((2 * said[0] + said[1]) / 3)
    np.testing.assert_allclose(both.outputs(frames), expected, atol=1e-5)
    pair = both.batch_outputs(np.stack([frames, frames[::-1]]))
    np.testing.assert_allclose(pair[0], both.outputs(frames), atol=5e-3)  # int8's scales are the batch's
    assert both.config.n_features == 12 and both.config.about == {"description": "both"}
    assert both.config.model["encoder"]["streams"] == [2, 4, 6]
    assert both.config.frontend == {**BASE, "flow": FLOW, "pose": {"every": 1, "graphs": "."}}
    assert {path.name: path.read_bytes() for path in (tmp_path / "both").glob("[fp]*.onnx")} == {
        "frontend.onnx": b"model", "pose_detector.onnx": b"pose_detector.onnx",
        "pose_landmarker.onnx": b"pose_landmarker.onnx"}


@pytest.mark.parametrize(("changes", "complaint"), [
    ({"frame_shift": 0.5}, "frame_shift"),
    ({"frontend": {**BASE, "picture": None, "flow": FLOW}}, "streams"),
    ({"frontend": {**BASE, "picture": None, "pose": {"every": 1}, "lag": 0.5}}, "lag"),
])
def test_what_does_not_go_together_is_one_line(folders, tmp_path, changes, complaint, capsys, monkeypatch):
    model, added = folders
    write_config(added, replace(read_config(added), **changes))
    monkeypatch.setattr(sys, "argv", ["join_streams.py", str(model), str(added), str(tmp_path / "both")])
    assert join_streams.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line and not (tmp_path / "both").exists()
