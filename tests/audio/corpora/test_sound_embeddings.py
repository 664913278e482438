"""Frames of a pretrained encoder: stored once, trained on, exported, and read with as any other."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from conftest import TONES, tiny_run, tone, write_wav
from earsight.audio.corpora.embeddings import prepare_embeddings
from earsight.audio.evaluating import evaluate_model
from earsight.audio.frontends import pretrained
from earsight.audio.frontends.pretrained import PretrainedSettings, build_frontend
from earsight.audio.frontends.whisper import WhisperEncoder, WhisperShape
from earsight.audio.model import export_checkpoint, load_model
from earsight.audio.reading import read
from earsight.audio.recognition.recogniser import SpeechRecogniser
from earsight.common.data.corpora.preparing import prepare
from earsight.common.data.cuts import frames_of
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError
from earsight.common.training.running import run_training

NAME, SHAPE = "whisper-small-test", WhisperShape(64, 2)


@pytest.fixture(scope="module", autouse=True)
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(pretrained.WHISPER, NAME, SHAPE)
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    torch.manual_seed(3)
    encoder = WhisperEncoder(SHAPE)
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    theirs = {"first": "conv1", "second": "conv2", "norm": "ln_post", "positions": "positional_embedding"}
    parts = {"attention_norm": "attn_ln", "attention_output": "attn.out", "feed_norm": "mlp_ln", "feed_in": "mlp.0",
             "feed_out": "mlp.2"}
    named = {}
    for name, value in state.items():
        for ours, other in {**theirs, **parts}.items():
            name = name.replace(f".{ours}", f".{other}")
        if "query_key_value" in name:
            for which, piece in zip(("query", "key", "value"), value.chunk(3), strict=True):
                named[name.replace("query_key_value", f"attn.{which}")] = piece
        else:
            named[name] = value
    path = tmp_path_factory.mktemp("weights") / "small.pt"
    torch.save(named, path)
    return path


def recipe(path: Path, weights: Path, views: dict | None = None, **options: object) -> Path:
    path.write_text(yaml.safe_dump({
        "data": {"class_path": "SpeechData", "init_args": {"views": views or {}}},
        "model": {"class_path": "SpeechModel", "init_args": {
            "pretrained": {"encoder": NAME, "weights": str(weights), **options}}}}))
    return path


@pytest.fixture(scope="module")
def stored(tone_corpus, weights, tmp_path_factory) -> dict[int, Path]:
    """By how many blocks are tuned, the folder of stored frames of the tones."""
    folder = tmp_path_factory.mktemp("stored")
    importers = {"embeddings": prepare_embeddings}
    for tuned in (0, 1):
        made = recipe(folder / f"{tuned}.yaml", weights, tuned_blocks=tuned)
        prepare(importers, "embeddings", tone_corpus / "tones.csv", folder / str(tuned), config=str(made))
    return {tuned: folder / str(tuned) for tuned in (0, 1)}


def test_what_is_stored_is_what_the_lower_half_gives(stored, weights, tone_corpus):
    for tuned, folder in stored.items():
        frontend = build_frontend(PretrainedSettings(NAME, str(weights), tuned_blocks=tuned)).eval()
        cuts = list(read_manifest(folder / "train.jsonl.gz"))
        assert len(cuts) == 12 and all(cut.supervisions[0].text for cut in cuts)
        for cut in cuts[:3]:
            samples = torch.from_numpy(read(tone_corpus / "text" / f"{Path(cut.id).stem}.wav", 16000).samples)
            with torch.no_grad():
                expected = frontend.lower(samples[None], torch.tensor([len(samples)]))[0][0]
            np.testing.assert_allclose(frames_of(cut).load(), expected.numpy(), atol=5e-3)


def test_views_differ_and_nothing_is_computed_twice(tone_corpus, weights, tmp_path):
    made = recipe(tmp_path / "views.yaml", weights, views={"speed": 0.1, "noise": 1.0, "snr": [5, 10], "gain": 6,
                                                           "reverberation": 0.5, "low_pass": 0.5, "warp": 0.1})

    def run():
        return prepare({"embeddings": prepare_embeddings}, "embeddings", tone_corpus / "tones.csv", tmp_path / "out",
                       config=str(made), views="2")

    paths = run()
    cuts = {cut.id: frames_of(cut).load() for cut in read_manifest(paths["train"])}
    assert len(cuts) == 36
    plain = next(name for name in cuts if "-view" not in name)
    assert len({cuts[name].tobytes() for name in (plain, f"{plain}-view1", f"{plain}-view2")}) == 3
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.npy")}
    one = next(iter(times))
    one.unlink()
    run()
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.npy")}
    assert again.keys() == times.keys() and {path for path in times if again[path] != times[path]} == {one}


@pytest.mark.parametrize("tuned", [0, 1])
def test_stored_frames_train_a_model_that_reads_sound(stored, weights, tone_corpus, tmp_path, tuned):
    """The checkpoint and the model folder, from sound, give what the checkpoint gives from stored frames."""
    run = tmp_path / "run"
    before = build_frontend(PretrainedSettings(NAME, str(weights))).encoder
    arguments = tiny_run(stored[tuned] / "train.jsonl.gz", run, "characters", "--model.pretrained.encoder", NAME,
                         "--model.pretrained.weights", str(weights), "--model.pretrained.tuned_blocks", str(tuned),
                         "--model.normaliser.normalise", "none", "--data.curriculum", "2",
                         "--trainer.check_val_every_n_epoch", "20", epochs=80)
    assert run_training(arguments) == 0
    model = load_model(run / "model.ckpt")
    after = model.frontend.encoder
    torch.testing.assert_close(after.blocks[0].feed_in.weight, before.blocks[0].feed_in.weight)
    assert torch.equal(after.blocks[1].feed_in.weight, before.blocks[1].feed_in.weight) == (tuned == 0)
    folder = export_checkpoint(run / "model.ckpt", tmp_path / "model")
    int8 = export_checkpoint(run / "model.ckpt", tmp_path / "model-int8", int8=True)
    assert (int8 / "frontend.onnx").stat().st_size < 0.85 * (folder / "frontend.onnx").stat().st_size
    rates = {}
    for what, manifest in (("stored", stored[tuned] / "train.jsonl.gz"), ("sound", tone_corpus / "tones.csv")):
        report, errors = evaluate_model(str(run / "model.ckpt"), str(manifest))
        assert not errors
        rates[what] = report.words.rate
    report, errors = evaluate_model(str(folder), str(tone_corpus / "tones.csv"))
    rates["folder"] = report.words.rate
    assert max(rates.values()) < 0.7, rates  # untrained weights make poor frames; all the same is what counts
    assert max(rates.values()) - min(rates.values()) < 0.1, rates


@pytest.fixture(scope="module")
def folder(stored, weights, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("run")
    assert run_training(tiny_run(stored[0] / "train.jsonl.gz", run, "characters", "--model.pretrained.encoder", NAME,
                                 "--model.pretrained.weights", str(weights))) == 0
    return export_checkpoint(run / "model.ckpt", run / "model")


def test_long_sound_goes_through_in_pieces(folder):
    recogniser = SpeechRecogniser(folder, "ctc")
    sound = np.concatenate([tone(TONES["lo"], 33.0), tone(TONES["hi"], 12.0)])
    frames = recogniser.frames_of_samples(sound, 16000)
    assert len(frames) == 45 * 50
    np.testing.assert_array_equal(recogniser.runtime.frames(sound), frames)  # as evaluate and tune-decoder read it
    near = recogniser.frames_of_samples(sound[:25 * 16000], 16000)
    # The pieces see other surroundings than a clip of 25 s does, and other places: alike is all they can be.
    assert np.corrcoef(frames[1050:1150].mean(0), near[1050:1150].mean(0))[0, 1] > 0.9


def test_silence_and_the_shortest_sound(folder, tmp_path):
    recogniser = SpeechRecogniser(folder, "ctc")
    assert recogniser.transcribe(write_wav(tmp_path / "silence.wav", np.zeros(16000))).text == ""
    for samples in (1, 100, 400):
        recogniser.transcribe(write_wav(tmp_path / f"{samples}.wav", tone(300.0, samples / 16000)))


def test_what_cannot_be_prepared_is_told(tone_corpus, weights, tmp_path):
    importers = {"embeddings": prepare_embeddings}
    write_wav(tmp_path / "long.wav", tone(300.0, 31.0))
    write_wav(tmp_path / "short.wav", tone(300.0, 1.0))
    (tmp_path / "clips.csv").write_text("path,text\nlong.wav,a\nshort.wav,b\n")
    made = recipe(tmp_path / "recipe.yaml", weights)
    with pytest.raises(EarsightError, match="31.0 s, and the encoder takes at most 30 s"):
        prepare(importers, "embeddings", tmp_path / "clips.csv", tmp_path / "out", config=str(made))
    assert len(list(read_manifest(tmp_path / "out/train.jsonl.gz"))) == 1  # the other one is there
    without = recipe(tmp_path / "without.yaml", "")
    with pytest.raises(EarsightError, match="names no weights"):
        prepare(importers, "embeddings", tmp_path / "clips.csv", tmp_path / "out2", config=str(without))
    (tmp_path / "mfcc.yaml").write_text("model: {class_path: SpeechModel, init_args: {mfcc: an4}}\n"
                                        "data: {init_args: {}}\n")
    with pytest.raises(EarsightError, match="no recipe of a speech model with a pretrained frontend"):
        prepare(importers, "embeddings", tmp_path / "clips.csv", tmp_path / "out3", config=str(tmp_path / "mfcc.yaml"))


def test_stored_frames_of_another_frontend_are_refused(stored, tmp_path):
    with pytest.raises(EarsightError, match="64 features a frame, and the model takes 13"):
        run_training(tiny_run(stored[0] / "train.jsonl.gz", tmp_path / "run", "characters"))
