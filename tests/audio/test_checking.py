"""Each thing that can be wrong with a clip, made on purpose, and found by the clip's name."""

import numpy as np
import pytest
import soundfile

from audio.checking import CheckReport, Finding, characters_and_blanks, check, check_files
from common.cuts import frames_cut, recording_cut
from common.errors import EarsightError
from common.manifest import read_manifest, write_manifest

RATE = 8000
GOOD = np.random.default_rng(0).uniform(-0.3, 0.3, RATE)


@pytest.fixture
def make(tmp_path):
    """Write samples or frames and return their cut, which is fine unless told otherwise."""

    def write(name, values, *, rate=RATE, text="a", subtype="PCM_16", **said):
        values = np.asarray(values, np.float32)
        if values.ndim == 2:
            np.save(tmp_path / f"{name}.npy", values)
            return frames_cut(name, tmp_path / f"{name}.npy", shape=values.shape, text=text, **said)
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, values, rate, subtype=subtype)
        return recording_cut(name, path, sample_rate=rate, num_samples=len(values), text=text, **said)

    return write


def found(report):
    return {(finding.kind, finding.name) for finding in report.findings}


def run(*cuts, **options):
    return check(list(cuts), progress=False, **options)


def test_nothing_wrong(make):
    report = run(make("a", GOOD), make("b", np.ones((20, 13))), sample_rate=RATE, alphabet="abc ")
    assert report.ok and report.clips == 2 and report.seconds == pytest.approx(1.2)
    assert report.text() == "2 clips, 0.00 h: nothing wrong"


def test_sound_that_is_no_sound(make):
    clipped = GOOD.copy()
    clipped[:80] = 1.0  # 1 % of the samples
    peaks = GOOD.copy()
    peaks[:8] = 1.0  # 0.1 %, which is allowed
    report = run(
        make("zeros", np.zeros(RATE)),
        make("faint", GOOD * 1e-3),  # uniform in 3e-4: -75 dBFS
        make("quiet", GOOD * 1e-2),  # -55 dBFS
        make("clipped", clipped),
        make("peaks", peaks),
        make("slow", GOOD, rate=4000),
        sample_rate=RATE,
    )
    assert found(report) == {
        ("silent", "zeros"), ("silent", "faint"), ("clipped", "clipped"), ("wrong rate", "slow")
    }  # fmt: skip
    assert report.counts == {"silent": 2, "clipped": 1, "wrong rate": 1}


def test_files_that_changed_under_their_manifest(make, tmp_path):
    cuts = [make(name, GOOD) for name in ("gone", "text", "shorter", "faster", "nothing")]
    (tmp_path / "gone.wav").unlink()
    (tmp_path / "text.wav").write_text("not sound")
    soundfile.write(tmp_path / "shorter.wav", GOOD[:4000], RATE)
    soundfile.write(tmp_path / "faster.wav", np.repeat(GOOD, 2), 2 * RATE)
    soundfile.write(tmp_path / "nothing.wav", GOOD[:0], RATE)
    report = run(*cuts, make("fine", GOOD))
    names = {name: kind for kind, name in found(report)}
    assert names["gone"] == names["text"] == "unreadable"
    assert names["shorter"] == "cut short" and names["faster"] == "wrong rate"
    assert names["nothing"] == "empty"
    assert "fine" not in names
    assert all(str(tmp_path) in each.detail for each in report.findings if each.kind == "unreadable")


def test_parts_of_one_file_are_checked_alone(make):
    samples = np.concatenate([GOOD, np.zeros(RATE)])
    whole = make("whole", samples)
    path = whole.recording.sources[0].source
    measured = {"sample_rate": RATE, "num_samples": len(samples)}
    parts = [
        recording_cut(name, path, **measured, start=start, duration=1.0, text="a")
        for name, start in (("loud", 0.0), ("still", 1.0))
    ]
    assert found(run(whole, *parts)) == {("silent", "still")}


def test_frames(make, tmp_path):
    bad = np.ones((20, 13))
    bad[3, 2], bad[4, 0] = np.nan, np.inf
    gone = make("gone", np.ones((20, 13)))
    (tmp_path / "gone.npy").write_bytes(b"not an array")
    report = run(make("nan", bad), gone, make("fine", np.ones((20, 13))))
    assert found(report) == {("not finite", "nan"), ("unreadable", "gone")}
    assert "2 of 20 frames" in next(each.detail for each in report.findings if each.name == "nan")


def test_samples_that_are_not_numbers(make):
    broken = GOOD.copy()
    broken[5] = np.nan
    assert found(run(make("nan", broken, subtype="FLOAT"))) == {("not finite", "nan")}


def test_targets_that_ctc_cannot_place(make):
    frames = np.ones((10, 13))  # 5 outputs at stride 2, 10 at stride 1
    fits = make("fits", frames, text="abcde")
    repeats = make("repeats", frames, text="aabb")  # four labels and two blanks
    assert found(run(fits, repeats)) == {("too long a target", "repeats")}
    assert run(fits, repeats, stride=1).ok
    odd = make("odd", np.ones((11, 13)), text="abcdef")
    assert run(odd).ok  # 11 frames make 6 outputs
    assert not run(make("sound", GOOD[:800], text="abcdef")).ok  # 0.1 s: 10 frames, 5 outputs
    assert run(make("sound", GOOD[:800], text="abcdef"), frame_shift=0.005).ok
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


def test_manifests_are_checked_against_each_other(make, tmp_path):
    train = write_manifest([make("a", GOOD, speaker="ann"), make("gone", GOOD)], tmp_path / "train.jsonl.gz")
    test = write_manifest([make("b", GOOD, speaker="ann")], tmp_path / "test.jsonl.gz")
    (tmp_path / "gone.wav").unlink()
    reports = check_files([train, test], progress=False)
    assert found(reports[train]) == {("unreadable", "gone")} and reports[train].clips == 2
    assert found(reports[test]) == {("speaker in two splits", "ann")}
    assert "1 in " + str(train) in reports[test].findings[0].detail
    table = tmp_path / "t.csv"
    table.write_text("path,text,id\na.wav,x,one\na.wav,y,one\nnone.wav,z,two\n")
    assert found(check_files([table], progress=False)[table]) == {("double id", "one"), ("unreadable", "two")}


def test_the_text_names_the_first_and_counts_the_rest():
    findings = tuple(Finding("empty", f"clip{i}", "no samples") for i in range(7))
    text = CheckReport(9, 7200.0, (*findings, Finding("silent", "s", "-70 dBFS"))).text(shown=2)
    assert text.splitlines() == [
        "9 clips, 2.00 h: 8 findings",
        "empty: 7 (no sound in it)",
        "  clip0: no samples",
        "  clip1: no samples",
        "  ... and 5 more",
        "silent: 1 (all zero, or below -60 dBFS)",
        "  s: -70 dBFS",
    ]


def test_real_recordings_are_sound(shared_data, tmp_path):
    (tmp_path / "t.csv").write_text("path,text\n" + "".join(
        f"{path},x\n" for path in sorted((shared_data / "fsdd" / "recordings").glob("*_theo_1*.wav"))[:20]))
    assert check(read_manifest(tmp_path / "t.csv"), sample_rate=8000, progress=False).ok
