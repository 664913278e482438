"""Shards hold what they were made of, train as the manifest does, and what is missing of them is never passed over."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from jobs import RANDOM, seen, start, train, wait_until
from lhotse import CutSet

from conftest import REPOSITORY, tiny_run, tone, write_wav
from earsight.app.main import main
from earsight.audio.data import SpeechData, read_clip
from earsight.common.checkpoint import read_checkpoint
from earsight.common.data import shards as shards_module
from earsight.common.data.manifest import read_manifest
from earsight.common.data.shards import INDEX, ShardCuts, read_index
from earsight.common.errors import EarsightError
from earsight.common.training.running import run_training


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """The manifests of 60 clips of sound and of stored frames, some of them parts of longer ones."""
    folder = tmp_path_factory.mktemp("mixed")
    rng = np.random.default_rng(1)
    rows = ["path,start,duration,text,split"]
    for i in range(30):
        seconds, split = round(rng.uniform(0.2, 3), 2), "dev" if i % 5 == 0 else "train"
        write_wav(folder / f"w{i}.wav", tone(300 + i, seconds + 1, 8000), 8000)
        np.save(folder / f"f{i}.npy", rng.standard_normal((round(100 * (seconds + 1)), 13)).astype(np.float16))
        part = f"{0.5 * (i % 2)},{seconds}"
        rows += [f"w{i}.wav,{part},a,{split}", f"f{i}.npy,{part},b,{split}"]
    (folder / "mixed.csv").write_text("\n".join(rows) + "\n")
    assert main(["prepare", "csv", str(folder / "mixed.csv"), str(folder / "manifests")]) == 0
    return folder / "manifests"


@pytest.fixture(scope="module")
def shards(mixed, tmp_path_factory):
    """Shards of `mixed`, seven clips in each."""
    folder = tmp_path_factory.mktemp("shards")
    assert main(["prepare", "shards", str(mixed), str(folder), "shard_size=7"]) == 0
    return folder


@pytest.fixture(scope="module")
def tones(tone_corpus, tmp_path_factory):
    """The tones with their texts in three shards."""
    folder = tmp_path_factory.mktemp("tones")
    assert main(["prepare", "csv", str(tone_corpus / "tones.csv"), str(folder), "dev_share=0", "test_share=0"]) == 0
    assert main(["prepare", "shards", str(folder), str(folder / "shards"), "shard_size=4"]) == 0
    return folder / "shards" / "train"


def batches(data, epoch=0):
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def ids(epoch):
    return [name for batch in epoch for name in batch.ids]


def copy(shards, folder):
    return Path(shutil.copytree(shards / "train", folder / "train"))


def test_shards_hold_what_the_manifests_do(mixed, shards):
    for split in ("train", "dev"):
        before = {cut.id: cut for cut in read_manifest(mixed / f"{split}.jsonl.gz")}
        after = {cut.id: cut for cut in read_manifest(shards / split)}
        assert before.keys() == after.keys()
        for name, cut in before.items():
            assert np.array_equal(read_clip(cut, 8000), read_clip(after[name], 8000))
            assert after[name].supervisions[0].text == cut.supervisions[0].text
            assert after[name].duration == cut.duration
    assert list(after) == list(before)  # those of dev keep their order


def test_lhotse_reads_them(mixed, shards):
    fields = {name: sorted(map(str, (shards / "train").glob(f"{name}.*"))) for name in ("cuts", "recording", "frames")}
    before = {cut.id: cut for cut in read_manifest(mixed / "train.jsonl.gz")}
    found = list(CutSet.from_shar(fields=fields))
    assert {cut.id for cut in found} == before.keys()
    for cut in found:
        if cut.has_recording:
            assert np.array_equal(cut.load_audio(), before[cut.id].load_audio())
        else:
            assert np.array_equal(cut.load_frames(), before[cut.id].load_frames())


def test_an_epoch_holds_every_clip_once_in_another_order(mixed, shards):
    data = SpeechData(str(shards / "train"), str(shards / "dev"), batch_duration=10, workers=1)
    first, second, again = batches(data, 0), batches(data, 1), batches(data, 0)
    wanted = sorted(cut.id for cut in read_manifest(mixed / "train.jsonl.gz"))
    assert sorted(ids(first)) == sorted(ids(second)) == wanted
    assert ids(first) == ids(again) != ids(second)
    assert all(torch.equal(a.inputs, b.inputs) and torch.equal(a.frames, b.frames)
               for a, b in zip(first, again, strict=True))
    durations = {cut.id: cut.duration for cut in data.cuts("train")}
    assert all(sum(durations[name] for name in batch.ids) <= 10 for batch in first)
    assert data.batches("train") == len(first)
    orders = []
    for epoch in range(3):
        cuts = ShardCuts(read_index(shards / "train"), seed=1)
        cuts.epoch = epoch
        orders.append([cut.id for cut in cuts])
    assert len(set(map(tuple, orders))) == 3


def test_what_is_known_at_a_time_is_bounded(shards, monkeypatch):
    """With a small buffer each clip still comes once, and few are gone through before the first batch."""
    gone = []
    lines = shards_module.read_lines
    monkeypatch.setattr(shards_module, "read_lines",
                        lambda *given: (gone.append(cut.id) or cut for cut in lines(*given)))
    monkeypatch.setattr("earsight.common.data.datamodule.SHUFFLED", 12)
    data = SpeechData(str(shards / "train"), str(shards / "dev"), batch_duration=3, buckets=2, workers=0)
    loader = data.train_dataloader()
    gone.clear()
    read = iter(loader)
    known = [next(read)]
    assert len(gone) <= 20 < len(data.cuts("train"))
    known += read
    assert sorted(ids(known)) == sorted(gone) and len(gone) == len(data.cuts("train"))


def test_shards_and_manifests_together(mixed, shards):
    train = [str(shards / "train"), str(mixed / "dev.jsonl.gz"), str(shards / "dev")]
    data = SpeechData(train, str(shards / "dev"), batch_duration=10, workers=0)
    dev = [cut.id for cut in read_manifest(mixed / "dev.jsonl.gz")]
    assert sorted(ids(batches(data))) == sorted([cut.id for cut in read_manifest(mixed / "train.jsonl.gz")] + dev + dev)
    with pytest.raises(EarsightError, match="--data.curriculum 0"):
        SpeechData(train, str(shards / "dev"), curriculum=1)


def test_from_a_command_that_fetches(shards, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    local = SpeechData(str(shards / "train"), str(shards / "dev"), batch_duration=10, workers=0)
    remote = SpeechData(f"pipe:cat {shards}/train", f"pipe:cat {shards}/dev", batch_duration=10, workers=2)
    for a, b in zip(batches(local), batches(remote), strict=True):
        assert a.ids == b.ids and torch.equal(a.inputs, b.inputs) and torch.equal(a.frames, b.frames)
    kept = list(tmp_path.glob("earsight-shards-*/*.tar"))
    assert len(kept) == len(list((shards / "train").glob("*.tar")))
    # Room for one: the others are fetched again when they are needed.
    monkeypatch.setattr(shards_module, "KEPT", 1 + max(path.stat().st_size for path in kept))
    for path in kept:
        path.unlink()
    batches(remote)
    assert sum(path.stat().st_size for path in tmp_path.glob("earsight-shards-*/*.tar")) <= shards_module.KEPT
    with pytest.raises(EarsightError, match="pipe:cat /nowhere/shards.json: cannot be read"):
        SpeechData("pipe:cat /nowhere", f"pipe:cat {shards}/dev")
    with pytest.raises(EarsightError, match="s3://nowhere/shards.json: cannot be"):
        SpeechData("s3://nowhere", f"pipe:cat {shards}/dev")


def test_a_fetched_file_that_is_cut_short_or_changed(shards, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = copy(shards, tmp_path)
    tar = folder / "recording.000002.tar"
    content = tar.read_bytes()
    for damaged, message in ((content[:-1000], "cut short or changed"), (content[:-1] + b"x", "its sha256 is not")):
        tar.write_bytes(damaged)
        with pytest.raises(EarsightError, match=f"recording.000002.tar: .*{message}"):
            batches(SpeechData(f"pipe:cat {folder}", str(shards / "dev"), workers=0))
    tar.unlink()
    with pytest.raises(EarsightError, match="recording.000002.tar: (cannot be fetched|cut short or changed, 0 bytes)"):
        batches(SpeechData(f"pipe:cat {folder}", str(shards / "dev"), workers=0))


@pytest.mark.parametrize("name", ["recording.000001.tar", "frames.000003.tar", "cuts.000000.jsonl.gz"])
def test_a_shard_cut_short_or_missing(shards, tmp_path, capsys, name):
    folder = copy(shards, tmp_path)
    with (folder / name).open("r+b") as file:
        file.truncate((folder / name).stat().st_size // 2)
    arguments = tiny_run(folder, tmp_path / "run", "characters")
    assert main(["train", *arguments]) == 1
    assert f"{name}: cut short or changed" in (said := capsys.readouterr().err) and "copy this file again" in said
    (folder / name).unlink()
    assert main(["train", *arguments]) == 1
    assert f"{name}: this part of a shard is missing" in capsys.readouterr().err
    assert main(["check", str(folder)]) == 1
    assert f"{name}: this part of a shard is missing" in capsys.readouterr().err


def test_damage_that_keeps_the_size_is_told_in_one_line(tones, tmp_path, capsys):
    """It is found where the clip is read: in a loader's worker."""
    folder = Path(shutil.copytree(tones, tmp_path / "train"))
    tar = folder / "recording.000001.tar"
    tar.write_bytes(bytes(tar.stat().st_size))
    arguments = tiny_run(folder, tmp_path / "run", "characters", "--data.validation", str(tones))
    assert main(["train", *arguments, "--data.workers", "1"]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if "rror" in line]
    assert len(said) == 1 and said[0].startswith(f"error: {tar}: holds nothing of clip"), said


