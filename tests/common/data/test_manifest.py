"""Manifests in each form that comes in, and each mistake in them by its place."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from earsight.common.data.cuts import (
    clip_files,
    frames_cut,
    group_of,
    label_of,
    recording_cut,
    speaker_of,
    text_of,
    video_cut,
    video_of,
)
from earsight.common.data.manifest import describe, read_manifest, write_manifest
from earsight.common.data.manifest_files import with_manifests
from earsight.common.data.openers import Openers, both_media
from earsight.common.errors import EarsightError

RATE = 8000


@pytest.fixture
def clips(tmp_path):
    """A folder with one second of noise in sound.wav and 50 frames of 3 features in frames.npy."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE)
    soundfile.write(tmp_path / "sound.wav", noise, RATE, subtype="PCM_16")
    np.save(tmp_path / "frames.npy", np.arange(150, dtype=np.float32).reshape(50, 3))
    return tmp_path


def table(folder, *lines, name="clips.csv"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_table_names_sound_and_frames_and_what_is_said(clips):
    cuts = list(read_manifest(table(
        clips,
        "path,text,speaker,group,split,frame_shift,id",
        'sound.wav,"hello, there",ann,g1,train,,first',
        "frames.npy,again,bob,g2,test,0.02,",
    )))  # fmt: skip
    assert [cut.id for cut in cuts] == ["first", "frames"]
    assert [text_of(cut) for cut in cuts] == ["hello, there", "again"]
    assert [speaker_of(cut) for cut in cuts] == ["ann", "bob"]
    assert [group_of(cut) for cut in cuts] == ["g1", "g2"]
    assert [cut.duration for cut in cuts] == [1.0, 1.0]  # 8000 samples; 50 frames of 0.02 s
    assert cuts[0].load_audio().shape == (1, RATE)
    np.testing.assert_array_equal(cuts[1].load_frames(), np.load(clips / "frames.npy"))
    assert clip_files(cuts[1]) == [clips / "frames.npy"]  # the file itself, no copy


def test_rows_cut_parts_out_of_a_clip(clips):
    cuts = list(read_manifest(table(
        clips,
        "path,label,start,duration",
        "sound.wav,noise,0.25,0.5",
        "sound.wav,noise,0.75,",
        "frames.npy,ramp,0.1,0.2",
    )))  # fmt: skip
    samples, _ = soundfile.read(clips / "sound.wav", dtype="float32")
    assert [cut.id for cut in cuts] == ["sound-0000250", "sound-0000750", "frames"]
    np.testing.assert_array_equal(cuts[0].load_audio()[0], samples[2000:6000])
    np.testing.assert_array_equal(cuts[1].load_audio()[0], samples[6000:])
    np.testing.assert_array_equal(cuts[2].load_frames()[:, 0], np.arange(30, 90, 3))
    assert label_of(cuts[0]) == "noise" and text_of(cuts[0]) is None
    assert cuts[2].supervisions[0].duration == pytest.approx(0.2)


def test_a_folder_per_class_gives_labels_in_order_and_ids_that_differ(clips):
    for label in ("yes", "no"):
        (clips / "words" / label).mkdir(parents=True)
        soundfile.write(clips / "words" / label / "a.wav", np.zeros(80), RATE)
    np.save(clips / "words" / "yes" / "b.npy", np.zeros((4, 2), np.float32))
    (clips / "words" / "yes" / "notes.txt").write_text("not a clip")
    cuts = list(read_manifest(clips / "words"))
    assert [(cut.id, label_of(cut)) for cut in cuts] == [("no-a", "no"), ("yes-a", "yes"), ("b", "yes")]


def test_what_is_written_is_read_back_and_its_bytes_repeat(clips):
    cuts = [
        recording_cut("a b/ü", clips / "sound.wav", sample_rate=RATE, num_samples=RATE, text="grün",
                      supervision_custom={"words": [["grün", 0.0, 0.5]]}),
        frames_cut("f", clips / "frames.npy", shape=(50, 3), label="x", group="g"),
    ]  # fmt: skip
    first = write_manifest(cuts, clips / "out" / "one.jsonl.gz")
    second = write_manifest(cuts, clips / "out" / "two.jsonl.gz")
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in first.parent.iterdir()) == ["one.jsonl.gz", "two.jsonl.gz"]
    again = list(read_manifest(first))
    assert again == cuts
    np.testing.assert_array_equal(again[1].load_frames(), np.load(clips / "frames.npy"))


