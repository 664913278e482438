"""From films to classes: embeddings prepared, a model trained, exported, evaluated, and applied."""

import csv
import json
import subprocess
import sys
import threading
from dataclasses import replace

import av
import numpy as np
import pytest
import torch
import torchvision
from films import corpus, sliding, write_film

import earsight
from conftest import REPOSITORY
from earsight.common.checkpoint import read_checkpoint
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError
from earsight.common.reports.classification import ClassificationReport
from earsight.common.training.running import run_training
from earsight.video.corpora.importers import prepare
from earsight.video.data import VideoData
from earsight.video.evaluating import evaluate_model
from earsight.video.frontends.backbone import FrameEmbedder, export_onnx
from earsight.video.frontends.embedding import BLOCK, embedding_blocks
from earsight.video.frontends.pictures import (
    FlowSettings,
    PictureSettings,
    PoseSettings,
    StreamSettings,
    View,
    pictures,
)
from earsight.video.model import export_checkpoint
from earsight.video.recognition.recogniser import ActionRecogniser

BACKBONE = "shufflenet_v2_x0_5"
PICTURES = PictureSettings(rate=8, picture=StreamSettings(64, 96, every=3), motion=StreamSettings(48, 64, every=2),
                           flow=FlowSettings(48, 64, grids=(2,)), pose=PoseSettings(every=2), lag=0.125)
RECIPE = """
model:
  init_args:
    pictures:
      rate: 8.0
      picture: {height: 64, width: 96, every: 3}
      motion: {height: 48, width: 64, every: 2}
      flow: {height: 48, width: 64, grids: [2]}
      pose: {every: 2}
      lag: 0.125
    backbone: shufflenet_v2_x0_5
    weights: WEIGHTS
data:
  init_args:
    views: {size: 0.8}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Films, a recipe with a CNN's weights, embeddings, a run, and its model folder."""
    folder = tmp_path_factory.mktemp("actions")
    torch.manual_seed(0)
    torch.save(torchvision.models.get_model(BACKBONE).state_dict(), folder / "weights.pth")
    (folder / "recipe.yaml").write_text(RECIPE.replace("WEIGHTS", str(folder / "weights.pth")))
    prepare("folder", corpus(folder / "films"), folder / "films-manifests", dev_share=0.25, test_share=0.0,
            progress=False)
    prepare("embeddings", folder / "films-manifests", folder / "embedded", config=str(folder / "recipe.yaml"), views=2,
            progress=False)
    assert run_training(training(folder, folder / "embedded", folder / "run", epochs=6)) == 0
    export_checkpoint(folder / "run" / "model.ckpt", folder / "model")
    return folder


def training(folder, manifests, run, *options, epochs=1):
    return ["fit", "--data", "earsight.video.data.VideoData", "--data.train", str(manifests / "train.jsonl.gz"),
            "--data.validation", str(manifests / "dev.jsonl.gz"), "--data.workers", "0",
            "--data.batch_duration", "4", "--model", "earsight.video.model.VideoModel",
            "--model.pictures.rate", "8", "--model.pictures.picture", "{height: 64, width: 96, every: 3}",
            "--model.pictures.motion", "{height: 48, width: 64, every: 2}",
            "--model.pictures.flow", "{height: 48, width: 64, grids: [2]}", "--model.pictures.pose", "{every: 2}",
            "--model.pictures.lag", "0.125", "--data.augmentation.pose.mirror", "0.5", "--model.backbone", BACKBONE,
            "--model.weights", str(folder / "weights.pth"), "--model.encoder.hidden", "12",
            "--model.encoder.layers", "1", "--model.encoder.channels", "16", "--model.encoder.stride", "1",
            "--model.encoder.dropout", "0", "--model.head_dropout", "0",
            "--model.optimiser.learning_rate", "0.01", "--trainer.accelerator", "cpu",
            "--trainer.max_epochs", str(epochs), "--trainer.enable_progress_bar", "false",
            "--trainer.enable_model_summary", "false", "--threads", "1", "--run", str(run), *options]