def test_sound_and_stored_frames_train_together(shards, tmp_path):
    arguments = tiny_run(shards / "train", tmp_path / "run", "characters", "--data.batch_duration", "10",
                         "--data.sample_rate", "16000", "--data.augmentation.speed", "0.1", "--data.workers", "2")
    assert run_training(arguments) == 0
    assert read_checkpoint(tmp_path / "run" / "last.ckpt")["global_step"] > 3


def test_unfinished_shards_are_refused(shards, tmp_path):
    folder = copy(shards, tmp_path)
    (folder / INDEX).unlink()
    with pytest.raises(EarsightError, match="not whole, shards.json is missing"):
        SpeechData(str(folder), str(shards / "dev"))


def test_prepare_killed_goes_on(mixed, tmp_path):
    """Killed when two shards are there: no index, and the same command leaves what an unbroken run leaves."""
    command = ["prepare", "shards", str(mixed), str(tmp_path / "shards"), "shard_size=2"]
    slow = ("import sys, time; from lhotse.shar import SharWriter; write = SharWriter.write\n"
            "def slowly(self, cut):\n    time.sleep(0.1)\n    write(self, cut)\n"
            "SharWriter.write = slowly; from earsight.app.main import main; sys.exit(main(sys.argv[1:]))")
    folder = tmp_path / "shards" / "train"
    run = subprocess.Popen([sys.executable, "-c", slow, *command], cwd=REPOSITORY, env={**os.environ})
    wait_until(lambda: len(list(folder.glob("cuts.*"))) >= 2, run)
    run.kill()
    assert run.wait() == -signal.SIGKILL and not (folder / INDEX).exists()
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("cuts.*")}
    for begun in ("..000001.0123456789abcdef.json.x1y2.json", f".{INDEX}.x1y2.json"):  # killed while it wrote these
        (folder / begun).write_text("{")
    assert main(command) == 0
    assert sum(kept[name] == (folder / name).stat().st_mtime_ns for name in kept) >= len(kept) - 1
    assert not list(folder.glob(".*"))
    before = {cut.id: cut for cut in read_manifest(mixed / "train.jsonl.gz")}
    after = {cut.id: cut for cut in read_manifest(folder)}
    assert before.keys() == after.keys()
    assert all(np.array_equal(read_clip(before[name], 8000), read_clip(after[name], 8000)) for name in before)
    # Once more: nothing to do. Damaged: mended. With other settings: nothing of the old shards is left.
    index = (folder / INDEX).stat().st_mtime_ns
    assert main(command) == 0 and (folder / INDEX).stat().st_mtime_ns == index
    (folder / "recording.000001.tar").write_bytes(b"")
    assert main(command) == 0 and len(read_manifest(folder)) == len(before)
    assert main([*command[:-1], "shard_size=30", "format=wav"]) == 0
    assert len(list(folder.glob("cuts.*"))) == 2 and len(read_manifest(folder)) == len(before)


