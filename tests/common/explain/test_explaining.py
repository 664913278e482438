"""What `earsight explain` draws of an encoder, whatever its cells are; the figures are checked, not their looks."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from small_models import exported

from earsight.common.errors import EarsightError
from earsight.common.explain.encoder_graph import run_encoder
from earsight.common.explain.explaining import Choice, check_duration, inside_panels, inside_title, output_panel
from earsight.common.explain.figure import Panel, figure, posteriors_panel, unit_panels, words_panel
from earsight.common.inference.recognition import Word
from earsight.common.inference.runtime import Runtime


def drawn(panels: list[Panel], seconds: float = 0.31) -> Figure:
    return figure("title", "said", seconds, panels)


def opened(folder, frames=31):
    runtime = Runtime(folder)
    frames = np.random.default_rng(0).standard_normal((frames, 6)).astype(np.float32)
    return runtime, frames, run_encoder(folder, frames)


def test_lines_are_the_values_at_their_times(tmp_path):
    runtime, frames, run = opened(exported(tmp_path / "model")[1])
    panels = inside_panels(runtime, run, Choice(layer=1, direction="backward", units=(5,)))
    gates, memory = drawn(panels).axes
    layer = run.layers[1]
    for line, name in zip(gates.lines, "ifo", strict=True):
        np.testing.assert_array_equal(line.get_ydata(), layer.values[name][:, 5])
        np.testing.assert_allclose(line.get_xdata(), (np.arange(16) + 0.5) * 0.02)
    np.testing.assert_array_equal(memory.lines[0].get_ydata(), layer.values["c"][:, 5])
    np.testing.assert_array_equal(memory.lines[1].get_ydata(), layer.values["h"][:, 5])
    assert inside_title(runtime, run, Choice(layer=1, direction="backward")) == "LSTM layer 1, backward"


def test_streams_of_frames_have_no_names(tmp_path):
    runtime, _, run = opened(exported(tmp_path / "model", streams=(3, 3))[1])
    titles = [inside_title(runtime, run, Choice(layer=layer)) for layer in (1, 2, 3, 4)]
    assert titles == [f"LSTM layer {layer} (features {stream}), forward"
                      for layer, stream in zip((1, 2, 3, 4), (1, 1, 2, 2))]


def test_gru_has_its_own_gates(tmp_path):
    runtime, frames, run = opened(exported(tmp_path / "model", cell="gru")[1])
    panels = inside_panels(runtime, run, Choice(units=(0,)))
    assert [line for line, _ in panels[0].key] == ["update gate", "reset gate"]
    gates, state = drawn(panels).axes
    np.testing.assert_array_equal(gates.lines[0].get_ydata(), run.layers[2].values["z"][:, 0])
    np.testing.assert_array_equal(state.lines[0].get_ydata(), run.layers[2].values["h"][:, 0])


def test_a_transformer_shows_where_it_looks(tmp_path):
    runtime, frames, run = opened(exported(tmp_path / "model", cell="transformer", heads=2)[1])
    panels = inside_panels(runtime, run, Choice(layer=1))
    assert [panel.name for panel in panels] == ["layer 1, head 0", "layer 1, head 1"]
    np.testing.assert_array_equal(drawn(panels).axes[0].images[0].get_array(), run.attention[0][0].T)
    assert inside_title(runtime, run, Choice()) == "attention of layer 2"
    with pytest.raises(EarsightError, match="--head 2: there are 0 to 1"):
        inside_panels(runtime, run, Choice(units=(2,)))


def test_what_is_not_there_is_refused(tmp_path):
    runtime, frames, run = opened(exported(tmp_path / "model", bidirectional=False)[1])
    for choice, told in ((Choice(layer=3), "--layer 3: there are 1 to 2"),
                         (Choice(units=(0, 8)), "--unit 8: there are 0 to 7"),
                         (Choice(direction="backward"), "leave --direction out")):
        with pytest.raises(EarsightError, match=told):
            inside_panels(runtime, run, choice)
    with pytest.raises(EarsightError, match="61 s long"):
        check_duration("clip", 61)
    check_duration("clip", 60)


def test_a_classifier_is_asked_as_the_clip_goes_on(tmp_path):
    runtime, frames, run = opened(exported(tmp_path / "model", streams=(2, 4))[1])
    axes = drawn([output_panel(runtime, frames, run)]).axes[0]
    logits = np.exp(runtime.outputs(frames))
    assert sorted(line.get_ydata()[-1] for line in axes.lines) == pytest.approx(sorted(logits / logits.sum()))
    assert axes.lines[0].get_xdata()[0] == pytest.approx(0.01) and axes.lines[0].get_xdata()[-1] == pytest.approx(0.31)


def test_posteriors_name_the_labels_of_the_path():
    path = [0, 1, 1, 0, 2, 0, 3, 3]
    log_probs = np.log(np.full((8, 4), 0.04) + 0.84 * np.eye(4)[path])
    axes = drawn([posteriors_panel(log_probs, ("<blank>", " ", "a", "b"), 0.1)], 0.8).axes[0]
    texts = {text.get_text(): text.get_position()[0] for text in axes.texts}
    assert list(texts) == ["␣", "a", "b"] and list(texts.values()) == pytest.approx([0.15, 0.45, 0.65])
    np.testing.assert_allclose(axes.lines[1].get_ydata(), np.exp(log_probs[:, 2]))


def test_words_stand_at_their_times():
    words = (Word("one", 0.2, 0.6, 0.9), Word("$two$", 0.6, 0.7, 0.5))
    axes = drawn([words_panel(words)], 5.0).axes[0]
    assert [bar.get_x() for bar in axes.patches] == [0.2, 0.6]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.4, 0.1])
    assert axes.texts[0].get_text() == "one" and axes.texts[0].get_position()[0] == pytest.approx(0.4)


@pytest.mark.parametrize("kind, names", [("lstm", "ifoch"), ("gru", "zrh")])
def test_nothing_that_is_written_overlaps(kind, names):
    values = {name: 30 * np.random.default_rng(0).random((40, 5)) for name in names}
    words = [Word(f"word{i}", i / 4, i / 4 + 0.1, 1.0) for i in range(16)]
    panels = [panel for unit in range(5) for panel in unit_panels(unit, values, kind, 0.1)]
    made = drawn([words_panel(words), *panels], 4.0)
    made.canvas.draw()
    texts = [text for axes in made.axes for text in [*axes.texts, *axes.get_yticklabels(), *axes.get_xticklabels()]]
    boxes = [text.get_window_extent() for text in [*made.texts, *texts] if text.get_visible() and text.get_text()]
    assert len(boxes) > 40
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    assert all(made.bbox.x0 <= box.x0 and box.x1 <= made.bbox.x1 for box in boxes)
