"""UCF101, HMDB51 and Kinetics as their makers lay them out, in small, and what can be wrong with them."""

import shutil
from collections import Counter
from dataclasses import replace

import pytest
from small_corpora import ids, read_all, video

from earsight.app.media import openers
from earsight.common.data.cuts import group_of, label_of, text_of, video_of
from earsight.common.data.manifest import describe, read_manifest
from earsight.common.errors import EarsightError
from earsight.video.corpora import files as corpus_files
from earsight.video.corpora.hmdb51 import source_and_class
from earsight.video.corpora.importers import OPENERS, prepare


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """One second of 32x24 pixels at 8 Hz, in an .avi."""
    return video(tmp_path_factory.mktemp("film") / "film.avi")


@pytest.fixture
def lay(film, tmp_path):
    """Put copies of the film at paths below a folder, which is returned."""

    def put(*paths, under="corpus"):
        for path in paths:
            (tmp_path / under / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(film, tmp_path / under / path)
        return tmp_path / under

    return put


def split_of(written):
    return {cut.id: split for split, cuts in read_all(written).items() for cut in cuts}


def left_out(corpus, source, destination, **options):
    """Prepare; return the message about what was left out, and the splits of the others."""
    with pytest.raises(EarsightError) as error:
        prepare(corpus, source, destination, progress=False, **options)
    assert "\n" not in str(error.value)
    return str(error.value), split_of({path.name[:-9]: path for path in destination.glob("*.jsonl.gz")})


# UCF101

GROUPS = (1, 7, 8, 14, 15, 21, 22, 23, 25)


def ucf(label, *groups, name=None):
    return [f"UCF-101/{label}/v_{name or label}_g{group:02d}_c01.avi" for group in groups]


def test_ucf101_by_the_rule_of_its_lists(lay, tmp_path):
    source = lay(*ucf("HandstandPushups", *GROUPS, name="HandStandPushups"), *ucf("JumpRope", *GROUPS))
    tested = {"1": (1, 7), "2": (8, 14), "3": (15, 21)}
    for split, test in tested.items():
        splits = read_all(prepare("ucf101", source, tmp_path / "out", progress=False, split=split))
        groups = {part: {int(group_of(cut)[-2:]) for cut in cuts} for part, cuts in splits.items()}
        assert groups == {"test": set(test), "dev": {23, 25}, "train": set(GROUPS) - {23, 25} - set(test)}
        assert Counter(map(label_of, splits["test"])) == {"HandstandPushups": 2, "JumpRope": 2}
    cut = next(cut for cut in splits["train"] if cut.id == "v_HandStandPushups_g01_c01")
    assert group_of(cut) == "HandstandPushups_g01" and text_of(cut) is None
    assert cut.start == 0 and cut.duration == pytest.approx(1.0)
    known = video_of(cut)
    assert (known["width"], known["height"], known["frame_rate"], known["num_frames"]) == (32, 24, 8.0, 8)
    assert known["path"] == str(source / "UCF-101/HandstandPushups/v_HandStandPushups_g01_c01.avi")
    assert describe(tmp_path / "out" / "dev.jsonl.gz") == "4 clips, 0.00 h, 2 classes"


def test_ucf101_dev_groups(lay, tmp_path):
    source, out = lay(*ucf("Lunges", *GROUPS), *ucf("JumpRope", *GROUPS)), tmp_path / "out"
    assert set(split_of(prepare("ucf101", source, out, progress=False, dev_groups="")).values()) == {"train", "test"}
    splits = split_of(prepare("ucf101", source, out, progress=False, dev_groups="8,22"))
    assert {name for name, split in splits.items() if split == "dev"} == {
        f"v_{label}_g{group}_c01" for label in ("Lunges", "JumpRope") for group in ("08", "22")
    }
    for value, message in (
        ("7,8", "names group 7, which this split tests on"),
        ("26", "UCF101's groups are 1 to 25"),
        ("x", "UCF101's groups are 1 to 25"),
        ("9", "no training clip is of these groups"),
    ):
        with pytest.raises(EarsightError, match=f"option dev_groups .*{message}"):
            prepare("ucf101", source, tmp_path / "other", progress=False, dev_groups=value)
    assert not (tmp_path / "other").exists()


def test_ucf101_follows_its_lists(lay, tmp_path):
    odd = ucf("HandstandPushups", 1, name="HandStandPushups")
    source = lay(*ucf("JumpRope", 1, 2, 3), *ucf("Lunges", 1, 2, 3), *odd)
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    # Against the rule, so that it is the lists that are followed.
    train = [*ucf("JumpRope", 1, 2), *ucf("Lunges", 1, 2), *odd]
    test = [*ucf("JumpRope", 3), *ucf("Lunges", 3), *ucf("Skiing", 4)]
    (lists / "trainlist02.txt").write_text("".join(f"{path.removeprefix('UCF-101/')} 7\r\n" for path in train))
    (lists / "testlist02.txt").write_text("".join(f"{path.removeprefix('UCF-101/')}\r\n" for path in test))
    with pytest.warns(UserWarning, match="1 of 4 classes .* not there"):  # beside the folder that is given
        splits = split_of(prepare("ucf101", source, tmp_path / "out", progress=False, split=2, dev_groups="2"))
    assert splits == {
        "v_JumpRope_g01_c01": "train", "v_JumpRope_g02_c01": "dev", "v_JumpRope_g03_c01": "test",
        "v_Lunges_g01_c01": "train", "v_Lunges_g02_c01": "dev", "v_Lunges_g03_c01": "test",
        "v_HandStandPushups_g01_c01": "train",
    }  # fmt: skip


def test_ucf101_and_its_lists_do_not_agree(lay, tmp_path):
    source = lay(*ucf("JumpRope", 1, 8, 9), *ucf("Lunges", 1, 8, 9), "UCF-101/Lunges/mine.avi")
    (source / "UCF-101" / "Skiing").mkdir()
    lists = source / "lists"
    lists.mkdir()
    train = ["JumpRope/v_JumpRope_g08_c01.avi 1", "JumpRope/v_JumpRope_g08_c02.avi 1", "Lunges/v_Lunges_g08_c01.avi 2",
             "JumpRope/v_Lunges_g09_c01.avi 1", "Skiing/v_Skiing_g08_c01.avi 3"]
    (lists / "trainlist01.txt").write_text("\n".join(train))
    with pytest.raises(EarsightError, match="testlist01.txt: No such file .*; the corpus is not complete"):
        prepare("ucf101", source, tmp_path / "out", progress=False, dev_groups="")
    (lists / "testlist01.txt").write_text("JumpRope/v_JumpRope_g01_c01.avi\nLunges/v_Lunges_g01_c01.avi\n")
    message, splits = left_out("ucf101", source, tmp_path / "out", dev_groups="")
    assert splits == {"v_JumpRope_g08_c01": "train", "v_Lunges_g08_c01": "train", "v_JumpRope_g01_c01": "test",
                      "v_Lunges_g01_c01": "test"}  # fmt: skip
    assert "5 of 9 clips and classes left out" in message and "and 2 more" in message
    assert "mine: " in message and "not called v_CLASS_gGG_cCC" in message
    assert "Skiing: a class folder with no clip" in message
    assert "v_JumpRope_g08_c02: in trainlist01.txt and not there" in message
    (lists / "testlist01.txt").write_text("JumpRope/v_JumpRope_g08_c01.avi\n")
    with pytest.raises(EarsightError, match="testlist01.txt, line 1: v_JumpRope_g08_c01 is in the other list too"):
        prepare("ucf101", source, tmp_path / "out", progress=False)
    (lists / "testlist01.txt").write_text("g08.avi\n")
    with pytest.raises(EarsightError, match="testlist01.txt, line 1: 'g08.avi' is not CLASS/v_CLASS"):
        prepare("ucf101", source, tmp_path / "out", progress=False)


def test_ucf101_broken_clips_are_named_and_the_others_done(lay, tmp_path):
    source = lay(*ucf("JumpRope", 1, 8, 9, 10), *ucf("Lunges", 1, 8))
    folder = source / "UCF-101" / "JumpRope"
    (folder / "v_JumpRope_g09_c01.avi").write_bytes(b"no film")
    (folder / "v_JumpRope_g10_c01.avi").write_bytes(b"")
    (source / "UCF-101" / "Skiing").mkdir()
    message, splits = left_out("ucf101", source, tmp_path / "out", dev_groups="")
    assert "3 of 7 clips and classes left out" in message and "the manifests in" in message
    assert "Skiing: a class folder with no clip" in message
    assert "v_JumpRope_g09_c01.avi" in message and "v_JumpRope_g10_c01.avi" in message
    assert len(splits) == 4


def test_splits_and_options_that_are_not_there(lay, tmp_path):
    source = lay(*ucf("JumpRope", 1, 8, 23))
    for corpus in ("ucf101", "hmdb51"):
        for split, message in ((4, "option split is 4; .* has splits 1, 2 and 3"), ("x", "option split is 'x'")):
            with pytest.raises(EarsightError, match=message):
                prepare(corpus, source, tmp_path / "out", progress=False, split=split)
    with pytest.raises(EarsightError, match="ucf101 has no option 'splits'; did you mean split"):
        prepare("ucf101", source, tmp_path / "out", progress=False, splits=1)
    with pytest.raises(EarsightError, match="unknown corpus 'ucf10'; did you mean ucf101"):
        prepare("ucf10", source, tmp_path / "out", progress=False)
    with pytest.raises(EarsightError, match="one class only, JumpRope; a classifier needs two"):
        prepare("ucf101", source, tmp_path / "out", progress=False)
    lay(*ucf("Lunges", 1))
    with pytest.raises(EarsightError, match=r"label Lunges is in test \(v_Lunges_g01_c01\) and not in train"):
        prepare("ucf101", source, tmp_path / "out", progress=False)
    with pytest.raises(EarsightError, match="no usable clip of ucf101 found"):
        (tmp_path / "empty").mkdir()
        prepare("ucf101", tmp_path / "empty", tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_the_ten_classes_hold_what_the_official_split_says(shared_data, tmp_path):
    written = prepare("ucf101", shared_data / "ufc10" / "videos", tmp_path, progress=False)
    splits = read_all(written)
    assert len(splits["train"]) + len(splits["dev"]) == 528 and len(splits["test"]) == 116
    assert {group_of(cut)[-2:] for cut in splits["test"]} == {"01", "02", "03", "04"}
    assert {group_of(cut)[-2:] for cut in splits["dev"]} == {"23", "24", "25"}
    assert all(len(set(map(label_of, cuts))) == 10 for cuts in splits.values())
    assert len(set(map(group_of, splits["train"]))) == 150  # 15 recordings a class
    assert all((video_of(cut)["width"], video_of(cut)["height"]) == (320, 240) for cut in splits["test"])
    assert all(1.3 < cut.duration < 21 for cuts in splits.values() for cut in cuts)


# HMDB51


def hmdb(label, source, *numbers):
    return [f"hmdb51_org/{label}/{source}_{label}_u_nm_np1_ba_goo_{number}.avi" for number in numbers]


@pytest.fixture
def small_hmdb(lay):
    """Two classes of seven sources, of which one is test and one is not used, and their lists for split 2."""
    source = lay()
    lists = source / "testTrainMulti_7030_splits"
    lists.mkdir(parents=True)
    for label in ("brush_hair", "wave"):
        lines = []
        for number, mark in enumerate("1111120"):
            clips = hmdb(label, f"#A_Film_&_(part)_{label}_{number}", 0, 1, 2)
            lay(*clips)
            lines += [f"{clip.split('/')[-1]} {mark} " for clip in clips]
        (lists / f"{label}_test_split2.txt").write_text("\n".join(lines))
    return source


def test_hmdb51_follows_its_lists(small_hmdb, tmp_path):
    written = prepare("hmdb51", small_hmdb, tmp_path / "out", progress=False, split="2", dev_share="0.2")
    splits = read_all(written)
    assert {split: len(cuts) for split, cuts in splits.items()} == {"train": 24, "dev": 6, "test": 6}
    for label in ("brush_hair", "wave"):
        of_label = {split: [cut for cut in cuts if label_of(cut) == label] for split, cuts in splits.items()}
        assert {split: len(cuts) for split, cuts in of_label.items()} == {"train": 12, "dev": 3, "test": 3}
        assert {group_of(cut) for cut in of_label["test"]} == {f"#A_Film_&_(part)_{label}_5_{label}"}
        groups = [set(map(group_of, cuts)) for cuts in of_label.values()]
        assert sum(map(len, groups)) == len(set.union(*groups)) == 6  # each in one split only
    again = read_all(prepare("hmdb51", small_hmdb, tmp_path / "two", progress=False, split=2, dev_share=0.2))
    assert {split: ids(cuts) for split, cuts in again.items()} == {split: ids(cuts) for split, cuts in splits.items()}
    other = read_all(prepare("hmdb51", small_hmdb, tmp_path / "two", progress=False, split=2, dev_share=0.2, seed=5))
    assert ids(other["dev"]) != ids(splits["dev"]) and ids(other["test"]) == ids(splits["test"])
    assert "dev" not in prepare("hmdb51", small_hmdb, tmp_path / "three", progress=False, split=2, dev_share=0)


def test_hmdb51_sources_by_their_names():
    for name, group in {
        "April_09_brush_hair_u_nm_np1_ba_goo_0": "April_09_brush_hair",
        "#437_How_To_Ride_A_Bike_ride_bike_f_cm_np1_ba_med_10": "#437_How_To_Ride_A_Bike_ride_bike",
        "TheBoondockSaints_sit_u_nm_np10_ba_med_0": "TheBoondockSaints_sit",
        "Re-_Show_your_Smile!_10_smile_h_nm_np1_fr_goo_0": "Re-_Show_your_Smile!_10_smile",
        "something_else": "something_else",
    }.items():
        assert source_and_class(name) == group


def test_hmdb51_and_its_lists_do_not_agree(small_hmdb, lay, tmp_path):
    clip = hmdb("wave", "#A_Film_&_(part)_wave_1", 2)[0]
    (small_hmdb / clip).unlink()
    lay(*hmdb("wave", "New", 0))
    (small_hmdb / "hmdb51_org" / "kick").mkdir()
    (small_hmdb / "testTrainMulti_7030_splits" / "kick_test_split2.txt").write_text("a_kick_u_nm_np1_ba_goo_0.avi 1\n")
    message, splits = left_out("hmdb51", small_hmdb, tmp_path / "out", split=2)
    assert "3 of 38 clips and classes left out" in message and len(splits) == 35
    assert "kick: a class folder with no clip" in message
    assert "_wave_1_wave_u_nm_np1_ba_goo_2: in wave_test_split2.txt and not there" in message
    assert "New_wave_u_nm_np1_ba_goo_0.avi: not in wave_test_split2.txt" in message
    with pytest.raises(EarsightError, match="no list CLASS_test_split1.txt there; .* lists=DIR"):
        prepare("hmdb51", small_hmdb, tmp_path / "out", progress=False)
    with pytest.raises(EarsightError, match="option dev_share is 1; it is at least 0"):
        prepare("hmdb51", small_hmdb, tmp_path / "out", progress=False, dev_share=1)
    lay("hmdb51_org/jump/a_jump_u_nm_np1_ba_goo_0.avi")
    with pytest.raises(EarsightError, match="jump_test_split2.txt: No such file .*; the corpus is not complete"):
        prepare("hmdb51", small_hmdb, tmp_path / "out", progress=False, split=2)
    (small_hmdb / "testTrainMulti_7030_splits" / "jump_test_split2.txt").write_text("a.avi 1\nb.avi 3\n")
    with pytest.raises(EarsightError, match="jump_test_split2.txt, line 2: 'b.avi 3' does not end with 0, 1 or 2"):
        prepare("hmdb51", small_hmdb, tmp_path / "out", progress=False, split=2)


def test_hmdb51_a_source_in_two_parts_of_a_list(small_hmdb, tmp_path):
    path = small_hmdb / "testTrainMulti_7030_splits" / "wave_test_split2.txt"
    name = "wave_5_wave_u_nm_np1_ba_goo_2.avi"
    path.write_text(path.read_text().replace(f"{name} 2", f"{name} 1"))
    with pytest.raises(EarsightError, match="group #A_Film_.*_wave_5_wave is in train .* and in test"):
        prepare("hmdb51", small_hmdb, tmp_path / "out", progress=False, split=2, dev_share=0)
    assert not (tmp_path / "out").exists()


# Kinetics

HEADER = "label,youtube_id,time_start,time_end,split"


def test_kinetics_in_each_layout(lay, tmp_path):
    rows = ["running,-aB_1,12,22,train", "running,cD-2,0,10,validate", '"jumping, high",eF3,100,110,train',
            "running,gH4,7.0,17.0,test"]
    for clips in (
        [f"train/{name}.mp4" for name in ("-aB_1_000012_000022", "eF3_000100_000110")]
        + ["val/cD-2_000000_000010.mp4", "test/gH4_000007_000017.avi"],
        ["train/running/-aB_1_000012_000022.mp4", "train/jumping_high/eF3_000100_000110.mkv",
         "validate/running/cD-2_000000_000010.mp4", "gH4_000007_000017.mp4"],
    ):
        source = lay(*clips)
        (source / "annotations").mkdir()
        (source / "annotations" / "all.csv").write_text("\n".join([HEADER, *rows]))
        for given in (source, source / "annotations" / "all.csv"):
            splits = read_all(prepare("kinetics", given, tmp_path / "out", progress=False))
            assert {split: ids(cuts) for split, cuts in splits.items()} == {
                "train": {"-aB_1_000012_000022", "eF3_000100_000110"},
                "dev": {"cD-2_000000_000010"},
                "test": {"gH4_000007_000017"},
            }
            assert {label_of(cut) for cut in splits["train"]} == {"running", "jumping, high"}
            assert group_of(splits["dev"][0]) == "cD-2"
        shutil.rmtree(source)


def test_kinetics_files_that_are_called_after_their_split(lay, tmp_path):
    source = lay("a_000000_000010.mp4", "b_000000_000010.mp4", "c_000000_000010.mp4")
    header = HEADER.removesuffix(",split") + ",is_cc"
    (source / "kinetics_train.csv").write_text(f"{header}\nrun,a,0,10,0\njump,b,0,10,1\n")
    (source / "kinetics_val.csv").write_text(f"{header}\nrun,c,0,10,0\n")
    (source / "kinetics_test.csv").write_text("youtube_id,time_start,time_end,split\nd,0,10,test\n")
    with pytest.warns(UserWarning, match="kinetics_test.csv: has no column label"):
        splits = split_of(prepare("kinetics", source, tmp_path / "out", progress=False))
    assert splits == {"a_000000_000010": "train", "b_000000_000010": "train", "c_000000_000010": "dev"}
    clips = lay(under="empty")
    clips.mkdir()
    shutil.move(source / "kinetics_train.csv", clips / "train.csv")
    written = prepare("kinetics", clips / "train.csv", tmp_path / "out", progress=False, videos=str(source))
    assert set(split_of(written)) == {"a_000000_000010", "b_000000_000010"}


def test_kinetics_leaves_out_what_is_not_there(lay, tmp_path):
    source = lay("a_000000_000010.mp4", "b_000000_000010.mp4", "b_000000_000010.mkv", "c_000000_000010.mp4")
    (source / "c_000000_000010.mp4").write_bytes(b"no film")
    rows = ["run,a,0,10,train", "jump,b,0,10,train", "run,c,0,10,train", "run,gone,0,10,train", "jump,a,0,10,train"]
    (source / "train.csv").write_text("\n".join([HEADER, *rows]))
    message, splits = left_out("kinetics", source, tmp_path / "out")
    assert "4 of 6 clips left out" in message and set(splits) == {"a_000000_000010", "b_000000_000010"}
    assert "a_000000_000010: " in message and "another clip has this id" in message
    assert "gone_000000_000010: not there in" in message


def test_kinetics_tables_that_are_wrong(lay, tmp_path):
    source = lay("a_000000_000010.mp4", "b_000000_000010.mp4", "a_000010_000020.mp4")
    for lines, message in (
        (["label,youtube_id,time_start,split"], "line 1: columns .* are needed; time_end is not there"),
        (["youtube_id,time_start,time_end", "a,0,10"], "label is not there"),
        ([HEADER, "run,a,0,10,training set", "run,b,x,10,train"], "line 3: times 'x' and '10' are not seconds"),
        ([HEADER, "run,a,0,10,first"], "line 2: split 'first' is not one of train, dev, test"),
        ([HEADER, ",a,0,10,train"], "line 2: no label or no youtube_id"),
        ([HEADER, "run,a,0,10"], "line 2: 4 values for 5 columns"),
        ([HEADER, "run,a,0,10,train", "jump,b,0,10,train", "run,a,10,20,test"], "group a is in train .* and in test"),
        ([HEADER, "run,a,0,10,train", "jump,a,10,20,train", "fly,b,0,10,val"], "label fly is in dev .* not in train"),
        ([HEADER, "run,a,0,10,train", "run,b,0,10,train"], "one class only, run"),
        ([HEADER], "no usable clip of kinetics found"),
    ):
        (source / "table.csv").write_text("\n".join(lines))
        with pytest.raises(EarsightError, match=message) as error:
            prepare("kinetics", source / "table.csv", tmp_path / "out", progress=False)
        assert "\n" not in str(error.value)
    with pytest.raises(EarsightError, match="no .csv of annotations there"):
        prepare("kinetics", lay("a.mp4", under="other"), tmp_path / "out", progress=False)
    with pytest.raises(EarsightError, match="nowhere: no such folder of videos"):
        prepare("kinetics", source, tmp_path / "out", progress=False, videos=str(tmp_path / "nowhere"))
    assert not (tmp_path / "out").exists()


# Clips of one's own


def test_a_folder_per_class(lay, tmp_path):
    source = lay(*(f"{label}/take {i}/{label}{i}.mp4" for label in ("wave", "jump") for i in range(5)))
    (source / "wave" / "notes.txt").write_text("not a clip")
    splits = read_all(prepare("folder", source, tmp_path / "out", progress=False, test_share=0.2))
    assert {split: len(cuts) for split, cuts in splits.items()} == {"train": 7, "dev": 1, "test": 2}
    assert all(video_of(cut)["num_frames"] == 8 and label_of(cut) in cut.id for cuts in splits.values() for cut in cuts)
    (source / "rest").mkdir()
    (source / "wave" / "bad.mp4").write_bytes(b"no film")
    message, splits = left_out("folder", source, tmp_path / "out")
    assert "2 of 12 clips and classes left out" in message and len(splits) == 10
    assert f"{source / 'rest'}: a class folder with no clip" in message and "bad.mp4" in message
    with pytest.raises(EarsightError, match="rest: a class folder with no clip"):
        read_manifest(source, OPENERS)
    shutil.rmtree(source / "jump")
    with pytest.raises(EarsightError, match="one class only, wave"):
        prepare("folder", source, tmp_path / "new", progress=False)
    assert not (tmp_path / "new").exists()


def test_a_table_of_parts_of_long_videos(lay, tmp_path):
    source = lay("a.mp4", "b.mp4")
    path = source / "t.csv"
    rows = ["a.mp4,run,0,0.5,train", "a.mp4,jump,0.5,,train", "b.mp4,run,0.25,0.25,test"]
    path.write_text("\n".join(["path,label,start,duration,split", *rows]))
    splits = read_all(prepare("csv", path, tmp_path / "out", progress=False))
    assert [(cut.id, cut.start, cut.duration) for cut in (*splits["train"], *splits["test"])] == [
        ("a-0000000", 0, 0.5), ("a-0000500", 0.5, 0.5), ("b", 0.25, 0.25)
    ]  # fmt: skip
    assert {video_of(cut)["path"] for cut in splits["train"]} == {str(source / "a.mp4")}
    rows[2] = "a.mp4,run,0.25,0.25,test"
    path.write_text("\n".join(["path,label,start,duration,split", *rows]))
    with pytest.raises(EarsightError, match=r"video .*a.mp4 is in train \(a-0000000\) and in test \(a-0000250\)"):
        prepare("csv", path, tmp_path / "out", progress=False)
    path.write_text("path,label,start\na.mp4,run,2\n")
    with pytest.raises(EarsightError, match="t.csv, line 2: .*a.mp4: start 2 s is past the clip's end, 1 s"):
        read_manifest(path, OPENERS)


def test_a_video_whose_header_tells_no_length_is_counted(film, tmp_path, monkeypatch):
    known = corpus_files.info(film)
    for untold in ({"duration": 0.0, "frames": 0}, {"duration": 0.0, "frames": 0, "frame_rate": 0.0}):
        monkeypatch.setattr(corpus_files.reading, "probe", lambda path, untold=untold: replace(known, **untold))
        assert corpus_files.info(film) == known


def test_videos_beside_sound(film, tmp_path):
    shutil.copy(film, tmp_path / "a.avi")
    path = tmp_path / "t.csv"
    path.write_text("path,label\na.avi,run\n")
    (cut,) = read_manifest(path, openers())
    assert video_of(cut)["width"] == 32
    path.write_text("path,text\na.avi,hello\n")
    with pytest.raises(EarsightError, match="a.avi"):  # its sound is meant, and it has none
        read_manifest(path, openers())
    (cut,) = read_manifest(path, OPENERS)
    assert video_of(cut)["width"] == 32 and text_of(cut) == "hello"
