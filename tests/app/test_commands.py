"""The front door as a person uses it, on good and bad input: real processes, but for what would load torch in each."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import earsight
from conftest import REPOSITORY, TONES, tone, write_wav
from earsight.app.main import main
from earsight.common.errors import EarsightError


def run(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "earsight", *map(str, arguments)], capture_output=True, text=True,
                          cwd=REPOSITORY, env={**os.environ, "OMP_NUM_THREADS": "1"}, **options)


@pytest.fixture
def called(capsys):
    """`run` in this process, for commands of training: `test_offline.py` runs each of them as a process."""
    def call(*arguments) -> subprocess.CompletedProcess:
        capsys.readouterr()
        status = main(list(map(str, arguments)))
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())

    return call


@pytest.fixture
def spoken(tone_corpus):
    """Some clips, and what is said in them."""
    rows = (tone_corpus / "tones.csv").read_text().splitlines()[1:]
    return {tone_corpus / path: text for path, text in (row.split(",") for row in rows)}


def test_transcribe_files(spoken, tone_models):
    done = run("transcribe", *spoken, "--model", tone_models["ctc"])
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.splitlines() == [f"{path}: {text}" for path, text in spoken.items()]


def test_one_clip_prints_its_text_alone(spoken, tone_models):
    path, text = list(spoken.items())[2]
    assert run("transcribe", path, "--model", tone_models["ctc"]).stdout == f"{text}\n"


def test_json_and_output_folder(spoken, tone_models, tmp_path):
    path, text = list(spoken.items())[2]
    lines = run("transcribe", path, "--model", tone_models["ctc"], "--format", "json").stdout
    result = json.loads(lines)
    assert result["path"] == str(path) and result["text"] == text and result["model"] == "ctc"
    assert result["duration"] == pytest.approx(soundfile.info(path).duration, abs=0.02)
    done = run("transcribe", path.parent, "--model", tone_models["ctc"], "--output", tmp_path / "out", "--jobs", "2")
    assert done.returncode == 0 and done.stdout == ""
    written = {file.name: file.read_text() for file in (tmp_path / "out").iterdir()}
    assert written == {f"{clip.stem}.txt": f"{said}\n" for clip, said in spoken.items()}


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate", [22050, 48000])
def test_formats_rates_and_channels(suffix, rate, tone_models, tmp_path):
    sound = np.concatenate([tone(TONES["hi"], 0.35, rate), np.zeros(rate // 10, np.float32)])
    clip = tmp_path / f"ein Clip mit ü.{suffix}"
    soundfile.write(clip, np.stack([sound, sound], axis=1), rate)
    assert earsight.transcribe(clip, tone_models["ctc"]).text == "hi"


def test_decoding_by_the_command_line(spoken, tone_models, tmp_path):
    path, text = list(spoken.items())[2]
    (tmp_path / "text.txt").write_text("\n".join(spoken.values()))
    made = run("lm", tmp_path / "text.txt", "--order", "2", "--output", tmp_path / "lm.arpa")
    assert made.returncode == 0 and "12 sentences" in made.stdout
    (tmp_path / "words.txt").write_text("hi\nlo\nmi\nno\n")
    made = run("lm", tmp_path / "text.txt", "--vocabulary", tmp_path / "words.txt", "--size", "1", "--output",
               tmp_path / "lm.bin")
    assert made.returncode == 0 and "lm.bin: 12 sentences, 7 1-grams" in made.stdout
    base = ("transcribe", path, "--model", tone_models["ctc"], "--format", "json")
    assert json.loads(run(*base, "--lm", tmp_path / "lm.bin").stdout)["text"] == text
    result = json.loads(run(*base, "--lm", tmp_path / "lm.arpa", "--n-best", "2", "--hotwords", "hi:1", "lo").stdout)
    assert result["text"] == text == result["n_best"][0]["text"] and len(result["n_best"]) == 2
    assert [word["text"] for word in result["words"]] == text.split()
    marked = run(*base, "--min-confidence", "1", "--doubtful", "mark")
    assert json.loads(marked.stdout)["text"] == " ".join(f"{word}(?)" for word in text.split())
    assert json.loads(run(*base, "--min-confidence", "1").stdout)["text"] == ""
    (tmp_path / "none.arpa").write_text("no model\n")
    for options, complaint in ((("--lm", tmp_path / "none.arpa"), "none.arpa: no n-gram model"),
                               (("--decoder", "greedy", "--lm", tmp_path / "lm.arpa"), "the decoder is greedy"),
                               (("--hotwords", ""), "hotword '' is empty"),
                               (("--hotwords", "zoo"), "hotword 'zoo': 'z' is outside")):
        done = run(*base, *options)
        assert done.returncode == 1 and done.stderr.startswith("error: ") and complaint in done.stderr
    assert run(*base, "--min-confidence", "2").returncode == 2


def test_classify(tone_corpus, tone_models):
    done = run("classify", tone_corpus / "classes", "--model", tone_models["classification"])
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 12
    assert all(f"classes/{line.split(': ')[1].split()[0]}/" in line for line in lines)
    best = earsight.classify(tone_corpus / "classes/mi/mi1.wav", tone_models["classification"])
    assert best.label == "mi" and sum(best.probabilities.values()) == pytest.approx(1)
    top = run("classify", tone_corpus / "classes/mi/mi1.wav", "--model", tone_models["classification"], "--top", 2)
    assert top.stdout.startswith("mi ") and top.stdout.count("%") == 2


def test_torch_is_never_imported(spoken, tone_models):
    code = (f"import sys, earsight; print(earsight.transcribe({str(next(iter(spoken)))!r}, "
            f"{str(tone_models['ctc'])!r}).text); "
            "print(sorted({'torch', 'lhotse', 'librosa', 'pytorch_lightning'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout.splitlines() == [next(iter(spoken.values())), "[]"], done.stderr


BAD_CLIPS = {
    "missing.wav": None,
    "empty.wav": b"",
    "text.wav": b"this is no sound at all, only letters\n" * 20,
    "nothing.wav": np.zeros(0, np.float32),
    "nan.wav": np.array([0.1, np.nan, 0.2] * 4000, np.float32),
    "inf.wav": np.array([0.1, np.inf, 0.2] * 4000, np.float32),
}


def test_bad_clips_are_named_and_the_others_done(spoken, tone_models, tmp_path):
    for name, content in BAD_CLIPS.items():
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        elif content is not None:
            soundfile.write(tmp_path / name, content, 16000, subtype="FLOAT")
    flac = tmp_path / "cut.flac"
    soundfile.write(flac, tone(440, 3), 16000)
    flac.write_bytes(flac.read_bytes()[: flac.stat().st_size // 2])
    bad = [tmp_path / name for name in BAD_CLIPS] + [flac]
    good, text = list(spoken.items())[2]
    done = run("transcribe", *bad, good, "--model", tone_models["ctc"], "--output", tmp_path / "out")
    assert done.returncode == 1
    assert [file.name for file in (tmp_path / "out").iterdir()] == [f"{good.stem}.txt"]
    assert (tmp_path / "out" / f"{good.stem}.txt").read_text() == f"{text}\n"
    lines = done.stderr.splitlines()
    for path in bad:
        assert len([line for line in lines if line.startswith("error: ") and path.name in line]) == 1, path
    assert lines[-1] == f"error: {len(bad)} of {len(bad) + 1} inputs failed"
    assert "Traceback" not in done.stderr


def test_odd_but_good_clips(tone_models, tmp_path):
    clips = {"one-sample.wav": (np.zeros(1), 16000), "short.wav": (tone(440, 0.005), 16000),
             "silence.wav": (np.zeros(16000), 16000), "high-rate.wav": (np.zeros(192000), 192000),
             "low-rate.wav": (np.zeros(4000), 4000), "channels.flac": (np.zeros((16000, 8)), 16000)}
    for name, (samples, rate) in clips.items():
        soundfile.write(tmp_path / name, samples, rate)
    done = run("transcribe", tmp_path, "--model", tone_models["ctc"], "--format", "json")
    assert done.returncode == 0, done.stderr
    texts = {Path(r["path"]).name: r["text"] for r in map(json.loads, done.stdout.splitlines())}
    assert set(texts) == set(clips)
    assert {texts[name] for name in set(clips) - {"short.wav"}} == {""}
    labelled = run("classify", tmp_path, "--model", tone_models["classification"])
    assert labelled.returncode == 0 and len(labelled.stdout.splitlines()) == len(clips)


def test_damaged_model_folders(spoken, tone_models, tmp_path):
    clip = next(iter(spoken))

    def complaint(name, change):
        shutil.copytree(tone_models["ctc"], tmp_path / name)
        change(tmp_path / name)
        with pytest.raises(EarsightError) as error:
            earsight.transcribe(clip, tmp_path / name)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "encoder.onnx: missing" in complaint("a", lambda folder: (folder / "encoder.onnx").unlink())
    assert "frontend.onnx: missing" in complaint("b", lambda folder: (folder / "frontend.onnx").unlink())
    assert "encoder.onnx: damaged" in complaint("c", lambda folder: (folder / "encoder.onnx").write_bytes(b"x" * 99))
    assert "no model folder" in complaint("d", lambda folder: (folder / "config.json").unlink())
    assert "config.json: damaged" in complaint("e", lambda folder: (folder / "config.json").write_text('{"a": '))
    assert "'stride'" in complaint("f", lambda folder: (folder / "config.json").write_text(
        (folder / "config.json").read_text().replace('"stride"', '"strid"')))
    assert "format" in complaint("g", lambda folder: (folder / "config.json").write_text(
        (folder / "config.json").read_text().replace('"format": 1', '"format": 99')))


def test_a_model_for_another_task_or_that_is_not_there(spoken, tone_models):
    with pytest.raises(EarsightError, match="earsight classify"):
        earsight.transcribe(next(iter(spoken)), tone_models["classification"])
    with pytest.raises(EarsightError, match="'en-huge': no such file or folder, and none"):
        earsight.transcribe(next(iter(spoken)), "en-huge")


def test_stored_frames_of_another_width(tone_models, tmp_path):
    np.save(tmp_path / "frames.npy", np.zeros((50, 40), np.float32))
    done = run("transcribe", tmp_path / "frames.npy", "--model", tone_models["ctc"])
    assert done.returncode == 1 and "(50, 40)" in done.stderr and "(time, 13)" in done.stderr


def test_unwritable_output(spoken, tone_models, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = run("transcribe", next(iter(spoken)), "--model", tone_models["ctc"], "--output", tmp_path / "file" / "out")
    assert done.returncode == 1 and "cannot be written" in done.stderr and "Traceback" not in done.stderr


def test_prepare_check_evaluate(tone_corpus, tone_models, tone_runs, tmp_path, called):
    done = called("prepare", "csv", tone_corpus / "tones.csv", tmp_path, "test_share=0.25")
    assert done.returncode == 0 and "train: " in done.stdout and "test: " in done.stdout, done.stderr
    assert called("check", tmp_path / "train.jsonl.gz", "--model", tone_models["ctc"]).returncode == 0
    wrong = called("check", tmp_path / "train.jsonl.gz", "--sample-rate", 8000)
    assert wrong.returncode == 1 and "wrong rate: " in wrong.stdout
    for model in (tone_models["ctc"], tone_runs["ctc"] / "model.ckpt"):
        done = called("evaluate", model, tmp_path / "train.jsonl.gz", "--json", tmp_path / "report.json")
        assert done.returncode == 0, done.stderr
        assert "WER" in done.stdout and json.loads((tmp_path / "report.json").read_text())["words"]["rate"] == 0


@pytest.mark.parametrize("name", ["progress", "source", "recipes", "testshare"])
def test_prepare_refuses_what_is_no_option(name, tone_corpus, tmp_path, called):
    done = called("prepare", "csv", tone_corpus / "tones.csv", tmp_path, f"{name}=0")
    assert done.returncode == 1 and f"csv has no option '{name}'" in done.stderr and "Traceback" not in done.stderr
    assert not any(tmp_path.iterdir())


def test_evaluate_goes_on_past_a_broken_clip(tone_corpus, tone_models, tone_runs, tmp_path, called):
    for name in ("02.wav", "05.wav"):
        shutil.copy(tone_corpus / "text" / name, tmp_path)
    (tmp_path / "clips.csv").write_text("path,text\n02.wav,lo mi hi\n05.wav,lo\n")
    assert called("prepare", "csv", tmp_path / "clips.csv", tmp_path / "set", "dev_share=0",
                  "test_share=0").returncode == 0
    (tmp_path / "05.wav").write_bytes((tmp_path / "05.wav").read_bytes()[:30])
    for model in (tone_models["ctc"], tone_runs["ctc"] / "model.ckpt"):
        done = called("evaluate", model, tmp_path / "set" / "train.jsonl.gz")
        assert done.returncode == 1 and "05" in done.stderr and "1 utterance" in done.stdout, done.stderr
        assert "Traceback" not in done.stderr


def test_evaluate_classification(tone_corpus, tone_models, tmp_path, called):
    done = called("evaluate", tone_models["classification"], tone_corpus / "classes", "--plot", tmp_path / "c.png",
                  "--json", tmp_path / "c.json")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "c.json").read_text())["accuracy"] == 1
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_train_reports_a_wrong_setting_in_one_line(tmp_path, called):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text((REPOSITORY / "configs/tiny.yaml").read_text().replace("hidden:", "hiden:"))
    done = called("train", "fit", "--config", recipe)
    assert done.returncode == 1 and "'hidden'" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


def test_help_names_every_command():
    text = run("--help").stdout
    for name in ("transcribe", "classify", "prepare", "check", "train", "evaluate", "export", "models", "align"):
        assert name in text


def test_frames_of_ones_own_train_evaluate_and_run(tmp_path, called):
    rng = np.random.default_rng(1)
    rows = ["path,label,frame_shift"]
    for i in range(24):
        frames = rng.standard_normal((20 + i, 3)).astype(np.float32)
        frames[:, 0] += np.linspace(-3, 3, len(frames)) * (1 if i % 2 else -1)
        np.save(tmp_path / f"{i}.npy", frames)
        rows.append(f"{i}.npy,{'rise' if i % 2 else 'fall'},0.04")
    table = tmp_path / "sensors.csv"
    table.write_text("\n".join(rows) + "\n")
    options = ["--data", "earsight.common.data.datamodule.SequenceData", "--data.train", table,
               "--data.validation", table, "--data.labels", "classes", "--data.workers", 0,
               "--model", "earsight.common.nn.module.SequenceModel", "--model.frame_shift", 0.04,
               "--model.encoder.hidden", 8, "--model.encoder.layers", 1,
               "--model.encoder.channels", 8, "--model.optimiser.learning_rate", 0.02, "--trainer.accelerator", "cpu",
               "--trainer.max_epochs", 40, "--trainer.check_val_every_n_epoch", 20, "--run", tmp_path / "run"]
    wrong = called("train", "fit", *options)
    assert wrong.returncode == 1 and "3 features a frame, and the model takes 13" in wrong.stderr.splitlines()[-1]
    done = called("train", "fit", *options, "--model.n_features", 3)
    assert done.returncode == 0, done.stderr
    assert called("export", tmp_path / "run" / "model.ckpt", tmp_path / "model").returncode == 0
    for model in (tmp_path / "run" / "model.ckpt", tmp_path / "model"):
        told = called("evaluate", model, table).stdout
        assert "24 of 24" in told or "100.00 %" in told
    done = run("classify", tmp_path / "1.npy", "--model", tmp_path / "model", "--format", "json")
    assert json.loads(done.stdout)["label"] == "rise"
    assert json.loads(done.stdout)["duration"] == pytest.approx(21 * 0.04)
    write_wav(tmp_path / "sound.wav", tone(440))
    refused = run("classify", tmp_path / "sound.wav", "--model", tmp_path / "model")
    assert refused.returncode == 1 and "takes stored frames" in refused.stderr