def test_embeddings_are_those_of_the_cnn(world):
    """Stored ones, the exported graph's and torch's agree, and clips end up under their names."""
    cut = next(iter(read_manifest(world / "embedded" / "dev.jsonl.gz")))
    film = next(iter((world / "films").rglob(f"{cut.id}.mkv")))
    embedder = FrameEmbedder(BACKBONE, str(world / "weights.pth"))

    def embed(pictures):
        with torch.inference_mode():
            return embedder.eval()(torch.from_numpy(pictures)).numpy()

    expected = np.concatenate(list(embedding_blocks(film, PICTURES, embed)))
    # 16 frames at 16 Hz, 8 moments a second, the last without a frame after it
    assert expected.shape == (7, 2048 + 96 + 147)
    np.testing.assert_allclose(cut.load_frames(), expected, rtol=2e-3, atol=2e-3)  # kept as float16
    runtime = ActionRecogniser(world / "model")
    np.testing.assert_allclose(np.concatenate(list(runtime.blocks(film))), expected, rtol=1e-3, atol=1e-4)


def test_views_and_manifests(world):
    train = {cut.id: cut for cut in read_manifest(world / "embedded" / "train.jsonl.gz")}
    plain = {name for name in train if "-view" not in name}
    assert set(train) == plain | {f"{name}-view{i}" for name in plain for i in (1, 2)}
    assert all("-view" not in cut.id for cut in read_manifest(world / "embedded" / "dev.jsonl.gz"))
    name = sorted(plain)[0]
    assert not np.array_equal(train[name].load_frames()[:3], train[f"{name}-view1"].load_frames()[:3])


def test_embeddings_are_kept_and_made_again_where_they_must(world, tmp_path):
    stored = {path: path.stat().st_mtime_ns for path in (world / "embedded" / "embeddings").rglob("*.npy")}
    lost = sorted(stored)[0]
    content = lost.read_bytes()
    lost.unlink()
    prepare("embeddings", world / "films-manifests", world / "embedded", config=str(world / "recipe.yaml"), views=2,
            progress=False)
    now = {path: path.stat().st_mtime_ns for path in (world / "embedded" / "embeddings").rglob("*.npy")}
    assert {path for path in now if now[path] != stored[path]} == {lost} and lost.read_bytes() == content
    other = tmp_path / "other.yaml"
    other.write_text((world / "recipe.yaml").read_text().replace("lag: 0.125", "lag: 0.25"))
    prepare("embeddings", world / "films-manifests" / "dev.jsonl.gz", tmp_path / "more", config=str(other),
            progress=False)
    assert not {path.name for path in (tmp_path / "more").rglob("*.npy")} & {path.name for path in now}


def test_checkpoint_and_folder_agree(world):
    """A clip classified from its file is what the checkpoint makes of it, to 1e-3."""
    dev = world / "films-manifests" / "dev.jsonl.gz"
    by_checkpoint, errors = evaluate_model(str(world / "run" / "model.ckpt"), dev)
    by_folder, _ = evaluate_model(str(world / "model"), dev)
    assert not errors and isinstance(by_checkpoint, ClassificationReport)
    for here, there in zip(by_checkpoint.clips, by_folder.clips, strict=True):
        assert (here.id, here.predicted) == (there.id, there.predicted)
        assert here.probability == pytest.approx(there.probability, abs=1e-3)
        film = next(iter((world / "films").rglob(f"{here.id}.mkv")))
        assert earsight.classify(film, world / "model").probabilities[here.predicted] == pytest.approx(
            here.probability, abs=1e-3)
    assert by_checkpoint.order.ordered == by_checkpoint.accuracy
    assert by_checkpoint.order.shuffled_mean <= 1


def test_a_cnn_that_is_tuned(world, tmp_path):
    """Training from videos changes the last blocks at their own rate, and nothing before them."""
    run = tmp_path / "run"
    manifests = world / "films-manifests"
    assert run_training(training(world, manifests, run, "--model.tuned_blocks", "1", "--model.backbone_rate", "0.5",
                                 "--data.views.size", "0.9")) == 0
    tuned = read_checkpoint(run / "model.ckpt")["state_dict"]
    before = torch.load(world / "weights.pth", weights_only=True)
    changed = {name for name, value in before.items()
               if f"frontend.cnn.{name}" in tuned and not torch.equal(tuned[f"frontend.cnn.{name}"], value)}
    assert changed and all(name.startswith("conv5") for name in changed)


def test_training_from_videos_sees_what_embeddings_hold(world):
    """Two clips in a batch, one of them shorter: each has the frames that it has alone."""
    from earsight.common.data.datamodule import make_batch
    from earsight.video.data import read_pictures
    from earsight.video.model import load_model

    model = load_model(world / "run" / "model.ckpt")
    cuts = list(read_manifest(world / "films-manifests" / "train.jsonl.gz"))[:2]
    cuts[1] = replace(cuts[1], duration=0.6)
    with torch.inference_mode():
        frames, lengths = model.frames(make_batch([(cut, read_pictures(cut, PICTURES)) for cut in cuts]))
        for cut, found, length in zip(cuts, frames, lengths, strict=True):
            blocks = embedding_blocks(cut.custom["video"]["path"], PICTURES,
                                      lambda shown: model.frontend(torch.from_numpy(shown)).numpy(),
                                      end=cut.duration)
            expected = np.concatenate(list(blocks))
            assert length == len(expected) <= model.count_frames(cut)
            np.testing.assert_allclose(found[:length], expected, rtol=1e-4, atol=1e-4)
            assert not found[length:].any()


