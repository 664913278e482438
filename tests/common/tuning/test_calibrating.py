"""`earsight calibrate`: against torch and SciPy, on clips whose clusters are known, end to end."""

import csv
import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp
from small_models import exported

from earsight.app.main import main
from earsight.audio.calibrating import calibrate_model
from earsight.audio.evaluating import evaluate_model
from earsight.audio.recognition.recogniser import SpeechRecogniser
from earsight.common.errors import EarsightError
from earsight.common.inference.runtime import Runtime, open_graph, run_outputs
from earsight.common.inference.unknown import FAMILIARITY
from earsight.common.model_folder import ENCODER, read_config
from earsight.common.tuning.calibrating import fit_layer, fit_temperature, layer_scores, take_over
from earsight.common.tuning.familiarity_graph import ENERGY, STATES, with_evidence, with_familiarity

CLASSES = {"a": 1, "b": 2, "c": 3}  # label -> the feature that is loud
OTHER = 5


@pytest.fixture(scope="module", params=[False, True], ids=["float", "int8"])
def classifier(request, tmp_path_factory):
    """An untrained classifier with two heads, whose states tell clips apart nevertheless."""
    return exported(tmp_path_factory.mktemp("classifier") / "model", request.param, streams=(3, 3))


def frames_of(feature: int, seed: int, time: int = 30) -> np.ndarray:
    rng = np.random.default_rng(100 * feature + seed)
    frames = 0.3 * rng.standard_normal((time, 6))
    frames[:, feature] += 3
    return frames.astype(np.float32)