def test_lhotse_reads_and_writes_the_same_files(clips):
    from lhotse import CutSet

    cuts = [frames_cut("f", clips / "frames.npy", shape=(50, 3), text="hi")]
    ours = write_manifest(cuts, clips / "ours.jsonl.gz")
    assert list(CutSet.from_file(ours)) == cuts
    for name in ("theirs.jsonl", "theirs.json"):
        CutSet.from_cuts(cuts).to_file(clips / name)
        assert list(read_manifest(clips / name)) == cuts


def test_all_channels_are_part_of_a_clip(clips):
    soundfile.write(clips / "two.wav", np.stack([np.full(80, 0.5), np.zeros(80)], axis=1), RATE)
    (cut,) = read_manifest(table(clips, "path,text", "two.wav,hi"))
    assert cut.load_audio().mean(axis=0) == pytest.approx(np.full(80, 0.25), abs=1e-3)
    assert list(read_manifest(write_manifest([cut], clips / "m.jsonl"))) == [cut]


FILM = {"width": 320, "height": 240, "frame_rate": 25.0}


def test_a_video_is_read_back_by_us_and_by_lhotse(clips):
    from lhotse import CutSet

    (clips / "film.mp4").write_bytes(b"any film")
    cuts = [
        video_cut("whole", clips / "film.mp4", **FILM, num_frames=100, label="run", group="g", speaker="ann"),
        video_cut("part", clips / "film.mp4", **FILM, total=4.0, start=1.5, duration=0.5, label="jump"),
    ]
    path = write_manifest(cuts, clips / "m.jsonl.gz")
    assert list(read_manifest(path)) == list(CutSet.from_file(path)) == cuts
    assert [(cut.start, cut.duration, cut.supervisions[0].duration) for cut in cuts] == [(0, 4, 4), (1.5, 0.5, 0.5)]
    assert video_of(cuts[0]) == {"path": str(clips / "film.mp4"), **FILM, "num_frames": 100, "duration": 4.0}
    assert label_of(cuts[0]) == "run" and group_of(cuts[0]) == "g" and not cuts[0].has_recording
    assert clip_files(cuts[1]) == [clips / "film.mp4"]
    assert describe(path) == "2 clips, 0.00 h, 2 classes, 1 speakers"
    (clips / "film.mp4").unlink()
    with pytest.raises(EarsightError, match="clip whole names .*film.mp4, which is not there"):
        read_manifest(path)


def test_videos_whose_length_or_part_makes_no_sense(clips):
    def cut(**said):
        return video_cut("v", clips / "v.mp4", **{**FILM, **said})

    assert cut(total=2.0, start=1.0, duration=1.03).duration == 1.0  # a picture more, as containers count
    assert cut(start=1.0, duration=2.0).custom["video"]["duration"] == 3.0
    for said in ({}, {"total": 0.0}, {"num_frames": 10, "frame_rate": 0.0}, {"total": 1.0, "width": 0}):
        with pytest.raises(EarsightError, match="v.mp4: holds no pictures"):
            cut(**said)
    with pytest.raises(EarsightError, match="v.mp4: start 2 s is past the clip's end, 2 s"):
        cut(total=2.0, start=2.0)
    with pytest.raises(EarsightError, match=r"v.mp4: 1 s \+ 1.1 s is past the clip's end, 2 s"):
        cut(total=2.0, start=1.0, duration=1.1)


class Header:
    """What a sound or a video opener finds."""

    sample_rate, channels, frames = 8000, 1, 16
    width, height, frame_rate, duration = 32, 24, 8.0, 2.0


def test_what_a_video_file_is_taken_for(clips):
    for name in ("film.MP4", "film.wav"):
        (clips / name).write_bytes(b"anything")
    sound = Openers(sound=lambda path: Header())
    film = Openers(video=lambda path: Header(), suffixes=(".mp4",), video_suffixes=(".mp4",), medium="video")
    both = both_media(sound, film)

    def taken(*rows, openers):
        path = table(clips, "id,path,text,label", *(f"{i},{row}" for i, row in enumerate(rows)))
        return ["sound" if cut.has_recording else "video" for cut in read_manifest(path, openers)]

    for openers, media in (
        (sound, ["sound", "sound", "sound"]),
        (both, ["video", "sound", "sound"]),
        (replace(both, medium="sound"), ["sound", "sound", "sound"]),
        (replace(both, medium="video"), ["video", "video", "video"]),
        (film, ["video", "video", "video"]),
    ):
        assert taken("film.MP4,,run", "film.MP4,run,run", "film.MP4,run,", openers=openers) == media
    assert taken("film.wav,,run", openers=both) == ["sound"]
    (clips / "classes" / "run").mkdir(parents=True)
    (clips / "film.MP4").rename(clips / "classes" / "run" / "film.mp4")
    (cut,) = read_manifest(clips / "classes", both)
    assert video_of(cut)["num_frames"] == 16 and label_of(cut) == "run"


