"""Divisions into train, dev and test: nothing that belongs together is in two of them, and no class is lost."""

import pytest
from small_corpora import sound

from earsight.common.data.cuts import group_of, recording_cut, speaker_of, video_cut
from earsight.common.data.splits import demand_classes, demand_whole, divide, source_of
from earsight.common.errors import EarsightError


def shown(name, label="run", **said):
    """A clip of a video, which need not be there."""
    path = said.pop("path", f"/videos/{name}.mp4")
    return video_cut(name, path, width=32, height=24, frame_rate=8, total=60, duration=1, label=label, **said)


def test_dividing_never_splits_a_group_or_a_speaker(tmp_path):
    path = sound(tmp_path / "a.wav", 1.0)
    cuts = [
        recording_cut(f"c{i}", path, sample_rate=8000, num_samples=8000, text="a", speaker=f"s{i % 7}",
                      group=f"g{i % 5}" if with_groups else None)
        for with_groups in (False, True) for i in range(70)
    ]  # fmt: skip
    for part, key, by in (
        (cuts[:70], speaker_of, "auto"), (cuts[70:], group_of, "auto"), (cuts[70:], speaker_of, "speaker")
    ):  # fmt: skip
        for seed in range(5):
            chosen = divide(part, {"test": 0.2, "dev": 0.1}, by=by, seed=seed)
            assert set(chosen.values()) == {"train", "dev", "test"}
            for unit in set(map(key, part)):
                assert len({chosen[cut.id] for cut in part if key(cut) == unit}) == 1
    two = [cut for cut in cuts[:70] if speaker_of(cut) in ("s0", "s1")]
    with pytest.raises(EarsightError, match="cannot be divided into 3 splits"):
        divide(two, {"test": 0.2, "dev": 0.1})
    with pytest.raises(EarsightError, match="clip c0 has no group"):
        divide(two, {"test": 0.2}, by="group")


def test_dividing_keeps_the_parts_of_a_video_together():
    cuts = [shown(f"c{i}", path=f"/videos/{i % 6}.mp4", start=i) for i in range(30)]
    for seed in range(5):
        chosen = divide(cuts, {"test": 0.3, "dev": 0.2}, seed=seed)
        assert set(chosen.values()) == {"train", "dev", "test"}
        for source in set(map(source_of, cuts)):
            assert len({chosen[cut.id] for cut in cuts if source_of(cut) == source}) == 1


def test_dividing_leaves_each_class_in_train():
    cuts = [shown(f"{label}{i}", label) for label, n in (("run", 20), ("jump", 2), ("rest", 1)) for i in range(n)]
    for seed in range(20):
        chosen = divide(cuts, {"test": 0.4, "dev": 0.2}, seed=seed)
        assert {cut.id[:-1] for cut in cuts if chosen[cut.id] == "train"} >= {"jump", "rest"}
        assert any(chosen[f"run{i}"] == "train" for i in range(20))


def test_dividing_gives_each_split_its_share_of_each_class():
    counts = {"run": 40, "jump": 20, "rest": 20}
    cuts = [shown(f"{label}{i}", label) for label, n in counts.items() for i in range(n)]
    drawn = set()
    for seed in range(20):
        chosen = divide(cuts, {"test": 0.2, "dev": 0.1}, seed=seed)
        for split, share in (("test", 0.2), ("dev", 0.1)):
            for label, n in counts.items():
                found = sum(chosen[f"{label}{i}"] == split for i in range(n))
                assert abs(found - share * n) <= 1.5
        drawn.add(frozenset(name for name, split in chosen.items() if split == "test"))
    assert len(drawn) == 20  # another division for each seed


def test_dividing_passes_over_a_group_that_is_too_large():
    cuts = [shown(f"c{i}", group="large" if i < 40 else f"g{i}") for i in range(60)]
    for seed in range(20):
        chosen = divide(cuts, {"dev": 0.1}, seed=seed)
        assert sum(split == "dev" for split in chosen.values()) == 6


def test_what_two_splits_share_is_an_error():
    train, test = [shown("a", group="g"), shown("b", path="/videos/long.mp4")], [shown("c", group="h")]
    demand_whole({"train": train, "test": test}, "group", group_of)
    with pytest.raises(EarsightError, match=r"group g is in train \(a\) and in test \(d\); keep a group in one"):
        demand_whole({"train": train, "test": [*test, shown("d", group="g")]}, "group", group_of)
    part = shown("e", path="/videos/long.mp4", start=30)
    with pytest.raises(EarsightError, match=r"video /videos/long.mp4 is in train \(b\) and in test \(e\)"):
        demand_whole({"train": train, "test": [part]}, "video", source_of)


def test_classes_that_training_lacks():
    two = [shown("a", "run"), shown("b", "jump")]
    demand_classes({"train": two, "dev": two[:1], "test": []})
    demand_classes({"test": two[:1]})  # no training part: nothing is trained
    with pytest.raises(EarsightError, match=r"label swim is in test \(c\) and not in train"):
        demand_classes({"train": two, "test": [shown("c", "swim")]})
    with pytest.raises(EarsightError, match="one class only, run"):
        demand_classes({"train": two[:1], "test": two[:1]})
    demand_classes({"train": [shown("a", "run", text="said")], "test": [shown("b", "jump", text="said")]})
