"""What can be wrong with clips and splits of any medium, made on purpose, and found by the clip's name."""

import numpy as np
import pytest

from earsight.common.containers import inspect
from earsight.common.data.checking import CheckReport, Finding, characters_and_blanks, check, check_files
from earsight.common.data.cuts import frames_cut, recording_cut, video_cut
from earsight.common.data.manifest import write_manifest
from earsight.common.data.openers import Openers
from earsight.common.errors import EarsightError

GOOD = np.ones((20, 13))


@pytest.fixture
def make(tmp_path):
    """Write frames and return their cut, which is fine unless told otherwise."""

    def write(name, values=GOOD, *, text="a", **said):
        np.save(tmp_path / f"{name}.npy", np.asarray(values, np.float32))
        return frames_cut(name, tmp_path / f"{name}.npy", shape=values.shape, text=text, **said)

    return write


def found(report):
    return {(finding.kind, finding.name) for finding in report.findings}


def run(*cuts, **options):
    return check(list(cuts), {}, progress=False, **options)


def run_files(*paths):
    return check_files(paths, Openers(), {}, progress=False)


def test_nothing_wrong(make):
    report = run(make("a"), make("b"), alphabet="abc ")
    assert report.ok and report.clips == 2 and report.seconds == pytest.approx(0.4)
    assert report.text() == "2 clips, 0.00 h: nothing wrong"


def test_frames(make, tmp_path):
    bad = np.ones((20, 13))
    bad[3, 2], bad[4, 0] = np.nan, np.inf
    gone = make("gone", np.ones((20, 13)))
    (tmp_path / "gone.npy").write_bytes(b"not an array")
    report = run(make("nan", bad), gone, make("fine"))
    assert found(report) == {("not finite", "nan"), ("unreadable", "gone")}
    assert "2 of 20 frames" in next(each.detail for each in report.findings if each.name == "nan")


def test_frames_of_another_width(make):
    cuts = make("one"), make("two", np.ones((20, 26))), make("three")
    report = run(*cuts)
    assert found(report) == {("other width", "two")} and "26 features a frame, and 13 are expected" in report.text()
    assert found(run(*cuts, width=26)) == {("other width", "one"), ("other width", "three")}


def test_each_medium_has_its_check(tmp_path):
    def count(cut, note, frame_shift):
        note("empty", f"{cut.id} at {frame_shift}")
        return 4

    sound = recording_cut("s", tmp_path / "s.wav", sample_rate=8, num_samples=8, text="aaa")
    film = video_cut("v", tmp_path / "v.mp4", width=4, height=2, frame_rate=8, total=1, text="abc")
    report = check([sound, film], {"video": count}, progress=False, frame_shift=0.5)
    assert found(report) == {("unreadable", "s"), ("empty", "v"), ("too long a target", "v")}
    assert "a clip of sound, which is not checked here" in report.findings[0].detail
    assert report.findings[1].detail == "v at 0.5"


def test_targets_that_ctc_cannot_place(make):
    frames = np.ones((10, 13))  # 5 outputs at stride 2, 10 at stride 1
    fits = make("fits", frames, text="abcde")
    repeats = make("repeats", frames, text="aabb")  # four labels and two blanks
    assert found(run(fits, repeats)) == {("too long a target", "repeats")}
    assert run(fits, repeats, stride=1).ok
    odd = make("odd", np.ones((11, 13)), text="abcdef")
    assert run(odd).ok  # 11 frames make 6 outputs
    assert run(repeats, target_length=lambda text: 5).ok
    assert characters_and_blanks("aab  ba") == 7  # spaces are squeezed, as the labels do


def test_targets_that_the_labels_cannot_write(make):
    def words(text):
        raise EarsightError(f"word {text!r} is not in the lexicon")

    assert found(run(make("a", GOOD, text="año"), alphabet="abo ")) == {("outside the alphabet", "a")}
    assert found(run(make("a", GOOD, text="b"), target_length=words)) == {("outside the alphabet", "a")}
    assert found(run(make("a", GOOD, text=None))) == {("untold", "a")}
    assert run(make("a", GOOD, text=None, label="dog")).ok


def test_what_two_splits_share(make):
    train = [make("a", GOOD, speaker="ann", group="g"), make("b", GOOD, speaker="bob")]
    test = [make("a", GOOD, speaker="cat"), make("c", GOOD, speaker="ann", group="g"), make("d", GOOD)]
    report = run(*test, against={"train": train})
    assert found(report) == {
        ("clip in two splits", "a"), ("speaker in two splits", "ann"), ("group in two splits", "g")
    }  # fmt: skip
    shared = run(*test, against={"train": train}, shared_speakers=True)
    assert set(shared.counts) == {"clip in two splits", "group in two splits"}
    assert found(run(train[1], train[1])) == {("double id", "b")}


