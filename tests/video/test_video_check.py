"""Each thing that can be wrong with the pictures of a clip, made on purpose, and found by the clip's name."""

import shutil

import pytest
from small_corpora import video

from earsight.app.main import main
from earsight.common.data.checking import check
from earsight.common.data.cuts import video_cut
from earsight.video.checking import VideoCheck
from earsight.video.corpora.files import info


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two seconds of 32x24 pixels at 8 Hz."""
    return video(tmp_path_factory.mktemp("film") / "film.mp4", frames=16)


@pytest.fixture
def make(film, tmp_path):
    """A cut of a copy of the film, or of another one."""

    def cut(name, path=film, **said):
        if path == film:
            path = shutil.copy(film, tmp_path / f"{name}.mp4")
        known = info(path)
        return video_cut(name, path, width=known.width, height=known.height, frame_rate=known.frame_rate,
                         num_frames=known.frames, total=known.duration, label="run", **said)  # fmt: skip

    return cut


def found(report):
    return {(finding.kind, finding.name) for finding in report.findings}


def run(*cuts, **options):
    return check(list(cuts), {"video": VideoCheck()}, progress=False, **options)


def test_nothing_wrong(make):
    parts = [make(f"part{i}", start=i / 2, duration=0.5) for i in range(4)]
    report = run(make("whole"), *parts, classes=("run", "jump"))
    assert report.ok and report.clips == 5 and report.seconds == pytest.approx(4)


def test_videos_that_changed_under_their_manifest(make, tmp_path):
    cuts = [make(name) for name in ("gone", "text", "empty", "cut", "shorter", "larger")]
    (tmp_path / "gone.mp4").unlink()
    (tmp_path / "text.mp4").write_text("not a film")
    (tmp_path / "empty.mp4").write_bytes(b"")
    whole = (tmp_path / "cut.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    video(tmp_path / "shorter.mp4", frames=8)
    video(tmp_path / "larger.mp4", frames=16, size=(64, 48))
    report = run(*cuts, make("fine"))
    names = {name: kind for kind, name in found(report)}
    assert names["gone"] == names["text"] == names["cut"] == "unreadable" and names["empty"] == "empty"
    assert names["shorter"] == "cut short" and names["larger"] == "wrong size"
    assert "fine" not in names and len(report.findings) == 6
    details = {each.name: each.detail for each in report.findings}
    assert details["larger"] == "the file has 64x48 pixels, the manifest says 32x24"
    assert all(str(tmp_path / f"{name}.mp4") in details[name] for name in ("gone", "text", "empty", "cut"))


def test_a_video_that_is_damaged_in_the_middle(tmp_path, make):
    path = video(tmp_path / "long.avi", frames=64)
    cut = make("long", path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3] + bytes(len(whole) - len(whole) // 3))
    assert found(run(cut)) == {("cut short", "long")}


def test_too_few_frames(make, tmp_path):
    one = make("one", video(tmp_path / "single.avi", frames=1))
    short = make("short", start=0.5, duration=0.25)
    assert found(run(one, short)) == {("too few frames", "one")}
    assert found(run(make("all"), short, frame_shift=0.5)) == {("too few frames", "short")}
    assert run(short, frame_shift=0.25).ok


def test_a_part_between_two_pictures_is_empty(make):
    between = make("between", start=0.05, duration=0.05)
    assert found(run(between)) == {("empty", "between")}


def test_a_file_is_decoded_once_for_its_parts(make, film, monkeypatch):
    from earsight.video import checking

    opened, read = [], checking.reading.read_frames
    monkeypatch.setattr(checking.reading, "read_frames", lambda path: opened.append(path) or read(path))
    path = make("a").custom["video"]["path"]
    parts = [make(f"part{i}", path, start=i / 2, duration=0.5) for i in range(4)]
    assert run(*parts).ok and len(opened) == 1


def test_the_command_line_prepares_and_checks(tmp_path, film, capsys):
    for label in ("run", "jump"):
        for i in range(6):
            (tmp_path / "clips" / label).mkdir(parents=True, exist_ok=True)
            shutil.copy(film, tmp_path / "clips" / label / f"{label}{i}.mp4")
    out = tmp_path / "out"
    prepare = ["prepare", "folder", str(tmp_path / "clips"), str(out), "test_share=0.2"]
    assert main(prepare) == 0
    printed = capsys.readouterr().out
    assert f"train: {out / 'train.jsonl.gz'}: 9 clips, 0.01 h, 2 classes" in printed
    manifests = [str(out / f"{split}.jsonl.gz") for split in ("train", "dev", "test")]
    assert main(["check", *manifests]) == 0
    assert "9 clips, 0.01 h: nothing wrong" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "clips")]) == 0
    capsys.readouterr()

    (tmp_path / "clips" / "jump" / "jump1.mp4").write_text("not a film")
    (tmp_path / "clips" / "rest").mkdir()
    assert main(prepare) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert "jump1.mp4" in error and "rest: a class folder with no clip" in error
    assert main(["check", str(tmp_path / "clips")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "unreadable: 1 (cannot be read)" in lines and "empty class: 1 (a class folder with no clip)" in lines
    assert lines[0].endswith("12 clips, 0.01 h: 2 findings")

    for words, message in (
        (["medium=picture"], "option medium is 'picture'; it is one of auto, sound, video"),
        (["dev_share"], "dev_share: not an option; options are given as NAME=VALUE"),
        (["devshare=0"], "folder has no option 'devshare'; did you mean dev_share?"),
    ):
        assert main([*prepare[:4], *words]) == 1
        assert capsys.readouterr().err == f"error: {message}\n"
