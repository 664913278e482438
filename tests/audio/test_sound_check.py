"""Each thing that can be wrong with the sound of a clip, made on purpose, and found by the clip's name."""

import numpy as np
import pytest
import soundfile

from earsight.audio.checking import SoundCheck
from earsight.common.data.checking import check
from earsight.common.data.cuts import recording_cut
from earsight.common.data.manifest import read_manifest

RATE = 8000
GOOD = np.random.default_rng(0).uniform(-0.3, 0.3, RATE)


@pytest.fixture
def make(tmp_path):
    """Write samples and return their cut, which is fine unless told otherwise."""

    def write(name, values, *, rate=RATE, text="a", subtype="PCM_16", **said):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.asarray(values, np.float32), rate, subtype=subtype)
        return recording_cut(name, path, sample_rate=rate, num_samples=len(values), text=text, **said)

    return write


def found(report):
    return {(finding.kind, finding.name) for finding in report.findings}


def run(*cuts, sample_rate=None, **options):
    return check(list(cuts), {"sound": SoundCheck(sample_rate)}, progress=False, **options)


def test_nothing_wrong(make):
    report = run(make("a", GOOD), make("b", GOOD), sample_rate=RATE, alphabet="abc ")
    assert report.ok and report.clips == 2 and report.seconds == pytest.approx(2.0)
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


def test_samples_that_are_not_numbers(make):
    broken = GOOD.copy()
    broken[5] = np.nan
    assert found(run(make("nan", broken, subtype="FLOAT"))) == {("not finite", "nan")}


def test_targets_that_ctc_cannot_place(make):
    short = make("short", GOOD[:800], text="abcdef")  # 0.1 s: 10 frames, 5 outputs
    assert found(run(short)) == {("too long a target", "short")}
    assert run(short, frame_shift=0.005).ok


def test_real_recordings_are_sound(shared_data, tmp_path):
    (tmp_path / "t.csv").write_text("path,text\n" + "".join(
        f"{path},x\n" for path in sorted((shared_data / "fsdd" / "recordings").glob("*_theo_1*.wav"))[:20]))
    assert run(*read_manifest(tmp_path / "t.csv"), sample_rate=8000).ok