def test_parts_of_one_video_in_two_splits(tmp_path):
    def film(name, start):
        path = tmp_path / "long.mp4"
        return video_cut(name, path, width=4, height=2, frame_rate=8, total=9, start=start, duration=1, label="run")

    report = check([film("b", 5.0)], {"video": lambda *_: 8}, progress=False, against={"train": [film("a", 0.0)]})
    assert found(report) == {("video in two splits", str(tmp_path / "long.mp4"))}


def test_manifests_are_checked_against_each_other(make, tmp_path):
    train = write_manifest([make("a", speaker="ann"), make("gone")], tmp_path / "train.jsonl.gz")
    test = write_manifest([make("b", speaker="ann")], tmp_path / "test.jsonl.gz")
    (tmp_path / "gone.npy").unlink()
    reports = run_files(train, test)
    assert found(reports[train]) == {("unreadable", "gone")} and reports[train].clips == 2
    assert found(reports[test]) == {("speaker in two splits", "ann")}
    assert "1 in " + str(train) in reports[test].findings[0].detail
    table = tmp_path / "t.csv"
    table.write_text("path,text,id\na.npy,x,one\na.npy,y,one\nnone.npy,z,two\n")
    assert found(run_files(table)[table]) == {("double id", "one"), ("unreadable", "two")}


def test_classes_are_those_of_the_training_manifest(make, tmp_path):
    def manifest(name, *labels):
        cuts = [make(f"{name}-{label}", text=None, label=label) for label in labels]
        return write_manifest(cuts, tmp_path / f"{name}.jsonl.gz")

    train, dev, test = manifest("train", "run", "jump"), manifest("dev", "run"), manifest("test", "run", "swim")
    for order in ((train, dev, test), (test, dev, train)):
        reports = run_files(*order)
        assert found(reports[train]) == found(reports[dev]) == set()
        assert found(reports[test]) == {("unknown class", "test-swim")}
        assert "swim is not one of 2 classes" in reports[test].findings[0].detail
    assert all(report.ok for report in run_files(dev, test).values())  # no training part among them
    assert found(run(make("a", text=None, label="swim"), classes=("run", "jump"))) == {("unknown class", "a")}


def test_characters_are_those_of_the_training_manifest(make, tmp_path):
    train, dev = (write_manifest([make(name, GOOD, text=text)], tmp_path / f"{name}.jsonl.gz")
                  for name, text in (("train", "a b"), ("dev", "a ñ")))
    for order in ((train, dev), (dev, train)):
        reports = run_files(*order)
        assert reports[train].ok and found(reports[dev]) == {("outside the alphabet", "dev")}
        assert "'ñ' in 'a ñ'" in reports[dev].findings[0].detail
    assert run_files(dev)[dev].ok


def test_one_class_only(make, tmp_path):
    for label in ("run", "rest"):
        (tmp_path / "clips" / label).mkdir(parents=True)
    for i in range(2):
        np.save(tmp_path / f"clips/run/{i}.npy", np.ones((4, 3), np.float32))
    report = run_files(tmp_path / "clips")[tmp_path / "clips"]
    assert found(report) == {("one class", "run"), ("empty class", "rest")} and report.clips == 2
    assert str(tmp_path / "clips" / "rest") in report.findings[0].detail


def test_the_text_names_the_first_and_counts_the_rest():
    findings = tuple(Finding("empty", f"clip{i}", "no samples") for i in range(7))
    text = CheckReport(9, 7200.0, (*findings, Finding("silent", "s", "-70 dBFS"))).text(shown=2)
    assert text.splitlines() == [
        "9 clips, 2.00 h: 8 findings",
        "empty: 7 (nothing in it)",
        "  clip0: no samples",
        "  clip1: no samples",
        "  ... and 5 more",
        "silent: 1 (all zero, or hardly anything)",
        "  s: -70 dBFS",
    ]


def test_texts_that_are_all_empty(make, tmp_path):
    empty = write_manifest([make("a", text=""), make("b", text="")], tmp_path / "empty.jsonl.gz")
    report = run_files(empty)[empty]
    assert found(report) == {("nothing said", "text")} and "2 clips, and no word in any" in report.text()
    some = write_manifest([make("a", text=""), make("b")], tmp_path / "some.jsonl.gz")  # noise beside speech is fine
    assert run_files(some)[some].ok


@pytest.mark.parametrize("size, kind", [(40950, "unreadable"), (0, "empty")])
def test_a_round_number_of_bytes_is_not_none(make, tmp_path, size, kind):
    def read(cut, note, frame_shift):
        inspect(tmp_path / "film.mp4", "video")

    announced = b"\0\0\0\x10ftypisom\0\0\0\0\0\0\xff\xfemdat"  # 65,550 bytes
    (tmp_path / "film.mp4").write_bytes((announced + bytes(size))[:size])
    cut = video_cut("film", tmp_path / "film.mp4", width=8, height=8, frame_rate=5, num_frames=10, total=2, label="x")
    report = check([cut], {"video": read}, progress=False)
    assert found(report) == {(kind, "film")}