def test_videos_are_for_a_model_of_pictures(world):
    manifests = str(world / "films-manifests" / "train.jsonl.gz")
    data = VideoData(manifests, manifests)
    with pytest.raises(EarsightError, match="is a video, and the model takes stored frames"):
        data.read(next(iter(data.cuts("train"))), None)


def test_no_weights_of_another_network(world):
    with pytest.raises(EarsightError, match="another network than mobilenet_v2"):
        FrameEmbedder("mobilenet_v2", str(world / "weights.pth"))
    (world / "text.pth").write_text("no weights")
    with pytest.raises(EarsightError, match="text.pth: not a file of weights"):
        FrameEmbedder(BACKBONE, str(world / "text.pth"))
    with pytest.raises(EarsightError, match="missing.pth: no such file"):
        FrameEmbedder(BACKBONE, str(world / "missing.pth"))
    with pytest.raises(EarsightError, match="mobilenet_v2, resnet50"):
        FrameEmbedder("mobilnet")
    with pytest.raises(EarsightError, match="IMAGENET1K_V1"):
        FrameEmbedder(BACKBONE, "IMAGENET9K")


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "efficientnet_b0", "convnext_tiny"])
def test_backbones(name, tmp_path):
    embedder = FrameEmbedder(name)
    settings = PictureSettings(picture=StreamSettings(64, 32), motion=StreamSettings(32, 32))
    torch.manual_seed(1)
    import onnxruntime

    export_onnx(embedder, settings, tmp_path / "frontend.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "frontend.onnx", providers=["CPUExecutionProvider"])
    for stream in settings.streams.values():
        pictures = torch.randint(0, 256, (1, 3, stream.height, stream.width, 3), dtype=torch.uint8)
        with torch.inference_mode():
            frames = embedder.eval()(pictures)
        assert frames.shape == (1, 3, embedder.n_features)
        given = session.run(None, {"pictures": pictures.numpy()})[0]
        np.testing.assert_allclose(given, frames.numpy(), rtol=1e-2, atol=1e-3)


def test_frozen_blocks_stay_in_use(world):
    embedder = FrameEmbedder(BACKBONE, str(world / "weights.pth"), tuned_blocks=1).train()
    training_parts = {name.split(".")[0] for name, module in embedder.cnn.named_modules() if module.training and name}
    assert training_parts == {"conv5"}


def test_blocks_do_not_depend_on_their_size(world, tmp_path):
    film = write_film(tmp_path / "long.mkv", sliding(60, (48, 64)), rate=16)
    sizes = []

    def embed(pictures):
        sizes.append(len(pictures))
        return pictures.mean(axis=(1, 2)).astype(np.float32)

    whole = np.concatenate(list(embedding_blocks(film, PICTURES, embed)))
    assert max(sizes) == BLOCK / 2 and sum(sizes) == 15 + 10 and whole.shape == (29, 6 + 96 + 147)
    # What a picture gave stands until the next one, across blocks too.
    moments = list(pictures(film, PICTURES))
    expected = [np.concatenate([*embed(moments[k - k % 3]["picture"][None]), *embed(moments[k - k % 2]["motion"][None]),
                                moments[k]["flow"], moments[k - k % 2]["pose"]]) for k in range(29)]
    np.testing.assert_allclose(whole, expected)
    running = threading.active_count()
    blocks = embedding_blocks(film, PICTURES, embed, threads=2)
    first = next(blocks)
    assert threading.active_count() == running + 2  # one decodes, one looks for motion and people
    np.testing.assert_array_equal(np.concatenate([first, *blocks]), whole)
    blocks = embedding_blocks(film, PICTURES, embed, threads=2)
    next(blocks)
    blocks.close()
    assert threading.active_count() == running  # they end with it
    delayed = np.concatenate(list(embedding_blocks(film, PICTURES, embed, View(delay=0.5, tempo=2.0))))
    assert len(delayed) < len(whole)


# The command


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "earsight", "classify", *map(str, arguments)], capture_output=True,
                          text=True, cwd=REPOSITORY)


