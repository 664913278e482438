"""`earsight learn` end to end on tones: what it makes is a model like any other, and goes on where it was."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from small_corpora import TAKES, labelled_tones

import earsight
from conftest import REPOSITORY, TONES, tone, write_wav
from earsight.app.learning.learning import learn
from earsight.app.learning.sources import read_sources
from earsight.common.errors import EarsightError
from earsight.common.model_folder import read_config


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learn")
    labelled_tones(folder / "clips")
    told = []
    return folder, learn([folder / "clips"], folder / "model", minutes=0.9, tell=told.append), "\n".join(told)


def test_the_model_is_one_like_any_other(learnt):
    folder, learned, told = learnt
    assert learned.model == folder / "model" and learned.figure > 0.9
    low, high = learned.interval
    assert 0 <= low <= learned.figure <= high <= 1
    config = read_config(learned.model)
    assert config.labels["symbols"] == sorted(TONES) and config.medium == "speech" and config.sample_rate == 16000
    clip = write_wav(folder / "new.wav", tone(TONES["mi"] * 1.02, 0.5, seed=99))
    assert earsight.classify(clip, learned.model).label == "mi"
    assert "taken: linear" in told and f"earsight classify CLIP --model {learned.model}" in told


def test_what_stays_together_is_found_in_the_names(learnt):
    _, _, told = learnt
    assert "3 groups: part 2 of the clips' names (s0x, s1x, s2x, ...)" in told


def test_the_page_says_what_was_learnt(learnt):
    folder, learned, _ = learnt
    page = learned.page.read_text()
    for said in ("95 % interval", "bootstrap over 3 groups", "Confusions", "--add", "Taken: linear"):
        assert said in page
    figures = json.loads((folder / "model-learning" / "figures.json").read_text())
    assert figures["clip_count"] == 3 * TAKES and figures["accuracy"] == pytest.approx(learned.figure)


def test_the_recipe_trains_the_same_model_again(learnt, tmp_path):
    from earsight.audio.model import load_model
    from earsight.common.training.running import run_training

    folder, learned, _ = learnt
    assert yaml.safe_load(learned.recipe.read_text())["model"]["class_path"] == "LinearModel"
    assert run_training(["fit", "--config", str(learned.recipe), "--run", str(tmp_path / "run")]) == 0
    before, again = (load_model(run / "model.ckpt").state_dict()
                     for run in (learned.recipe.parent / "run", tmp_path / "run"))
    assert all(np.allclose(before[name], again[name], atol=1e-5) for name in before)


def test_the_same_command_again_computes_nothing_anew(learnt):
    folder, learned, _ = learnt
    frames = {path: path.stat().st_mtime_ns for path in (folder / "model-learning" / "frames").rglob("*.npy")}
    checkpoint = (learned.recipe.parent / "run" / "model.ckpt").stat().st_mtime_ns
    again = learn([folder / "clips"], folder / "model", minutes=0.9, tell=lambda line: None)
    assert again.figure == learned.figure and again.interval == learned.interval
    assert frames == {path: path.stat().st_mtime_ns for path in (folder / "model-learning" / "frames").rglob("*.npy")}
    assert (learned.recipe.parent / "run" / "model.ckpt").stat().st_mtime_ns == checkpoint


def test_a_further_class_is_added(learnt, tmp_path):
    folder, _, _ = learnt
    shutil.copytree(folder / "model", tmp_path / "model")
    shutil.copytree(folder / "model-learning", tmp_path / "model-learning")
    labelled_tones(tmp_path / "more", ["top"])
    added = earsight.learn(tmp_path / "more", tmp_path / "model", minutes=0.9, add=True)
    assert read_config(added.model).labels["symbols"] == sorted([*TONES, "top"])
    for label in ("lo", "top"):
        clip = write_wav(tmp_path / "new.wav", tone(TONES.get(label, 1400.0) * 1.03, 0.4, seed=77))
        assert earsight.classify(clip, added.model).label == label


def test_nothing_to_add_to(tmp_path):
    with pytest.raises(EarsightError, match="nothing was learnt in .* before; leave --add out"):
        learn([labelled_tones(tmp_path / "clips")], tmp_path / "model", add=True)


def test_clips_that_are_set_apart_are_the_measure(tmp_path):
    labelled_tones(tmp_path / "clips")
    rows = ["path,label,split"]
    for path in sorted((tmp_path / "clips").rglob("*.wav")):
        rows.append(f"{path},{path.parent.name},{'test' if '_s2x_' in path.name else 'train'}")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    told = []
    learned = learn([tmp_path / "clips.csv"], tmp_path / "model", minutes=0.9, tell=told.append)
    figures = json.loads((tmp_path / "model-learning" / "figures.json").read_text())
    assert {clip["id"].split("_")[1] for clip in figures["clips"]} == {"s2x"}
    assert figures["clip_count"] == TAKES and "set apart" in "\n".join(told)
    taught = (learned.recipe.parent / "train.jsonl.gz")
    from earsight.common.data.manifest import read_manifest

    assert not any("_s2x_" in cut.id for cut in read_manifest(taught))


# What goes wrong


def material(folder, **options):
    return read_sources([folder], folder.parent / "data", **options)


def test_one_class(tmp_path):
    with pytest.raises(EarsightError, match="one class only, lo; a classifier needs two"):
        material(labelled_tones(tmp_path / "clips", ["lo"]))


def test_a_class_of_one_clip_is_told(tmp_path):
    labelled_tones(tmp_path / "clips")
    write_wav(tmp_path / "clips" / "top" / "only.wav", tone(1400.0))
    found = material(tmp_path / "clips")
    assert len(found.cuts) == 3 * TAKES + 1
    assert any("1 class of one clip (top)" in warning for warning in found.warnings)


def test_classes_of_one_clip_each(tmp_path):
    with pytest.raises(EarsightError, match="3 classes of one clip each; nothing could be held out"):
        material(labelled_tones(tmp_path / "clips", takes=1))


def test_two_folders_of_the_same_clips(tmp_path):
    labelled_tones(tmp_path / "clips")
    shutil.copytree(tmp_path / "clips" / "lo", tmp_path / "clips" / "low")
    with pytest.raises(EarsightError, match="all 6 clips of class lo stand in class low too, with the same content"):
        material(tmp_path / "clips")


def test_a_clip_with_two_labels_is_left_out(tmp_path):
    labelled_tones(tmp_path / "clips")
    shutil.copy(tmp_path / "clips" / "lo" / "lo_s0x_0.wav", tmp_path / "clips" / "hi" / "hi_s9x_9.wav")
    found = material(tmp_path / "clips")
    assert len(found.cuts) == 3 * TAKES - 1
    assert any("2 clips of the same content with different labels left out" in warning for warning in found.warnings)


def test_labels_that_look_alike_are_told_and_not_merged(tmp_path):
    labelled_tones(tmp_path / "clips")
    (tmp_path / "clips" / "mi").rename(tmp_path / "clips" / "Hi ")
    found = material(tmp_path / "clips")
    assert {found.target(cut) for cut in found.cuts} == {"lo", "hi", "Hi"}
    assert any("labels 'Hi' and 'hi' differ by case" in warning for warning in found.warnings)


def test_sound_and_frames_in_one(tmp_path):
    labelled_tones(tmp_path / "clips")
    np.save(tmp_path / "clips" / "lo" / "frames.npy", np.zeros((5, 3), np.float32))
    with pytest.raises(EarsightError, match="clips of several media"):
        material(tmp_path / "clips")


def test_too_many_classes(tmp_path):
    write_wav(tmp_path / "clip.wav", tone(400.0, 3.0))
    rows = [f"clip.wav,label{number // 2},{number / 1000},0.05,clip{number}" for number in range(2100)]
    (tmp_path / "clips.csv").write_text("\n".join(["path,label,start,duration,id", *rows]) + "\n")
    with pytest.raises(EarsightError, match="1050 classes, and 1000 are what is measured"):
        material(tmp_path / "clips.csv")


def test_a_file_that_is_no_sound_is_told_and_the_rest_is_used(tmp_path):
    labelled_tones(tmp_path / "clips")
    (tmp_path / "clips" / "lo" / "broken.wav").write_bytes(b"no sound")
    found = material(tmp_path / "clips")
    assert len(found.cuts) == 3 * TAKES and [name for name, _ in found.failures] == ["broken"]


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan")])
def test_no_time_at_all(minutes, tmp_path):
    with pytest.raises(EarsightError, match="--minutes .*: give a number above 0"):
        learn([labelled_tones(tmp_path / "clips")], tmp_path / "model", minutes=minutes)


def test_too_little_time_keeps_what_was_computed(tmp_path):
    with pytest.raises(EarsightError, match="the time is over after 0 of 18 clips, .*more --minutes goes on"):
        learn([labelled_tones(tmp_path / "clips")], tmp_path / "model", minutes=1e-6)
    assert not (tmp_path / "model").exists() and (tmp_path / "model-learning").is_dir()


def test_the_output_is_something_else(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(EarsightError, match="exists and is no model folder"):
        learn([labelled_tones(tmp_path / "clips")], tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_a_killed_one_goes_on(tmp_path):
    labelled_tones(tmp_path / "clips", takes=12)
    command = [sys.executable, "-m", "earsight", "learn", str(tmp_path / "clips"), "--output", str(tmp_path / "model"),
               "--minutes", "5"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    frames = tmp_path / "model-learning" / "frames"
    while process.poll() is None and not any(frames.rglob("*.npy")):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM and "Traceback" not in said
    assert not (tmp_path / "model").exists()
    kept = {path: path.stat().st_mtime_ns for path in frames.rglob("*.npy")}
    assert kept
    learned = learn([tmp_path / "clips"], tmp_path / "model", minutes=0.9, tell=lambda line: None)
    assert learned.figure > 0.9
    assert kept.items() <= {path: path.stat().st_mtime_ns for path in frames.rglob("*.npy")}.items()
