"""`earsight predict`: each clip once, in order, in one process or two, and on from where a kill stopped it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from conftest import REPOSITORY
from earsight.app.main import main
from earsight.audio.model import load_model
from earsight.common.data.manifest import read_manifest
from earsight.common.training.predicting import Parts, parts_key

CPU = ("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false")


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def manifest(tone_corpus, tmp_path_factory):
    """Tones with their texts, prepared."""
    folder = tmp_path_factory.mktemp("prepared")
    assert main(["prepare", "csv", str(tone_corpus / "tones.csv"), str(folder), "dev_share=0", "test_share=0"]) == 0
    return folder / "train.jsonl.gz"


@pytest.fixture(scope="module")
def alone(tone_runs, manifest, tmp_path_factory):
    output = tmp_path_factory.mktemp("predicted") / "alone.jsonl"
    assert main(["predict", "--model", str(tone_runs["ctc"] / "model.ckpt"), str(manifest), "--output", str(output),
                 "--workers", "0", *CPU]) == 0
    return output


def test_a_line_a_clip_in_the_manifests_order(alone, manifest):
    cuts = list(read_manifest(manifest))
    assert [line["id"] for line in lines(alone)] == [cut.id for cut in cuts]
    assert [line["text"] for line in lines(alone)] == [cut.supervisions[0].text for cut in cuts]
    assert [path.name for path in alone.parent.iterdir()] == [alone.name]


def test_two_processes_give_the_same(alone, tone_runs, manifest, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "earsight", "predict", "--model", str(tone_runs["ctc"] / "model.ckpt"), str(manifest),
         "--output", str(tmp_path / "two.jsonl"), "--workers", "0", *CPU, "--trainer.devices", "2",
         "--trainer.strategy", "ddp"], cwd=REPOSITORY, capture_output=True, text=True, env=os.environ, timeout=200)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "two.jsonl").read_text() == alone.read_text()
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_done_is_not_done_again(alone, tone_runs, manifest, tmp_path):
    """A job that was killed left two parts, one with a line cut short."""
    known = [{**line, "text": "kept"} for line in lines(alone)[:3]]
    model = load_model(tone_runs["ctc"] / "model.ckpt")
    parts = Parts(tmp_path / "out.jsonl", parts_key(model, read_manifest(manifest)))
    parts.path(0, 0).write_text("".join(json.dumps(line) + "\n" for line in known[:2]) + '{"id": "0')
    parts.path(0, 1).write_text(json.dumps(known[2]) + "\n")
    assert main(["predict", "--model", str(tone_runs["ctc"] / "model.ckpt"), str(manifest), "--output",
                 str(tmp_path / "out.jsonl"), "--workers", "0", *CPU]) == 0
    assert lines(tmp_path / "out.jsonl") == known + lines(alone)[3:]


def test_parts_of_another_model_are_not_joined(alone, tone_runs, manifest, tmp_path, capsys):
    other = load_model(tone_runs["ctc"] / "model.ckpt")
    other.head.output.bias.data += 1e-3
    cuts = read_manifest(manifest)
    left = [Parts(tmp_path / "out.jsonl", parts_key(*given)).path(0, 0) for given in (
        (other, cuts), (load_model(tone_runs["ctc"] / "model.ckpt"), cuts.subset(first=3)))]
    for part in left:
        part.write_text("".join(json.dumps({**line, "text": "another's"}) + "\n" for line in lines(alone)))
    assert main(["predict", "--model", str(tone_runs["ctc"] / "model.ckpt"), str(manifest), "--output",
                 str(tmp_path / "out.jsonl"), "--workers", "0", *CPU]) == 0
    assert (tmp_path / "out.jsonl").read_text() == alone.read_text()
    assert sorted(tmp_path.iterdir()) == sorted([*left, tmp_path / "out.jsonl"])
    assert "left by another model or manifest, and not used (2 such files)" in capsys.readouterr().err


def test_killed_in_the_middle_and_gone_on_with(alone, tone_runs, manifest, tmp_path):
    slow = ("import sys, time, earsight.common.training.predicting as predicting\n"
            "predicting.BATCH_DURATION, results = 2, predicting.results\n"
            "def slowly(*given):\n    time.sleep(0.3)\n    return results(*given)\n"
            "predicting.results = slowly; from earsight.app.main import main; sys.exit(main(sys.argv[1:]))")
    command = ["predict", "--model", str(tone_runs["ctc"] / "model.ckpt"), str(manifest), "--output",
               str(tmp_path / "out.jsonl"), "--workers", "1", *CPU]
    job = subprocess.Popen([sys.executable, "-c", slow, *command], cwd=REPOSITORY)
    while not any(part.read_text().count("\n") >= 2 for part in tmp_path.glob(".*.part")):
        assert job.poll() is None
        time.sleep(0.01)
    job.kill()
    assert job.wait() == -signal.SIGKILL and not (tmp_path / "out.jsonl").exists()
    (part,) = tmp_path.glob(".*.part")
    assert 2 <= part.read_text().count("\n") < len(lines(alone))
    # What the first job has done is taken as it is.
    part.write_text(part.read_text().replace('"text": "', '"text": "kept '))
    assert main(command) == 0
    found = lines(tmp_path / "out.jsonl")
    assert [line["id"] for line in found] == [line["id"] for line in lines(alone)]
    assert 2 <= sum(line["text"].startswith("kept ") for line in found) < len(found)
    assert [line["text"].removeprefix("kept ") for line in found] == [line["text"] for line in lines(alone)]


def test_a_clip_that_cannot_be_read_is_named_and_the_others_are_done(alone, tone_runs, tone_corpus, manifest, tmp_path,
                                                                     capsys):
    for path in (tone_corpus / "text").iterdir():
        (tmp_path / "text").mkdir(exist_ok=True)
        (tmp_path / "text" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "tones.csv").write_text((tone_corpus / "tones.csv").read_text())
    assert main(["prepare", "csv", str(tmp_path / "tones.csv"), str(tmp_path / "m"), "dev_share=0",
                 "test_share=0"]) == 0
    (tmp_path / "text" / "03.wav").write_bytes(b"no sound")
    assert main(["predict", "--model", str(tone_runs["ctc"] / "model.ckpt"), str(tmp_path / "m" / "train.jsonl.gz"),
                 "--output", str(tmp_path / "out.jsonl"), "--workers", "0", *CPU]) == 1
    found = lines(tmp_path / "out.jsonl")
    assert len(found) == 12 and [line for line in found if "error" in line][0]["id"].endswith("03")
    assert sum("error" in line for line in found) == 1 and "error: " in capsys.readouterr().err


def test_classes_have_probabilities(tone_runs, tone_corpus, tmp_path):
    assert main(["predict", "--model", str(tone_runs["classification"] / "model.ckpt"), str(tone_corpus / "classes"),
                 "--output", str(tmp_path / "out.jsonl"), "--workers", "1", *CPU]) == 0
    found = lines(tmp_path / "out.jsonl")
    assert len(found) == 12
    assert all(line["label"] in line["id"] and 0.3 < line["probability"] <= 1 for line in found)


def test_options_that_are_unknown(tone_runs, manifest, tmp_path, capsys):
    command = ["predict", "--model", str(tone_runs["ctc"] / "model.ckpt"), str(manifest), "--output", "out.jsonl"]
    assert main([*command, "--trainer.device", "2"]) == 1
    assert "error: " in capsys.readouterr().err
    with pytest.raises(SystemExit) as status:
        main([*command, "--divices", "2"])
    assert status.value.code == 2


@pytest.mark.parametrize("options, said", [
    (["--trainer.devices", "0"], "error: --trainer: "),
    (["--trainer.devices", "-1"], "error: --trainer: "),
    (["--trainer.accelerator", "x"], "error: --trainer: "),
    (["--output", "."], "error: .: a folder; name a file"),
])
def test_trainers_and_outputs_that_cannot_be(options, said, tone_runs, manifest, capsys):
    assert main(["predict", "--model", str(tone_runs["ctc"] / "model.ckpt"), str(manifest), "--output", "out.jsonl",
                 "--trainer.accelerator", "cpu", *options]) == 1
    assert capsys.readouterr().err.startswith(said)


def test_fewer_readers_than_none(capsys):
    with pytest.raises(SystemExit) as status:
        main(["predict", "--model", "a.ckpt", "a.jsonl", "--output", "out.jsonl", "--workers", "-1"])
    assert status.value.code == 2 and "is not a whole number from 0" in capsys.readouterr().err