def test_a_clip_that_cannot_be_read_is_named_and_the_others_are_written(mixed, tmp_path, capsys):
    cuts = list(read_manifest(mixed / "train.jsonl.gz"))
    broken = next(cut for cut in cuts if cut.has_recording)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    broken.recording.sources[0].source = str(tmp_path / "broken.wav")
    CutSet.from_cuts(cuts).to_file(tmp_path / "train.jsonl.gz")
    for _ in range(2):  # it is said each time
        assert main(["prepare", "shards", str(tmp_path / "train.jsonl.gz"), str(tmp_path / "shards")]) == 1
        assert f"1 of {len(cuts)} clips left out ({broken.id}: cannot be read" in capsys.readouterr().err
    assert {cut.id for cut in read_manifest(tmp_path / "shards" / "train")} == {cut.id for cut in cuts} - {broken.id}


def test_shards_of_another_program_get_an_index(mixed, tmp_path, capsys):
    folder = tmp_path / "theirs"
    folder.mkdir()
    cuts = CutSet.from_cuts(cut for cut in read_manifest(mixed / "train.jsonl.gz") if cut.has_recording)
    cuts.to_shar(folder, fields={"recording": "wav"}, shard_size=10)
    assert main(["check", str(folder)]) == 1
    assert main(["prepare", "shards", str(folder), str(tmp_path / "other")]) == 1
    assert capsys.readouterr().err.count(f"`earsight prepare shards {folder} {folder}`") == 2
    assert main(["prepare", "shards", str(folder), str(folder)]) == 0
    found = read_manifest(folder)
    assert [cut.id for cut in found] == [cut.id for cut in cuts]
    for before, after in zip(cuts, found, strict=True):
        assert np.array_equal(read_clip(before, 8000), read_clip(after, 8000))
    (folder / INDEX).unlink()
    (folder / ".writing-x").mkdir()
    assert main(["prepare", "shards", str(folder), str(folder)]) == 1
    assert "not finished" in capsys.readouterr().err


