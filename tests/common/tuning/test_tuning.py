"""`earsight tune`: studies that processes share, and the finders."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import optuna
import pytest
import torch
import yaml

from conftest import REPOSITORY, tiny_run
from earsight.app.media import name_classes
from earsight.common.errors import EarsightError
from earsight.common.nn.module import SequenceModel
from earsight.common.training.running import resolve, run_training
from earsight.common.tuning.batch_finder import Trial, choose, find_batch
from earsight.common.tuning.learning_rate_finder import find_learning_rate, suggest_rate
from earsight.common.tuning.report import write_report
from earsight.common.tuning.search_space import parse_space
from earsight.common.tuning.study import tune
from earsight.common.tuning.trial import PRUNED, STUDY, open_storage

name_classes()  # for the recipes
RATE = "model.optimiser.learning_rate"


def arguments(corpus, run, *options, labels="characters", epochs=1):
    data = corpus / ("classes" if labels == "classes" else "tones.csv")
    return tiny_run(data, run, labels, *options, epochs=epochs)[1:]


def start(corpus, study, trials, *options):
    command = [sys.executable, "-m", "earsight", "tune", *arguments(corpus, study), "--trials", str(trials),
               "--study", str(study), *options]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def trials_of(study):
    place = study / "study.log"
    if not place.exists():
        return []
    try:
        return optuna.load_study(study_name=STUDY, storage=open_storage(str(place))).trials
    except KeyError:  # not made yet
        return []


def test_two_processes_share_a_study_and_one_is_killed(tone_corpus, tmp_path):
    options = "--space", f"{RATE}=log(1e-3,1e-2)", "model.encoder.hidden=int(8,16,4)"
    killed, other = (start(tone_corpus, tmp_path, 4, *options) for _ in range(2))
    while not all((tmp_path / f"trial-00{n}/output.log").exists() for n in range(2)):
        assert killed.poll() is None and other.poll() is None, killed.stdout.read() + other.stdout.read()
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    said = other.communicate(timeout=300)[0]
    assert other.returncode == 0, said
    last = start(tone_corpus, tmp_path, 4, *options)
    said = last.communicate(timeout=300)[0]
    assert last.returncode == 0 and "report.md: 4 trials" in said, said

    trials = trials_of(tmp_path)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 4
    assert len({trial.params[RATE] for trial in trials}) == 4
    report = json.loads((tmp_path / "report.json").read_text())
    assert [trial["state"] for trial in report["trials"]] == ["complete"] * 4
    assert report["best"]["value"] == min(trial.value for trial in trials)
    assert (tmp_path / "history.png").stat().st_size > 1000
    for trial in trials:  # each did what it says, once
        run = tmp_path / f"trial-{trial.number:03}"
        assert yaml.safe_load((run / "logs/config.yaml").read_text())["model"]["init_args"]["encoder"]["hidden"] == (
            trial.params["model.encoder.hidden"])
        assert len(trial.intermediate_values) == 1 and (run / "model.ckpt").is_file()

    best = resolve(["--config", "configs/tiny.yaml", "--config", str(tmp_path / "best.yaml")])["model"]["init_args"]
    assert best["optimiser"]["learning_rate"] == pytest.approx(report["best"]["settings"][RATE])
    assert best["encoder"]["layers"] == 2  # the recipe's
    with pytest.raises(EarsightError, match="holds a study of another space .*hidden"):
        tune(arguments(tone_corpus, tmp_path), 5, [f"{RATE}=log(1e-3,1e-2)"], tmp_path, None, 1, True)
    with pytest.raises(EarsightError, match="holds a study of another recipe .max_epochs"):
        tune(arguments(tone_corpus, tmp_path, epochs=2), 5, options[1:], tmp_path, None, 1, True)


def test_a_failing_trial_is_told_and_the_study_goes_on(tone_corpus, tmp_path, capsys):
    # By this seed the first trial has no convolutions, which the stride needs; the second has.
    def go(trials):
        tune(arguments(tone_corpus, tmp_path), trials, ["model.encoder.channels=choice(0,24)"], tmp_path,
             f"sqlite:///{tmp_path}/study.db", 3, True)

    with pytest.raises(EarsightError, match="all 1 trials failed.*encoder.stride 2 needs the convolutions"):
        go(1)
    go(2)
    assert "trial 1: val_wer" in capsys.readouterr().out
    first, second = json.loads((tmp_path / "report.json").read_text())["trials"]
    assert (first["state"], second["state"]) == ("failed", "complete")
    assert "encoder.stride" in first["error"] and "encoder.stride" in (tmp_path / "report.md").read_text()


def test_a_trial_worse_than_the_median_ends_early(tone_corpus, tmp_path):
    place = str(tmp_path / "study.log")
    study = optuna.create_study(study_name=STUDY, storage=open_storage(place))
    for _ in range(5):
        trial = study.ask()
        for epoch in range(6):
            trial.report(0.0, epoch)
        study.tell(trial, 0.0)
    trial = study.ask()
    callback = ["--trainer.callbacks+=earsight.common.tuning.trial.ReportTrial", f"--trainer.callbacks.storage={place}",
                f"--trainer.callbacks.number={trial.number}", "--trainer.callbacks.prune=true",
                "--trainer.callbacks.warmup=2"]
    assert run_training(tiny_run(tone_corpus / "tones.csv", tmp_path / "run", "characters", *callback, epochs=6)) == 0
    ended = study.trials[-1]
    assert list(ended.intermediate_values) == [0, 1, 2] and ended.user_attrs[PRUNED]


def test_the_report_tells_what_mattered(tmp_path):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for name, value in (("metric", "val_wer"), ("space", {"much": "uniform(0,1)", "little": "uniform(0,1)"})):
        study.set_user_attr(name, value)
    for _ in range(30):
        trial = study.ask()
        value = trial.suggest_float("much", 0, 1) + 0.05 * trial.suggest_float("little", 0, 1)
        trial.set_user_attr("best", value)
        study.tell(trial, value)
    write_report(study, tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["importance"]["much"] > 0.9 > 0.1 > report["importance"]["little"]
    assert report["best"]["value"] == study.best_value
    row = f"| much | {study.best_params['much']:.3g} | uniform(0,1) | {report['importance']['much']:.2f} |"
    assert row in (tmp_path / "report.md").read_text()
    for name in ("importance.png", "history.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("space, complaint", [
    (["model.encoder.hiden=int(8,16)"], "hiden.*did you mean 'hidden'"),
    (["model.encoder.cell=choice(lstm,gru)", "model.optimiser.schedule=choice(one_cycle,none)"], "Got value: none"),
    ([f"{RATE}=logarithmic(1,2)"], "no range that is known; give log"),
    ([f"{RATE}=log(0,1)"], "above 0 for log"),
    ([f"{RATE}=uniform(1,zwei)"], "needs numbers"),
    ([RATE], "give SETTING=RANGE"),
    ([f"{RATE}=log(1e-3,1)", f"{RATE}=uniform(0,1)"], "given twice"),
    (["missing.yaml"], "missing.yaml: cannot be read"),
])
def test_a_space_that_cannot_be_searched(space, complaint, tone_corpus, tmp_path):
    with pytest.raises(EarsightError, match=complaint):
        tune(arguments(tone_corpus, tmp_path / "run"), 1, space, tmp_path / "study", None, 1, True)
    assert not (tmp_path / "study").exists()


def test_a_space_of_a_file(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(f"{RATE}: log(1e-4, 1e-2)\nmodel.encoder.cell: choice(lstm, gru)\nmodel.spectrum: choice(null)\n")
    rate, cell, spectrum = parse_space([str(path)])
    assert (rate.distribution.low, rate.distribution.high, rate.distribution.log) == (1e-4, 1e-2, True)
    assert cell.examples() == ("lstm", "gru") and spectrum.examples() == (None,)
    for text, complaint in (("- 3\n", "holds no settings"), ("model.encoder.cell: 3\n", "holds no lines of SETTING")):
        path.write_text(text)
        with pytest.raises(EarsightError, match=f"space.yaml: {complaint}"):
            parse_space([str(path)])
    assert {setting.name for setting in parse_space([])} >= {RATE, "model.encoder.dropout"}


def test_a_tenth_of_the_rate_where_the_loss_rises_again():
    rates = np.geomspace(1e-6, 1, 100)
    position = np.log10(rates)
    # Falls by 2 around 1e-3; has risen by 5 % of that where exp(6 (x + 0.7)) = 0.1, at 10^-1.08 = 0.083.
    losses = 3 - 2 / (1 + np.exp(-4 * (position + 3))) + np.exp(6 * (position + 0.7))
    losses += 0.01 * np.random.default_rng(0).standard_normal(100)
    assert 5e-3 < suggest_rate(rates, losses) < 1.2e-2
    assert suggest_rate(rates[:60], losses[:60]) == pytest.approx(rates[59] / 10)  # never rises
    with pytest.raises(EarsightError, match="does not fall"):
        suggest_rate(rates, np.linspace(1, 4, 100))
    with pytest.raises(EarsightError, match="not finite"):
        suggest_rate(rates, np.full(100, np.nan))


def test_the_learning_rate_of_a_recipe(tone_corpus, tmp_path, capsys):
    found = find_learning_rate(arguments(tone_corpus, tmp_path, "--data.curriculum", "5", "--model.optimiser.schedule",
                                         "plateau", labels="classes"))
    assert 1e-5 < found < 0.3 and f"learning rate {found:.2g}" in capsys.readouterr().out
    assert (tmp_path / "lr_finder.png").read_bytes().startswith(b"\x89PNG")
    taken = resolve(["--config", "configs/tiny.yaml", "--config", str(tmp_path / "learning_rate.yaml")])
    assert taken["model"]["init_args"]["optimiser"]["learning_rate"] == pytest.approx(found, rel=0.05)


def test_shares_of_the_learning_rate_are_kept(tone_corpus, tmp_path, monkeypatch):
    def learning_rates(self):
        head = list(self.head.parameters())
        return [(head, 0.1), ([p for name, p in self.named_parameters() if not name.startswith("head.")], 1.0)]

    def step(self, *given, original=torch.optim.AdamW.step, **named):
        result = original(self, *given, **named)
        used.append(sorted({group["lr"] for group in self.param_groups}))
        return result

    used = []
    monkeypatch.setattr(SequenceModel, "learning_rates", learning_rates)
    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    find_learning_rate(arguments(tone_corpus, tmp_path, labels="classes"), steps=20)
    assert len(used) > 5 and used[0] == pytest.approx([1e-7, 1e-6])
    assert all(high == pytest.approx(10 * low) for low, high in used)


def test_the_batch_that_is_fastest(tone_corpus, tmp_path, capsys):
    trials = [Trial(10, 4, 1e9, 1.0), Trial(14, 6, 1e9, 0.8), Trial(20, 8, 1e9, 1.1), Trial(28, 12, 1e9, 1.7)]
    assert choose(trials) == 14
    found = find_batch(arguments(tone_corpus, tmp_path), None)
    said = capsys.readouterr().out
    assert "hours/h" in said and "no more clips" in said
    durations = [float(line.split()[0]) for line in said.splitlines()[1:] if line.startswith("  ")]
    assert len(durations) > 1 and durations == sorted(set(durations))
    assert any(found == pytest.approx(duration, abs=0.05) for duration in durations)
    taken = yaml.safe_load((tmp_path / "batch_duration.yaml").read_text())
    assert taken["data"]["init_args"]["batch_duration"] == pytest.approx(found, abs=0.5)
    find_batch(arguments(tone_corpus, tmp_path), 0.001)
    assert "longer ones would need more than 0.0 GB" in capsys.readouterr().out


def test_stopped_by_sigterm(tone_corpus, tmp_path):
    study = start(tone_corpus, tmp_path, 2, "--trainer.max_epochs", "1000", "--space", f"{RATE}=log(1e-3,1e-2)")
    while not (tmp_path / "trial-000/last.ckpt").exists():
        assert study.poll() is None, study.stdout.read()
        time.sleep(0.05)
    study.send_signal(signal.SIGTERM)
    said = study.communicate(timeout=60)[0]
    assert study.returncode == 128 + signal.SIGTERM and "stopped by SIGTERM; the same command goes on" in said
    assert [trial.state.name for trial in trials_of(tmp_path)] == ["RUNNING"]
    assert "stopped by SIGTERM" in (tmp_path / "trial-000/output.log").read_text()