def table(folder, name: str, clips: dict[str, list[np.ndarray]]):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "frame_shift"])
        for label, arrays in clips.items():
            for i, frames in enumerate(arrays):
                path = folder / f"{name[:-4]}-{label or 'none'}-{i}.npy"
                np.save(path, frames)
                rows.writerow([path.name, label, 0.01])
    return folder / name


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Held-out clips of the classes, others; and as many again to measure with."""
    folder = tmp_path_factory.mktemp("sets")
    made = []
    for name, seeds in (("dev", range(12)), ("measure", range(50, 60))):
        known = {label: [frames_of(feature, i) for i in seeds] for label, feature in CLASSES.items()}
        others = {"thing": [frames_of(OTHER, i) for i in (*seeds, *range(90, 100))]}
        made += [table(folder, f"{name}.csv", known), table(folder, f"{name}-others.csv", others)]
    return made


def graph_of(folder):
    return onnx.load_from_string((folder / ENCODER).read_bytes())


def run(graph, frames, names):
    return run_outputs(open_graph(graph.SerializeToString(), "graph", 1), frames[None], names)


def test_energies_and_states_are_those_of_the_model(tmp_path):
    model, folder = exported(tmp_path / "model", streams=(3, 3))
    frames = frames_of(2, 0, time=17)
    output, energy, states = run(with_evidence(graph_of(folder)), frames, ("outputs", ENERGY, STATES))
    batch, lengths = torch.from_numpy(frames)[None], torch.tensor([17])
    with torch.no_grad():
        hidden, lengths = model.encoder(model.normaliser(batch, lengths), lengths)
        pooled = [(head.score(part).softmax(dim=1) * part).sum(dim=1)
                  for head, part in zip(model.head.heads, hidden[-1].chunk(2, dim=-1))]
        logits = [head.output(part)[0].numpy() for head, part in zip(model.head.heads, pooled)]
    np.testing.assert_allclose(states[0], torch.cat(pooled, dim=-1)[0], atol=1e-4)
    assert energy[0] == pytest.approx(np.mean([logsumexp(each) for each in logits]), abs=1e-4)
    np.testing.assert_allclose(log_softmax(np.mean([log_softmax(each) for each in logits], axis=0)), output[0],
                               atol=1e-4)


def test_the_graph_computes_what_was_fitted_and_nothing_else_changes(classifier):
    graph, frames = graph_of(classifier[1]), frames_of(1, 3)
    states = run(with_evidence(graph), frames, (STATES,))[0].astype(float)
    rng = np.random.default_rng(1)
    layer = rng.standard_normal((states.shape[1], 5)), rng.standard_normal(5)
    fitted = with_familiarity(graph, layer)
    logits = states[0] @ layer[0] + layer[1]
    assert run(fitted, frames, (FAMILIARITY,))[0][0] == pytest.approx(logsumexp(logits[:4]) - logits[4], abs=1e-3)
    np.testing.assert_array_equal(run(fitted, frames, ("outputs",))[0], run(graph, frames, ("outputs",))[0])
    again = with_familiarity(fitted)  # replaces it
    assert [output.name for output in again.graph.output] == ["outputs", FAMILIARITY]
    assert run(again, frames, (FAMILIARITY,)) == run(with_evidence(graph), frames, (ENERGY,))
    onnx.checker.check_model(again)


def test_the_temperature_is_the_likeliest():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (2000, 4))
    targets = np.array([rng.choice(4, p=np.exp(log_softmax(row / 1.7))) for row in logits])

    def loss(t):
        return -log_softmax(logits / t, axis=1)[np.arange(2000), targets].mean()

    assert fit_temperature(logits, targets) == pytest.approx(minimize_scalar(loss, (0.5, 2)).x, rel=0.03)
    assert fit_temperature(logits, targets) == pytest.approx(1.7, rel=0.1)


def test_a_layer_tells_clusters_from_what_lies_between_them():
    rng = np.random.default_rng(1)
    centres = np.array([[4.0, 0], [-4, 0], [0, 4]])
    targets = np.repeat([0, 1, 2], 50)
    states = np.column_stack([centres[targets] + 0.5 * rng.standard_normal((150, 2)), np.full(150, 7.0)])
    others = np.column_stack([0.5 * rng.standard_normal((80, 2)), np.full(80, 7.0)])
    weights, biases = fit_layer(states, targets, others, 1.0)
    assert weights.shape == (3, 4) and not weights[2].any()  # a constant says nothing
    assert (layer_scores(states, (weights, biases)) > 0).mean() > 0.98
    assert (layer_scores(others, (weights, biases)) > 0).mean() < 0.02
    # a class that no held-out clip is of takes no part
    few = fit_layer(states[targets != 1], targets[targets != 1], others, 1.0)
    assert not few[0][:, 1].any() and (layer_scores(states[targets == 2], few) > 0).all()


def test_calibrated_measured_and_asked(classifier, sets, tmp_path, capsys):
    dev, others, measure, more = sets
    report, errors = calibrate_model(str(classifier[1]), [dev], [others], 0.9, tmp_path / "mine")
    assert not errors and "chosen: " in report and "stored in" in report
    config = read_config(tmp_path / "mine")
    assert config.unknown["keep"] == 0.9 and config.unknown["score"] in ("energy", "states")
    assert not read_config(classifier[1]).unknown  # a copy was calibrated
    measured, errors = evaluate_model(str(tmp_path / "mine"), measure, others=[more])
    assert not errors and measured.unknown.clips == 30 and measured.unknown.other_clips == 20
    assert measured.unknown.named >= 20 and measured.unknown.others_named <= 3
    assert measured.unknown.named == measured.unknown.right + measured.unknown.wrong
    assert "other clips with a name" in measured.text()
    assert json.loads(measured.json())["unknown"]["others"] == [
        {"label": "thing", "clips": 20, "named": measured.unknown.others_named}]

    # What `classify` says is the numbers' own.
    recogniser = SpeechRecogniser(tmp_path / "mine", "classification")
    foreign = next(found for found in map(recogniser.classify, sorted(more.parent.glob("measure-others-*.npy")))
                   if not found.known)
    assert main(["classify", foreign.path, "--model", str(tmp_path / "mine")]) == 0
    assert capsys.readouterr().out.startswith(f"unknown (most like {foreign.label} ")
    assert foreign.familiarity.score < foreign.familiarity.threshold == pytest.approx(config.unknown["threshold"])
    scaled = Runtime(classifier[1]).outputs(np.load(foreign.path)) / config.unknown["temperature"]
    assert sorted(foreign.probabilities.values()) == pytest.approx(sorted(np.exp(log_softmax(scaled))), abs=1e-5)


def test_without_other_clips_energy_keeps_the_share(classifier, sets, tmp_path):
    report, _ = calibrate_model(str(classifier[1]), [sets[0]], keep=0.75, output=tmp_path / "mine")
    assert "chosen" not in report and read_config(tmp_path / "mine").unknown["score"] == "energy"
    measured, _ = evaluate_model(str(tmp_path / "mine"), sets[0])
    assert measured.unknown.named == 27  # three quarters of 36, which are what it was fitted on
    assert measured.unknown.others == () and "other clips" not in measured.text()
    # Its own place is as good as another; and a model of the same training takes over what was fitted.
    shutil.copytree(classifier[1], tmp_path / "whole")
    take_over(Runtime(tmp_path / "whole"), tmp_path / "mine")
    assert read_config(tmp_path / "whole") == read_config(tmp_path / "mine")
    assert evaluate_model(str(tmp_path / "whole"), sets[0])[0].unknown == measured.unknown
    calibrate_model(str(tmp_path / "whole"), [sets[0]], keep=0.5)
    assert evaluate_model(str(tmp_path / "whole"), sets[0])[0].unknown.named == 18


def test_what_cannot_be_calibrated_is_refused(classifier, sets, tmp_path):
    model = str(classifier[1])
    with pytest.raises(EarsightError, match="writes text; `earsight tune-decoder`"):
        calibrate_model(str(exported(tmp_path / "text")[1]), [sets[0]], output=tmp_path / "out")
    with pytest.raises(EarsightError, match="--keep 0.2: give a share from 0.5"):
        calibrate_model(model, [sets[0]], keep=0.2, output=tmp_path / "out")
    with pytest.raises(EarsightError, match="few.csv: 6 clips of the classes; .* fewer than 20"):
        few = table(tmp_path, "few.csv", {"a": [frames_of(1, i) for i in range(6)]})
        calibrate_model(model, [few], output=tmp_path / "out")
    with pytest.raises(EarsightError, match="few.csv: 6 other clips; fewer than 20"):
        calibrate_model(model, [sets[0]], [few], output=tmp_path / "out")
    with pytest.raises(EarsightError, match="its label 'thing' is none of the model's; give such clips as --others"):
        calibrate_model(model, [sets[1]], output=tmp_path / "out")
    with pytest.raises(EarsightError, match="digits: an installed model, which stays as it is"):
        calibrate_model("digits", [sets[0]])
    with pytest.raises(EarsightError, match="does not tell what is none of its classes"):
        evaluate_model(model, sets[0], others=[sets[1]])
    with pytest.raises(EarsightError, match="is not calibrated"):
        take_over(Runtime(model), classifier[1], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_settings_that_were_edited_are_told(classifier, tmp_path):
    folder = tmp_path / "edited"
    shutil.copytree(classifier[1], folder)
    plain = json.loads((folder / "config.json").read_text())
    good = {"temperature": 1.0, "threshold": 0.0, "scale": 1.0, "keep": 0.95, "score": "energy"}
    for wrong in ({"threshold": 0.0}, good | {"temperature": 0}, good | {"threshold": "high"}, [1]):
        (folder / "config.json").write_text(json.dumps(plain | {"unknown": wrong}))
        with pytest.raises(EarsightError, match="damaged, 'unknown' is missing or wrong"):
            Runtime(folder)
    (folder / "config.json").write_text(json.dumps(plain | {"unknown": good}))
    with pytest.raises(EarsightError, match="gives no score for it; fit both again with `earsight calibrate`"):
        Runtime(folder)