def test_rows_that_cut_parts_out_of_a_video_have_ids_that_differ(clips):
    (clips / "film.mp4").write_bytes(b"anything")
    path = table(clips, "path,label,start,duration", "film.mp4,run,0,0.5", "film.mp4,jump,0.5,", "film.mp4,both,,")
    looked = []
    openers = Openers(video=lambda path: looked.append(path) or Header(), medium="video")
    cuts = list(read_manifest(path, openers))
    assert [(cut.id, cut.start, cut.duration) for cut in cuts] == [
        ("film-0000000", 0, 0.5), ("film-0000500", 0.5, 1.5), ("film", 0, 2)
    ]  # fmt: skip
    assert all(cut.supervisions[0].recording_id == cut.id for cut in cuts) and len(looked) == 1


def test_a_class_folder_with_no_clip(clips):
    for label in ("yes", "no"):
        (clips / "words" / label).mkdir(parents=True)
    np.save(clips / "words" / "yes" / "a.npy", np.zeros((4, 2), np.float32))
    with pytest.raises(EarsightError, match="no: a class folder with no clip; add clips of it, or remove it"):
        read_manifest(clips / "words")
    failures = []
    assert [cut.id for cut in read_manifest(clips / "words", failures=failures)] == ["a"]
    assert [name for name, _ in failures] == ["no"]


def test_openers_read_what_is_no_npy(clips):
    (clips / "a.mfc").write_bytes(b"anything")
    path = table(clips, "path,text", "a.mfc,hi")
    (cut,) = read_manifest(path, Openers(frames=lambda _: np.ones((7, 13), np.float32)))
    assert cut.load_frames().shape == (7, 13)
    with pytest.raises(EarsightError, match="clip a: its frames are in memory"):
        write_manifest([cut], clips / "m.jsonl.gz")
    assert not (clips / "m.jsonl.gz").exists()
    with pytest.raises(EarsightError, match="line 2: .*a.mfc.*earsight prepare csv"):
        read_manifest(path)


BAD_TABLES = {
    "line 1: unknown column 'speeker'; did you mean speaker": ["path,text,speeker", "sound.wav,a,b"],
    "line 1: unknown column 'xyz'; columns are path": ["path,text,xyz", "sound.wav,a,b"],
    "line 1: column text is there twice": ["path,text,text", "sound.wav,a,b"],
    "line 1: columns path and text, or path and label": ["path,speaker", "sound.wav,a"],
    "table is empty": [""],
    "header and no rows": ["path,text"],
    "line 3, column label: empty; say what is in sound.wav": ["path,label", "sound.wav,a", "sound.wav,"],
    "line 2, column path: no file": ["path,text", ",a"],
    "line 2, column start: -1 s; it must be at least 0": ["path,text,start", "sound.wav,a,-1"],
    "line 2, column start: 'x' is not a number": ["path,text,start", "sound.wav,a,x"],
    "line 2, column start: nan s": ["path,text,start", "sound.wav,a,nan"],
    "line 2, column duration: 0 s; it must be more than 0": ["path,text,duration", "sound.wav,a,0"],
    "line 2: .*sound.wav: start 2 s is past the clip's end, 1 s": ["path,text,start", "sound.wav,a,2"],
    "line 2: .*0.5 s [+] 0.6 s is past": ["path,text,start,duration", "sound.wav,a,0.5,0.6"],
    "line 2: 3 values for 2 columns": ["path,text", "sound.wav,hello, there"],
    "line 2: clip n1 names .*gone.wav, which is not there": ["path,text,id", "gone.wav,a,n1"],
    "line 2: .*clips.csv: not sound": ["path,text", "clips.csv,a"],
    "two clips have the id n1": ["path,text,id", "sound.wav,a,n1", "frames.npy,b,n1"],
}


