"""`earsight train` end to end at a small size: it learns, keeps what it says, and refuses what it cannot use."""

import pytest
import torch
import yaml

from conftest import REPOSITORY, tiny_run
from earsight.app.media import name_classes
from earsight.common.checkpoint import read_checkpoint
from earsight.common.errors import EarsightError
from earsight.common.nn.frames import SequenceAugmentation
from earsight.common.training.running import run_training
from earsight.common.training.weights import average_checkpoints


def scalars(run, tag):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "logs"))
    events.Reload()
    return [event.value for event in events.Scalars(tag)], events.Tags()


def test_a_run_learns_and_leaves_what_it_says(tone_runs):
    wer, tags = scalars(tone_runs["ctc"], "val_wer")
    loss, _ = scalars(tone_runs["ctc"], "val_loss")
    assert wer[-1] == 0 and loss[-1] < 0.1 * loss[0]
    assert {"train_loss", "train_blank", "gradient_norm", "val_cer"} <= set(tags["scalars"])
    assert any(tag.startswith("lr-") for tag in tags["scalars"])
    assert "samples/text_summary" in tags["tensors"] and "outputs" in tags["images"]
    accuracy, _ = scalars(tone_runs["classification"], "val_accuracy")
    assert max(accuracy) == 1
    resolved = yaml.safe_load((tone_runs["ctc"] / "logs" / "config.yaml").read_text())
    assert resolved["model"]["init_args"]["encoder"]["hidden"] == 32


def test_the_last_epoch_is_kept_however_good(tone_runs):
    best = max(read_checkpoint(path)["epoch"] for path in tone_runs["classification"].glob("0*.ckpt"))
    assert best < read_checkpoint(tone_runs["classification"] / "last.ckpt")["epoch"] == 11


def test_another_logger_by_one_line(tone_corpus, tmp_path):
    assert run_training(tiny_run(
        tone_corpus / "tones.csv", tmp_path / "run", "characters", "--trainer.logger",
        "pytorch_lightning.loggers.CSVLogger", "--trainer.logger.save_dir", str(tmp_path / "more"))) == 0
    ours = (tmp_path / "run" / "logs" / "metrics.csv").read_text()
    assert "val_wer" in ours and next((tmp_path / "more").rglob("metrics.csv")).read_text() == ours


def test_checkpoints_hold_plain_types(tone_runs):
    checkpoint = torch.load(tone_runs["ctc"] / "model.ckpt", weights_only=True)
    assert checkpoint["earsight"]["medium"] == "speech"
    assert checkpoint["earsight"]["labels"]["kind"] == "characters"


def test_average_is_the_mean_of_the_weights(tone_runs, tmp_path):
    paths = sorted(str(path) for path in tone_runs["ctc"].glob("0*.ckpt"))
    assert len(paths) > 2
    average_checkpoints(paths, paths[0], tmp_path / "average.ckpt")
    name = "head.output.weight"
    each = [read_checkpoint(path)["state_dict"][name] for path in paths]
    mean = read_checkpoint(tmp_path / "average.ckpt")["state_dict"][name]
    torch.testing.assert_close(mean, torch.stack(each).mean(0))
    assert not torch.equal(mean, each[0])


@pytest.mark.parametrize("cell", ["gru", "transformer"])
@pytest.mark.parametrize("labels", ["bpe", "phones"])
def test_other_cells_and_labels_train(cell, labels, tone_corpus, tmp_path):
    (tmp_path / "lexicon.txt").write_text("lo L OW\nmi M IY\nhi HH AY\n")
    assert run_training(tiny_run(
        tone_corpus / "tones.csv", tmp_path, labels, "--model.encoder.cell", cell, "--data.vocabulary", "14",
        "--data.lexicon", str(tmp_path / "lexicon.txt"), "--data.auxiliary_labels", "phones",
        "--model.auxiliary_layer", "1", "--trainer.precision", "bf16-mixed",
        "--model.spectrum", "earsight.audio.augmentation.SpectrumSettings", "--data.augmentation.speed", "0.1",
        "--data.augmentation.noise", "1")) == 0
    losses, _ = scalars(tmp_path, "val_loss")
    assert losses[0] < 100 and (tmp_path / "model.ckpt").is_file()