def test_classify_and_timeline_formats(world, tmp_path):
    films = sorted((world / "films" / "down").iterdir())[:2]
    done = run(*films, "--model", world / "model", "--top", 2)
    assert done.returncode == 0, done.stderr
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [str(film) for film in films]
    table = list(csv.DictReader(run(*films, "--model", world / "model", "--format", "csv", "--top", 2
                                    ).stdout.splitlines()))
    assert [row["path"] for row in table] == [str(film) for film in films for _ in range(2)]
    assert [row["rank"] for row in table] == ["1", "2"] * 2
    done = run(films[0], "--model", world / "model", "--timeline", "--format", "json", "--plot", tmp_path / "plots")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["segments"][0]["start"] == 0 and found["segments"][-1]["end"] == found["duration"] == 1.0
    assert (tmp_path / "plots" / f"{films[0].stem}.png").read_bytes().startswith(b"\x89PNG")
    assert "00:00:00,000 --> 00:00:01,000" in run(films[0], "--model", world / "model", "--format", "srt").stdout


def encoded(path, frames, codec, pixels, rate=8):
    """A film of RGB frames in any codec."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], pixels
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pixels)))
        container.mux(stream.encode())
    return path


def test_broken_clips_are_named_and_the_others_done(world, tmp_path):
    good = next(iter((world / "films" / "down").iterdir()))
    whole = encoded(tmp_path / "whole.mp4", sliding(40, (96, 128)), "mpeg4", "yuv420p").read_bytes()
    bad = {"text.mp4": b"no film", "empty.mp4": b"", "header.mp4": whole[:60], "half.mp4": whole[:len(whole) // 2],
           "half.mkv": good.read_bytes()[:good.stat().st_size // 2]}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:  # no picture track
        stream = container.add_stream("aac", rate=16000)
        hush = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        hush.sample_rate = 16000
        container.mux(stream.encode(hush))
        container.mux(stream.encode())
    names = [*bad, "sound.mp4", "missing.mp4"]
    done = run(*(tmp_path / name for name in names), good, "--model", world / "model", "--output", tmp_path / "out")
    assert done.returncode == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{good.stem}.txt"]
    errors = done.stderr.splitlines()
    for name in names:
        assert len([line for line in errors if line.startswith("error: ") and name in line]) == 1, name
    assert errors[-1] == f"error: {len(names)} of {len(names) + 1} inputs failed" and "Traceback" not in done.stderr


def test_odd_but_good_clips(world, tmp_path):
    square = [np.full((2, 2, 3), 90, np.uint8)] * 9
    films = [
        encoded(tmp_path / "one-frame.mkv", sliding(1, (48, 64)), "ffv1", "bgr0"),
        encoded(tmp_path / "few-frames.mkv", sliding(3, (48, 64)), "ffv1", "bgr0"),
        encoded(tmp_path / "two-pixels.mkv", square, "ffv1", "bgr0"),
        encoded(tmp_path / "odd.mkv", sliding(9, (67, 101)), "ffv1", "bgr0"),
        encoded(tmp_path / "grey.mkv", sliding(9, (48, 64)), "ffv1", "gray"),
        encoded(tmp_path / "alpha.mov", sliding(9, (48, 64)), "png", "rgba"),
        encoded(tmp_path / "moving.gif", sliding(9, (48, 64)), "gif", "rgb8"),
        encoded(tmp_path / "снег ☃.mkv", sliding(9, (48, 64)), "ffv1", "bgr0"),
        encoded(tmp_path / "8k.mp4", [np.zeros((4320, 7680, 3), np.uint8)] * 2, "mpeg4", "yuv420p"),
    ]
    done = run(*films, "--model", world / "model", "--format", "json")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    found = {result["path"]: result for result in map(json.loads, done.stdout.splitlines())}
    assert list(found) == [str(film) for film in films]
    assert all(sum(result["probabilities"].values()) == pytest.approx(1, abs=1e-3) for result in found.values())


def test_torch_is_never_imported(world):
    film = next(iter((world / "films" / "down").iterdir()))
    code = (f"import sys, earsight; earsight.classify({str(film)!r}, {str(world / 'model')!r}); "
            "print(sorted({'torch', 'lhotse', 'matplotlib', 'pytorch_lightning'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout.splitlines() == ["[]"], done.stderr


def test_a_video_model_does_not_transcribe(world, tone_corpus):
    with pytest.raises(EarsightError, match="is for video"):
        earsight.transcribe(next(iter((tone_corpus / "text").iterdir())), world / "model")
