"""`prepare series`: splits, windows, steps, classes; tables in the place of manifests."""

import numpy as np
import pytest

from earsight.common.data.checking import check_files
from earsight.common.data.corpora.preparing import prepare
from earsight.common.data.cuts import frames_of, group_of, label_of
from earsight.common.data.datamodule import read_frames_cut
from earsight.common.data.manifest import read_manifest
from earsight.common.data.openers import Openers
from earsight.common.errors import EarsightError
from earsight.common.series.corpora import holds_series, series_corpora, with_tables
from earsight.common.series.data import OPENERS


def table(path, series, labels, *more, step=0.1):
    """A long table of series (time, channel) with the channels a, b, ..."""
    names = [chr(ord("a") + channel) for channel in range(series[0].shape[1])]
    rows = [",".join(["id", "time", "label", *names, *(name for name, _ in more)])]
    for number, (values, label) in enumerate(zip(series, labels)):
        rows += [",".join([f"s{number}", f"{k * step:g}", label, *map(str, row), *(each[number] for _, each in more)])
                 for k, row in enumerate(values)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")
    return path


def ramps(count, length=20, channels=2):
    return [np.arange(length * channels, dtype=np.float32).reshape(length, channels) + 100 * k for k in range(count)]


def prepared(source, destination, **options):
    paths = prepare(series_corpora(), "series", source, destination, progress=False, **options)
    return {split: list(read_manifest(path)) for split, path in paths.items()}


def test_a_table_becomes_manifests_of_frames(tmp_path):
    series = ramps(20)
    series[3][5:7, 1] = np.nan
    source = table(tmp_path / "moves.csv", series, ["up", "down"] * 10)
    splits = prepared(source, tmp_path / "out")
    assert {split: len(cuts) for split, cuts in splits.items()} == {"train": 16, "dev": 2, "test": 2}
    for cut in (cut for cuts in splits.values() for cut in cuts):
        number = int(cut.id.removeprefix("s"))
        np.testing.assert_array_equal(read_frames_cut(cut), series[number])
        assert frames_of(cut).frame_shift == pytest.approx(0.1) and label_of(cut) == ["up", "down"][number % 2]
        assert cut.custom["series"]["channels"] == ["a", "b"]
    reports = check_files([tmp_path / "out/train.jsonl.gz", tmp_path / "out/dev.jsonl.gz"], Openers(), {})
    assert all(report.ok for report in reports.values()), [report.text() for report in reports.values()]


def test_pairs_of_files_give_the_splits(tmp_path, capsys):
    for name, count in (("X_TRAIN", 12), ("X_TEST", 4)):
        rows = ["@classLabel true a b", "@data", *(f"{k},{k + 1}:{k},{k}:{'ab'[k % 2]}" for k in range(count))]
        for stem in (name, name.replace("X", "Y")):
            (tmp_path / "set" / f"{stem}.ts").parent.mkdir(exist_ok=True)
            (tmp_path / "set" / f"{stem}.ts").write_text("\n".join(rows))
    splits = prepared(tmp_path / "set/X_TRAIN.ts", tmp_path / "out", dev_share=0.25)
    assert {split: len(cuts) for split, cuts in splits.items()} == {"train": 9, "dev": 3, "test": 4}
    assert "a step is taken for 1 s" in capsys.readouterr().err
    with pytest.raises(EarsightError, match="several data sets, X, Y; name a file"):
        prepared(tmp_path / "set", tmp_path / "other")
    assert len(read_manifest(tmp_path / "set/X_TRAIN.ts", OPENERS)) == 12  # as a manifest it is itself alone


def test_a_folder_per_class(tmp_path):
    for label in ("rest", "work"):
        for number in range(6):
            (tmp_path / "logs" / label).mkdir(parents=True, exist_ok=True)
            (tmp_path / "logs" / label / f"{number}.csv").write_text("time,x\n" + "".join(
                f"{k},{k * number}\n" for k in range(5)))
    assert holds_series(tmp_path / "logs")
    splits = prepared(tmp_path / "logs", tmp_path / "out", test_share=0)
    assert {label_of(cut) for cut in splits["train"]} == {"rest", "work"}
    assert "work-3" in {cut.id for cuts in splits.values() for cut in cuts}
    assert len(read_manifest(tmp_path / "logs", OPENERS)) == 12


def test_windows_of_a_series_stay_together(tmp_path):
    source = table(tmp_path / "moves.csv", ramps(10, 50), ["up", "down"] * 5)
    splits = prepared(source, tmp_path / "out", window=2.0, hop=1.0)
    groups = [{group_of(cut) for cut in cuts} for cuts in splits.values()]
    assert sum(map(len, groups)) == 10 == len(set.union(*groups))
    assert sum(map(len, splits.values())) == 40
    cut = next(cut for cuts in splits.values() for cut in cuts if cut.id == "s4-000020")
    np.testing.assert_array_equal(read_frames_cut(cut), ramps(10, 50)[4][20:40])


def test_series_of_several_rates_come_to_one_step(tmp_path):
    slow = np.column_stack([np.arange(0, 2, 0.2)]).astype(np.float32)
    fast = np.column_stack([np.arange(0, 2, 0.1)]).astype(np.float32)
    (tmp_path / "x.csv").write_text("id,time,label,v\n" + "".join(
        f"{name},{v:g},{name[0]},{v:g}\n" for name, values in (("a1", fast), ("b1", slow), ("a2", fast), ("b2", fast))
        for v in values[:, 0]))
    splits = prepared(tmp_path / "x.csv", tmp_path / "out", dev_share=0, test_share=0)
    for cut in splits["train"]:
        np.testing.assert_allclose(read_frames_cut(cut)[:19], fast[:19], atol=1e-6)
    halves = prepared(tmp_path / "x.csv", tmp_path / "half", dev_share=0, test_share=0, resample=0.5)
    assert {len(read_frames_cut(cut)) for cut in halves["train"]} == {5}


@pytest.mark.parametrize("labels, complaint", [
    ([str(k) for k in range(10_000)], "10000 classes for 10000 series"),
    (["one"] * 10_000, "one class only, one"),
])
def test_classes_that_cannot_be_learnt(labels, complaint, tmp_path):
    source = tmp_path / "ids.csv"
    source.write_text("id,label,x\n" + "".join(f"{k},{label},1\n" for k, label in enumerate(labels)))
    with pytest.raises(EarsightError, match=complaint):
        prepared(source, tmp_path / "out")
    assert not list(tmp_path.glob("out/*.jsonl.gz"))


def test_other_channels_are_refused_and_an_order_is_mended(tmp_path):
    (tmp_path / "X_TRAIN.csv").write_text("id,label,a,b\n" + "".join(f"{k},{'uv'[k % 2]},1,{k}\n" for k in range(8)))
    (tmp_path / "X_TEST.csv").write_text("id,label,b,a\n0,u,7,1\n")
    test = prepared(tmp_path / "X_TRAIN.csv", tmp_path / "out", layout="long")["test"]
    np.testing.assert_array_equal(read_frames_cut(test[0]), [[1, 7]])
    (tmp_path / "X_TEST.csv").write_text("id,label,A,c\n0,u,7,1\n")
    with pytest.raises(EarsightError, match=r"X_TEST.csv: lacks channels a \(is it A\?\), b.*X_TRAIN.csv has a, b"):
        prepared(tmp_path / "X_TRAIN.csv", tmp_path / "other")


def test_series_without_a_label_are_left_out_by_name(tmp_path, capsys):
    source = tmp_path / "x.csv"
    source.write_text("id,kind,x\n" + "".join(f"{k},{'' if k == 3 else 'uv'[k % 2]},{k}\n" for k in range(12)))
    assert sum(map(len, prepared(source, tmp_path / "out", label="kind").values())) == 11
    assert "1 rows without a label are left out" in capsys.readouterr().err
    (tmp_path / "y.csv").write_text("label," + ",".join(f"x{k}" for k in range(9)) + "\n" + "".join(
        f"{'' if k == 3 else 'uv'[k % 2]}{',1' * 9}\n" for k in range(12)))
    with pytest.raises(EarsightError, match="1 of 12 clips left out .4: .*series 4 has no label"):
        prepared(tmp_path / "y.csv", tmp_path / "wide")
    with pytest.raises(EarsightError, match="column kind: 'u' is no number"):
        prepared(source, tmp_path / "other")
    source.write_text("id,x\n" + "".join(f"{k},{k}\n" for k in range(12)))
    with pytest.raises(EarsightError, match="no series has a label; name the column of classes"):
        prepared(source, tmp_path / "other")


def test_a_series_that_cannot_be_used_is_named_and_the_others_go_on(tmp_path):
    source = tmp_path / "x.csv"
    rows = [f"{k},{'uv'[k % 2]},{'' if k == 3 else k}\n" for k in range(12)]
    source.write_text("id,label,x\n" + "".join(rows))
    with pytest.raises(EarsightError, match="1 of 12 clips left out .3: .*series 3 holds no number"):
        prepared(source, tmp_path / "out")
    assert len(read_manifest(tmp_path / "out/train.jsonl.gz")) == 9


def test_what_is_no_table_is_left_to_others(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "sounds/one").mkdir(parents=True)
    for name in ("about.csv", "one/extra.csv"):
        (tmp_path / "sounds" / name).write_text("id,x\n1,2\n")
    assert holds_series(tmp_path / "sounds")
    (tmp_path / "sounds/one/a.wav").touch()
    assert not holds_series(tmp_path / "sounds")
    assert not holds_series(tmp_path / "notes") and not holds_series(tmp_path / "lost.csv")
    (tmp_path / "clips.csv").write_text("path,label\na.npy,one\n")
    np.save(tmp_path / "a.npy", np.zeros((3, 2), np.float32))
    assert [cut.id for cut in read_manifest(tmp_path / "clips.csv", with_tables(Openers()))] == ["a"]