def test_wrong_options(mixed, tmp_path, capsys):
    for option, message in (("format=tiff", "format is one of flac"), ("shard_size=0", "a number from 1"),
                            ("shard_sise=3", "did you mean shard_size")):
        assert main(["prepare", "shards", str(mixed), str(tmp_path), option]) == 1
        assert message in capsys.readouterr().err


def test_check_evaluate_and_predict(tones, tone_runs, tone_corpus, tmp_path, capsys):
    model = str(tone_runs["ctc"] / "model.ckpt")
    assert main(["check", str(tones)]) == 0
    assert main(["evaluate", model, str(tones), "--json", str(tmp_path / "shards.json")]) == 0
    assert main(["evaluate", model, str(tone_corpus / "tones.csv"), "--json", str(tmp_path / "files.json")]) == 0
    shards, files = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("shards", "files"))
    assert shards["utterances"] and all(shards[name] == files[name] for name in files if name != "utterances")
    assert main(["predict", "--model", model, str(tones), "--output", str(tmp_path / "out.jsonl"), "--workers", "1",
                 "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]) == 0
    said = {line["id"]: line["text"] for line in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())}
    assert said == {cut.id: cut.supervisions[0].text for cut in read_manifest(tones)}


def test_two_processes_see_each_clip_once(tones, tmp_path):
    for devices in (1, 2):
        (tmp_path / str(devices)).mkdir()
        run = train(tones, tmp_path / str(devices), "--trainer.max_epochs", "2", devices=devices)
        output = run.communicate(timeout=300)[0]
        assert run.returncode == 0, output
    alone, first, second = seen(tmp_path / "1", 0), seen(tmp_path / "2", 0), seen(tmp_path / "2", 1)
    wanted = sorted(cut.id for cut in read_manifest(tones))
    for epoch in range(2):
        assert sorted(name for number, _, names, _ in alone if number == epoch for name in names) == wanted
    for (epoch, step, names, _), *shares in zip(alone, first, second, strict=True):
        assert all(share[:2] == [epoch, step] for share in shares)
        assert sorted(name for *_, share, weight in shares if weight for name in share) == sorted(names)


def test_killed_and_bit_identical(tones, tmp_path):
    def arguments(run, *more):
        return tiny_run(tones, tmp_path / run, "characters", *RANDOM, *more, epochs=4)

    assert run_training(arguments("whole")) == 0
    saved, last = tmp_path / "killed" / "resume.ckpt", tmp_path / "killed" / "last.ckpt"
    killed = start(arguments("killed"))
    wait_until(lambda: last.exists() and saved.exists() and saved.stat().st_mtime_ns > last.stat().st_mtime_ns, killed)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    whole = read_checkpoint(tmp_path / "whole" / "last.ckpt")
    assert 0 < read_checkpoint(saved)["global_step"] < whole["global_step"]
    assert run_training(arguments("killed", "--resume", "auto")) == 0
    resumed = read_checkpoint(last)
    assert resumed["global_step"] == whole["global_step"]
    for name, value in whole["state_dict"].items():
        assert torch.equal(resumed["state_dict"][name], value), name


def test_a_worker_that_is_killed_ends_the_job(tones, tmp_path):
    run = start([*tiny_run(tones, tmp_path, "characters", "--save_every", "1"), "--data.workers", "1",
                 "--trainer.max_epochs", "100000"])
    wait_until((tmp_path / "resume.ckpt").exists, run)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    while run.poll() is None:
        for child in children.read_text().split():
            with suppress(ProcessLookupError):  # one that the run has waited for meanwhile
                os.kill(int(child), signal.SIGKILL)
        time.sleep(0.01)
    output = run.communicate(timeout=60)[0]
    assert run.returncode == 1 and "error: a process that reads clips was killed" in output
    assert "--resume auto" in output and "Traceback" not in output.partition("error: ")[2]
