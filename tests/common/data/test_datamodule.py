"""Batches: every clip once, by duration, waveforms and stored frames side by side, the same again from one seed."""

import copy
from dataclasses import fields, replace
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch

from conftest import tone, write_wav
from earsight.audio.data import ClipAugmentation, SpeechData, read_clip
from earsight.audio.model import SpeechModel
from earsight.common.data.datamodule import SequenceData, make_batch
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError
from earsight.common.nn.encoder import EncoderSettings


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A table of 30 waveforms and 30 frame arrays of 0.2 to 3 s."""
    folder = tmp_path_factory.mktemp("mixed")
    rows = ["path,text"]
    rng = np.random.default_rng(1)
    for i in range(30):
        seconds = rng.uniform(0.2, 3)
        write_wav(folder / f"w{i}.wav", tone(300 + i, seconds, 8000), 8000)
        np.save(folder / f"f{i}.npy", rng.standard_normal((round(100 * seconds), 13)).astype(np.float32))
        rows += [f"w{i}.wav,a", f"f{i}.npy,b"]
    (folder / "mixed.csv").write_text("\n".join(rows) + "\n")
    return folder / "mixed.csv"


def batches(data, epoch=0):
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_a_batch_arrives_as_it_was_sent_small_tensors_without_shared_memory(mixed):
    data = SpeechData(str(mixed), str(mixed), batch_duration=10, workers=0)
    small = batches(data)[0]
    large = replace(small, inputs=torch.arange(2**19, dtype=torch.float32))
    for batch, shared in ((small, False), (large, True)):
        sent = bytes(ForkingPickler.dumps(batch))
        assert (b"rebuild_storage" in sent) == shared
        for arrived in (ForkingPickler.loads(sent), copy.deepcopy(batch)):
            for field in fields(batch):
                was, now = getattr(batch, field.name), getattr(arrived, field.name)
                assert was.dtype == now.dtype and torch.equal(was, now) if torch.is_tensor(was) else was == now


def test_an_epoch_holds_every_clip_once_within_the_duration(mixed):
    data = SpeechData(str(mixed), str(mixed), batch_duration=10, workers=0)
    epoch = batches(data)
    names = [name for batch in epoch for name in batch.ids]
    assert sorted(names) == sorted(cut.id for cut in data.cuts("train"))
    durations = {cut.id: cut.duration for cut in data.cuts("train")}
    assert all(max(durations[name] for name in batch.ids) * len(batch.ids) <= 10 for batch in epoch)
    assert data.batches("train") == len(epoch)
    for batch in epoch:
        assert len(batch.inputs) + len(batch.frames) == len(batch.ids) == len(batch.references)
        assert [name[0] for name in batch.ids] == sorted((name[0] for name in batch.ids), key="wf".index)
        assert [data.labels.decode([i]) for i in batch.targets] == batch.references


def test_epochs_differ_and_repeat_from_their_seed(mixed):
    data = SpeechData(str(mixed), str(mixed), batch_duration=10, workers=0, augmentation=ClipAugmentation(
        speed=0.1, noise=1.0, gain=6))
    first, second, again = batches(data, 0), batches(data, 1), batches(data, 0)
    order = [[name for batch in epoch for name in batch.ids] for epoch in (first, second, again)]
    assert order[0] != order[1] and order[0] == order[2]
    assert all(torch.equal(a.inputs, b.inputs) and torch.equal(a.frames, b.frames)
               for a, b in zip(first, again))


def test_workers_read_the_same(mixed):
    options = {"batch_duration": 10, "augmentation": ClipAugmentation(speed=0.1, noise=1.0)}
    here = batches(SpeechData(str(mixed), str(mixed), workers=0, **options))
    there = batches(SpeechData(str(mixed), str(mixed), workers=1, **options))
    assert all(a.ids == b.ids and torch.equal(a.inputs, b.inputs) for a, b in zip(here, there, strict=True))


def test_only_training_clips_lose_their_quiet_ends(tmp_path):
    """All of them or the share that is asked for; 60 dB below is quiet at any depth that is drawn."""
    loud, quiet = tone(300, 0.5, 16000), 0.001 * tone(300, 0.25, 16000)
    for i in range(20):
        write_wav(tmp_path / f"{i}.wav", np.concatenate([quiet, loud, quiet]), 16000)
    table = tmp_path / "clips.csv"
    table.write_text("path,text\n" + "".join(f"{i}.wav,a\n" for i in range(20)))

    def seconds(share):
        data = SpeechData(str(table), str(table), workers=0, augmentation=ClipAugmentation(cut_ends=share))
        assert all((batch.input_lengths == 16000).all() for batch in data.val_dataloader())
        return np.concatenate([batch.input_lengths / 16000 for batch in batches(data)])

    assert (seconds(0.0) == 1.0).all()
    assert seconds(1.0) == pytest.approx(0.5, abs=0.03)
    assert 0 < np.sum(seconds(0.5) == 1.0) < 20


def test_curriculum_starts_with_the_short(mixed):
    data = SpeechData(str(mixed), str(mixed), batch_duration=10, workers=0, curriculum=1)
    durations = {cut.id: cut.duration for cut in data.cuts("train")}
    ordered = [durations[name] for name in
               (name for batch in batches(data, 0) for name in sorted(batch.ids, key=durations.get))]
    assert ordered == sorted(ordered)
    later = [max(durations[name] for name in batch.ids) for batch in batches(data, 1)]
    assert later != sorted(later)


def test_validation_is_not_augmented(mixed):
    data = SpeechData(str(mixed), str(mixed), workers=0, augmentation=ClipAugmentation(speed=0.2, noise=1.0, gain=9))
    cuts = {cut.id: cut for cut in data.cuts("validation")}
    for batch in data.val_dataloader():
        for name, clip, length in zip(batch.ids, batch.inputs, batch.input_lengths):
            assert np.array_equal(clip[:length].numpy(), read_clip(cuts[name], 16000))


def test_the_model_treats_a_clip_alone_as_in_a_mixed_batch(mixed):
    torch.manual_seed(1)
    data = SpeechData(str(mixed), str(mixed), workers=0)
    model = SpeechModel(data.labels.to_dict(), encoder=EncoderSettings(hidden=8, layers=2, channels=8)).eval()
    clips = [(cut, read_clip(cut, 16000)) for cut in data.cuts("train").subset(first=6)]
    batch = make_batch(clips)
    with torch.no_grad():
        together, lengths = model.predict_step(batch)
        by_name = {name: (output[:length]) for name, output, length in zip(batch.ids, together, lengths.tolist())}
        for cut, clip in clips:
            alone, _ = model.predict_step(make_batch([(cut, clip)]))
            torch.testing.assert_close(alone[0], by_name[cut.id], atol=1e-5, rtol=1e-5)


def test_speed_changes_duration_and_pitch(tmp_path):
    write_wav(tmp_path / "a.wav", tone(1000, 1.0))
    (tmp_path / "a.csv").write_text("path,text\na.wav,a\n")
    cut = next(iter(read_manifest(tmp_path / "a.csv")))
    fast = read_clip(cut, 16000, speed=1.25)
    assert len(fast) == pytest.approx(16000 / 1.25, abs=2)
    peak = np.abs(np.fft.rfft(fast)).argmax() * 16000 / len(fast)
    assert peak == pytest.approx(1250, rel=0.01)


def test_frames_of_any_origin_need_no_audio(mixed, tmp_path):
    rows = [row for row in mixed.read_text().splitlines() if not row.startswith("w")]
    (mixed.parent / "frames.csv").write_text("\n".join(rows) + "\n")
    data = SequenceData(str(mixed.parent / "frames.csv"), str(mixed.parent / "frames.csv"), workers=0)
    batch = next(iter(data.val_dataloader()))
    assert batch.frames.shape[2] == 13 and not len(batch.inputs)
    only_sound = SequenceData(str(mixed), str(mixed), workers=0)
    with pytest.raises(EarsightError, match="no stored frames"):
        list(only_sound.val_dataloader())


def test_several_manifests_are_one_set(mixed):
    data = SequenceData([str(mixed)] * 2, str(mixed), workers=0)
    assert len(data.cuts("train")) == 120
    with pytest.raises(EarsightError, match="no test manifest"):
        data.cuts("test")


def test_pinning_keeps_a_batch_as_it_is(mixed, monkeypatch):
    batch = batches(SpeechData(str(mixed), str(mixed), batch_duration=10, workers=0))[0]
    batch = replace(batch, inputs=(batch.inputs, batch.inputs[:1]))  # as video's streams are
    monkeypatch.setattr(torch.Tensor, "pin_memory", torch.Tensor.clone)  # which needs no GPU
    pinned = batch.pin_memory()
    for field in fields(batch):
        before, after = getattr(batch, field.name), getattr(pinned, field.name)
        if isinstance(before, torch.Tensor):
            before, after = (before,), (after,)
        if field.name in ("ids", "references", "seconds", "weight"):
            assert before == after
        else:
            assert all(torch.equal(x, y) and x is not y for x, y in zip(before, after, strict=True))


def test_texts_are_in_the_form_in_which_the_model_writes(tmp_path):
    for name, text in (("train", "two seven"), ("dev", "Two, SEVEN.")):
        np.save(tmp_path / f"{name}.npy", np.zeros((50, 3), np.float32))
        (tmp_path / f"{name}.csv").write_text(f'path,text\n{name}.npy,"{text}"\n')
    data = SequenceData(str(tmp_path / "train.csv"), str(tmp_path / "dev.csv"))
    assert [data.target_of(cut) for split in ("train", "validation") for cut in data.cuts(split)] == ["two seven"] * 2