@pytest.mark.parametrize("message", BAD_TABLES)
def test_a_mistake_in_a_table_is_named_with_its_place(clips, message):
    with pytest.raises(EarsightError, match=message) as error:
        read_manifest(table(clips, *BAD_TABLES[message]))
    assert "clips.csv" in str(error.value) and "\n" not in str(error.value)


def test_a_tsv_and_a_table_with_a_byte_order_mark(clips):
    assert len(list(read_manifest(table(clips, "path\ttext", "sound.wav\ta, b", name="t.tsv")))) == 1
    (clips / "bom.csv").write_bytes(b"\xef\xbb\xbfpath,text\r\nsound.wav,a\r\n")
    assert len(list(read_manifest(clips / "bom.csv"))) == 1
    (clips / "latin.csv").write_bytes(b"path,text\nsound.wav,\xfc\n")
    with pytest.raises(EarsightError, match="latin.csv: not UTF-8"):
        read_manifest(clips / "latin.csv")


@pytest.mark.parametrize("array, message", [
    (np.zeros(5), r"shape \(5,\) of float64; frames are numbers of shape \(time, feature\)"),
    (np.zeros((0, 3), np.float32), r"holds no frames, shape \(0, 3\)"),
    (np.array([["a", "b"]]), "frames are numbers"),
    (np.array([[{}]], dtype=object), "not an array that can be read"),
])  # fmt: skip
def test_arrays_that_are_no_frames(clips, array, message):
    np.save(clips / "bad.npy", array, allow_pickle=True)
    with pytest.raises(EarsightError, match=message):
        read_manifest(table(clips, "path,text", "bad.npy,a"))