def test_the_tiny_recipe_overfits_its_clips(tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    assert run_training(["fit", "--config", "configs/tiny.yaml", "--run", str(tmp_path),
                         "--trainer.enable_progress_bar", "false", "--threads", "1"]) == 0
    wer, _ = scalars(tmp_path, "val_wer")
    assert min(wer) == 0


@pytest.mark.parametrize("recipe", sorted(path.name for path in (REPOSITORY / "configs").glob("*.yaml")))
def test_recipes_parse(recipe, monkeypatch, capsys):
    name_classes()
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(SystemExit) as status:
        run_training(["fit", "--config", f"configs/{recipe}", "--print_config"])
    assert status.value.code == 0
    assert "encoder:" in capsys.readouterr().out


def test_an_unknown_key_is_named(tone_corpus, tmp_path):
    with pytest.raises(EarsightError, match="hiden.*hidden"):
        run_training(tiny_run(tone_corpus / "tones.csv", tmp_path, "characters", "--model.encoder.hiden", "3"))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("trainer: {max_epoch: 3}\n")
    with pytest.raises(EarsightError, match="max_epoch.*max_epochs"):
        run_training(["fit", "--config", str(recipe)])
    assert not (tmp_path / "model.ckpt").exists()


@pytest.mark.parametrize("arguments, message", [
    (["--trainer.max_epochs", "x"], "setting trainer.max_epochs: 'x' is not of type int"),
    (["--data.augmentation.speed", "fast"], "setting data.augmentation.speed: 'fast' is not of type float"),
    (["--seed_everything", "a"], "setting seed_everything: 'a' is not of type bool or int"),
    (["--trainer.precision", "7"], "setting trainer.precision: .*'bf16-mixed'"),
    (["--config", "nowhere.yaml"], "does not exist: '.*nowhere.yaml'"),
])
def test_a_setting_of_the_wrong_type_is_named(arguments, message):
    with pytest.raises(EarsightError, match=message):
        run_training(["fit", "--config", "configs/an4.yaml", *arguments])


@pytest.mark.parametrize("content, complaint", [
    (b"data:\n  init_args: [1,\n  foo: {bar\n", r"line [34] is no YAML .*mend it there"),
    (b"\xff\xfe\x00", "cannot be read as YAML"),
    (b"- 1\n- 2\n", "holds no settings"),
    (b"", "holds no settings"),
])
@pytest.mark.parametrize("joined", [True, False])
def test_a_recipe_that_is_none_is_named(content, complaint, joined, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_bytes(content)
    with pytest.raises(EarsightError, match=f"^{recipe}: {complaint}"):
        run_training(["fit", f"--config={recipe}"] if joined else ["fit", "--config", str(recipe)])


def test_a_logger_whose_package_is_not_there(tone_corpus, tmp_path, monkeypatch):
    from lightning_utilities.core.imports import RequirementCache

    # Whether or not it is here: a release that will never be.
    monkeypatch.setattr("pytorch_lightning.loggers.wandb._WANDB_AVAILABLE", RequirementCache("wandb>=10000"))
    name = "pytorch_lightning.loggers.WandbLogger"
    with pytest.raises(EarsightError, match=f"{name}: .*wandb"):
        run_training(tiny_run(tone_corpus / "tones.csv", tmp_path, "characters", "--trainer.logger", name))


def test_no_recipe_at_all():
    with pytest.raises(EarsightError, match="name a recipe"):
        run_training(["fit"])


def test_a_run_that_is_written_over_is_told(tone_corpus, tmp_path, capsys):
    settings = tiny_run(tone_corpus / "tones.csv", tmp_path, "characters", "--trainer.max_epochs", "1")
    for told in (False, True):
        assert run_training(settings) == 0
        shown = capsys.readouterr()
        assert (f"{tmp_path} holds a finished run" in shown.err) == told
        assert "litlogger" not in shown.out + shown.err


def test_a_target_longer_than_its_frames_stops_before_training(tone_corpus, tmp_path):
    table = tmp_path / "long.csv"
    table.write_text(f"path,text\n{tone_corpus}/text/00.wav,{'lo mi hi ' * 20}\n"
                     f"{tone_corpus}/text/01.wav,lo\n")
    with pytest.raises(EarsightError, match="00: .*frames"):
        run_training(tiny_run(table, tmp_path / "run", "characters"))


def test_an_empty_training_set(tmp_path):
    (tmp_path / "none.csv").write_text("path,text\n")
    with pytest.raises(EarsightError, match="none.csv"):
        run_training(tiny_run(tmp_path / "none.csv", tmp_path / "run", "characters"))


def test_a_manifest_naming_a_missing_clip(tmp_path):
    (tmp_path / "lost.csv").write_text("path,text\nlost.wav,lo\n")
    with pytest.raises(EarsightError, match="lost.wav"):
        run_training(tiny_run(tmp_path / "lost.csv", tmp_path / "run", "characters"))


def test_a_validation_label_that_training_lacks(tone_corpus, tmp_path):
    table = tmp_path / "classes.csv"
    folder = tone_corpus / "classes" / "lo"
    table.write_text(f"path,label\n{folder}/lo0.wav,lo\n{folder}/lo1.wav,deep\n")
    with pytest.raises(EarsightError, match="'deep' is unknown to the model; it knows hi, lo, mi"):
        run_training(tiny_run(tone_corpus / "classes", tmp_path / "run", "classes",
                              "--data.validation", str(table)))


def test_a_run_starts_from_another_models_weights(tone_runs, tone_corpus, tmp_path):
    from earsight.audio.model import SpeechModel, load_model
    from earsight.common.training.weights import start_from

    trained = load_model(tone_runs["ctc"] / "model.ckpt")
    labels = trained.labels.to_dict()
    changed = {**labels, "symbols": ["<blank>", "z", *labels["symbols"][1:]]}
    torch.manual_seed(5)
    model = SpeechModel(changed, encoder=trained_encoder(trained))
    before = model.head.output.weight.clone()
    taken, left = start_from(model, read_checkpoint(tone_runs["ctc"] / "model.ckpt"))
    assert (taken, left) == (len(model.state_dict()), 0)
    weight = model.head.output.weight
    assert torch.equal(weight[0], trained.head.output.weight[0])
    assert torch.equal(weight[2:], trained.head.output.weight[1:])  # by symbol, not by place
    assert torch.equal(weight[1], before[1])
    assert run_training(tiny_run(tone_corpus / "tones.csv", tmp_path, "characters", "--init",
                                 str(tone_runs["ctc"] / "model.ckpt"))) == 0
    wer, _ = scalars(tmp_path, "val_wer")
    assert wer[0] < 0.3  # after one epoch


def trained_encoder(model):
    from earsight.common.nn.encoder import EncoderSettings

    return EncoderSettings(**model.settings["encoder"])


@pytest.mark.parametrize("option, value", [
    ("--data.batch_duration", "-1"), ("--data.batch_duration", "0"), ("--data.seed", "-1"), ("--data.workers", "-1"),
    ("--data.buckets", "0"), ("--threads", "-1"), ("--threads", "1099511627776"), ("--seed_everything", "-1"),
    ("--seed_everything", "4294967296"), ("--model.encoder.stride", "-1"), ("--model.encoder.layers", "-1"),
])
def test_numbers_that_cannot_be(option, value, tone_corpus, tmp_path):
    with pytest.raises(EarsightError, match=option.removeprefix("--").removeprefix("model.")):
        run_training([*tiny_run(tone_corpus / "classes", tmp_path / "run", "classes"), option, value])


@pytest.mark.parametrize("name, value", [("part", 1e9), ("part", -0.5), ("tempo", 1.0), ("tempo", float("nan"))])
def test_shares_that_cannot_be(name, value):
    with pytest.raises(EarsightError, match=f"augmentation.{name} "):
        SequenceAugmentation(**{name: value})