def test_damaged_manifests_name_their_line(clips):
    good = json.dumps(frames_cut("f", clips / "frames.npy", shape=(50, 3), text="a").to_dict())
    for content, message in [
        ("", "is empty"),
        (good + "\n{broken", "line 2: damaged"),
        (good + "\n[1]", "line 2: not a cut"),
        ('{"id": "r", "sources": [], "sampling_rate": 8, "num_samples": 8, "duration": 1}', "a Recording"),
        (good + "\n" + good, "two clips have the id f"),
    ]:
        (clips / "bad.jsonl").write_text(content)
        with pytest.raises(EarsightError, match=f"bad.jsonl.*{message}"):
            read_manifest(clips / "bad.jsonl")
    whole = gzip.compress(good.encode() * 100)
    (clips / "bad.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EarsightError, match="bad.jsonl.gz.*damaged"):
        read_manifest(clips / "bad.jsonl.gz")
    for name in ("gone.jsonl.gz", "gone.csv"):
        with pytest.raises(EarsightError, match=f"{name}: no such manifest"):
            read_manifest(clips / name)
    (clips / "text.txt").write_text("hello")
    with pytest.raises(EarsightError, match="text.txt: not a manifest"):
        read_manifest(clips / "text.txt")
    (clips / "nothing").mkdir()
    with pytest.raises(EarsightError, match="nothing: no clips found"):
        read_manifest(clips / "nothing")


def test_a_clip_that_went_away_is_named_by_file_and_id(clips):
    cuts = [
        frames_cut("f", clips / "frames.npy", shape=(50, 3), text="a"),
        recording_cut("r", clips / "sound.wav", sample_rate=RATE, num_samples=RATE, text="b"),
    ]
    path = write_manifest(cuts, clips / "m.jsonl.gz")
    (clips / "frames.npy").unlink()
    with pytest.raises(EarsightError, match="m.jsonl.gz: clip f names .*frames.npy, which is not there"):
        read_manifest(path)
    failures = []
    assert [cut.id for cut in read_manifest(path, failures=failures)] == ["r"]
    assert [name for name, _ in failures] == ["f"]


def test_with_a_list_for_failures_the_other_rows_go_on(clips):
    failures = []
    path = table(clips, "path,text,id", "gone.wav,a,x", "sound.wav,b,y", "frames.npy,c,y")
    assert [cut.id for cut in read_manifest(path, failures=failures)] == ["y"]
    assert [name for name, _ in failures] == ["x", "y"]
    assert "line 2" in failures[0][1]


@pytest.mark.parametrize("lines", [
    ["path;text", 'sound.wav;"a; b, c"'],
    ["path\ttext", "sound.wav\ta; b, c"],
    ["path|text", "sound.wav|a; b, c"],
    ["path,text", 'sound.wav,"a; b, c"'],
    [",path,text", '0,sound.wav,"a; b, c"'],  # pandas with its index
    ["Unnamed: 0,path,text", '0,sound.wav,"a; b, c"'],  # and read and written once more
    ["path;text;;", '"sound.wav";"a; b, c";;'],  # empty columns of a spreadsheet
    ["sep=;", "path;text", 'sound.wav;"a; b, c"'],  # Excel
])  # fmt: skip
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_the_header_tells_the_separator(clips, lines, name):
    (cut,) = read_manifest(table(clips, *lines, name=name))
    assert (cut.id, text_of(cut)) == ("sound", "a; b, c")


@pytest.mark.parametrize("lines, message", [
    ([",path,text,", "0,sound.wav,a,b"], "line 2: 'b' is in column 4, which has no name"),
    (["sep=;", "path;text", ";a"], "line 3, column path: no file named"),
    (["path;text;start", "sound.wav;a;0,5"], "line 2, column start: '0,5' is not a number of seconds; write 0.5"),
    (["path;speeker", "sound.wav;a"], "line 1: unknown column 'speeker'; did you mean speaker"),
    (["path,text", "so\0und.wav,a"], "line 2, column path: a NUL in"),
])  # fmt: skip
def test_a_mistake_in_a_table_of_another_separator(clips, lines, message):
    with pytest.raises(EarsightError, match=message):
        read_manifest(table(clips, *lines))


def test_a_part_that_is_listed_twice_names_both_places(clips):
    lines = ["path,text", "sound.wav,a", "frames.npy,b", "sound.wav,a"]
    with pytest.raises(EarsightError, match="line 4: two clips have the id sound, see .*line 2"):
        read_manifest(table(clips, *lines))
    failures = []
    assert [cut.id for cut in read_manifest(table(clips, *lines), failures=failures)] == ["sound", "frames"]
    assert "line 4: another clip has this id too" in failures[0][1] and "line 2, and is the same" in failures[0][1]


def test_made_up_ids_never_meet_given_ones(clips):
    (clips / "left").mkdir()
    (clips / "right").mkdir()
    for name in ("left/a.npy", "right/a.npy", "left-a.npy"):
        np.save(clips / name, np.zeros((5, 2), np.float32))
    rows = ["left/a.npy,x,", "right/a.npy,x,", "left-a.npy,x,", "frames.npy,x,right-a", "sound.wav,x,sound"]
    cuts = read_manifest(table(clips, "path,text,id", *rows))
    assert [cut.id for cut in cuts] == ["left-a.npy", "right-a.npy", "left-a", "right-a", "sound"]


def test_texts_and_names_have_one_form_wherever_they_are_from(clips):
    nfc, nfd = "caf\u00e9", "cafe\u0301"
    header = "path,text,label,speaker,group,id"
    rows = [f"sound.wav,{form},{form},{form},{form},{number}" for number, form in enumerate((nfc, nfd))]
    cuts = list(read_manifest(table(clips, header, *rows)))
    cuts.append(frames_cut("f", clips / "frames.npy", shape=(50, 3), text=nfd, label=nfd, speaker=nfd, group=nfd))
    read = read_manifest(write_manifest(cuts, clips / "m.jsonl.gz"))
    assert {of(cut) for cut in read for of in (text_of, label_of, speaker_of, group_of)} == {nfc}


def test_files_that_moved_with_their_manifest(clips, tmp_path_factory):
    here = tmp_path_factory.mktemp("corpus") / "here"
    (here / "data").mkdir(parents=True)
    for name in ("sound.wav", "frames.npy"):
        (clips / name).rename(here / name)
    (here / "film.mp4").write_bytes(b"any film")
    cuts = [
        recording_cut("s", here / "sound.wav", sample_rate=RATE, num_samples=RATE, text="a"),
        frames_cut("f", here / "frames.npy", shape=(50, 3), text="b"),
        video_cut("v", here / "film.mp4", **FILM, total=4.0, label="c"),
    ]
    there = here.with_name("there")
    path = write_manifest(cuts, here / "data/m.jsonl.gz")
    here.rename(there)
    read = read_manifest(there / path.relative_to(here))
    assert [file for cut in read for file in clip_files(cut)] == [
        there / "sound.wav", there / "frames.npy", there / "film.mp4"]  # fmt: skip
    assert read["s"].load_audio().shape == (1, RATE) and read["f"].load_frames().shape == (50, 3)
    # A copy beside the first is read for itself, and what is unpacked and packed again still names the first.
    (there / path.relative_to(here)).rename(there / "other.jsonl.gz")
    with pytest.raises(EarsightError, match="names .*here/sound.wav, which is not there .2 more"):
        read_manifest(there / "other.jsonl.gz")
    there.rename(here)
    plain = clips / "again.jsonl.gz"
    plain.write_bytes(gzip.compress(gzip.decompress((here / "other.jsonl.gz").read_bytes())))
    assert list(read_manifest(plain)) == cuts


def test_files_that_moved_with_a_manifest_that_does_not_tell_where_it_was_written(clips, tmp_path_factory, capsys):
    """As those of versions before."""
    (clips / "wav").mkdir(), (clips / "out").mkdir()
    soundfile.write(clips / "wav/a.wav", np.zeros(800), RATE)
    write_manifest([recording_cut("a", clips / "wav/a.wav", sample_rate=RATE, num_samples=800)], clips / "out/m.jsonl")
    moved = clips.rename(tmp_path_factory.mktemp("there") / "corpus")
    (cut,) = read_manifest(moved / "out/m.jsonl")
    assert clip_files(cut) == [moved / "wav/a.wav"]
    said = capsys.readouterr().err
    assert said.startswith(f"warning: {moved / 'out/m.jsonl'}: names files in {clips}, which are not there; those in "
                           f"{moved} are taken")
    (moved / "wav/a.wav").unlink()
    (moved / "a.wav").touch()  # of the same name, in another folder
    with pytest.raises(EarsightError, match="wav/a.wav, which is not there"):
        read_manifest(moved / "out/m.jsonl")


@pytest.mark.parametrize(("cut", "wrong"), [
    (lambda clips: frames_cut("f", clips / "frames.npy", shape=(50, 3)), {"frames": {"frame_shift": "none"}}),
    (lambda clips: video_cut("v", clips / "film.mp4", width=2, height=2, frame_rate=5, num_frames=5),
     {"video": {"path": "film.mp4"}}),
    (lambda clips: video_cut("v", clips / "film.mp4", width=2, height=2, frame_rate=5, num_frames=5),
     {"video": {"path": "film.mp4", "size": [2, 2], "frame_rate": "5", "num_frames": 5, "duration": 1.0}}),
])  # fmt: skip
def test_damaged_fields_of_our_own_name_their_line(clips, cut, wrong):
    plain = cut(clips).to_dict() | {"custom": wrong}
    (clips / "m.jsonl").write_text(json.dumps(plain) + "\n")
    with pytest.raises(EarsightError, match="m.jsonl, line 1: damaged"):
        read_manifest(clips / "m.jsonl")


@pytest.mark.parametrize("place, value", [
    (("id",), []), (("id",), 3), (("start",), None), (("start",), 1e308), (("duration",), float("nan")),
    (("duration",), True), (("duration",), 10**400), (("supervisions", 0, "text"), True),
    (("supervisions", 0, "custom"), [1]),
    (("recording", "sources", 0, "source"), None), (("recording", "duration"), 10**400),
    (("recording", "sampling_rate"), "8000"), (("custom", "frames", "array", "storage_key"), None),
    (("custom", "frames", "array", "storage_type"), None),
    (("custom", "frames", "array", "shape"), "12"), (("custom", "frames", "frame_shift"), None),
])
def test_fields_of_another_kind(clips, place, value):
    """lhotse makes cuts of them."""
    cuts = [recording_cut("a", clips / "sound.wav", sample_rate=RATE, num_samples=RATE, text="a")]
    if "frames" in place:
        cuts = [frames_cut("f", clips / "frames.npy", shape=(50, 3), text="a")]
    path = write_manifest(cuts, clips / "m.jsonl")
    plain = json.loads(path.read_text())
    owner = plain
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = value
    path.write_text(json.dumps(plain) + "\n")
    with pytest.raises(EarsightError, match="m.jsonl, line 1: "):
        read_manifest(path)
    refused = []
    with_manifests([path], refused)
    assert all("m.jsonl, line 1: " in str(error) for error in refused)
