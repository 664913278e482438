"""The project's own exercises: how bodies move, what is drawn of them, and how clips and examples are written."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import cv2
import drawn_figures
import drawn_films
import exercise_poses
import numpy as np
import pytest
import render_actions

from conftest import REPOSITORY
from earsight.common.errors import EarsightError

EXAMPLES = REPOSITORY / "scripts" / "films"
from exercise_poses import BONES, EXERCISES, SIDES, UP, Body, natural, steady  # noqa: E402

UCF101 = (
    "BodyWeightSquats HandstandPushups HandstandWalking JumpRope JumpingJack Lunges PullUps PushUps "
    "TrampolineJumping WallPushups"
).split()
SEEDS = range(12)
SMALL = 96, 72


def _draw(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _natural_pose(label: str, seed: int):
    rng, exercise = _draw(seed), EXERCISES[label]
    time = np.arange(0, 4, 1 / 25)
    body = drawn_figures.draw_body(rng, child=seed % 4 == 0)
    return exercise.pose(body, natural(time, rng.uniform(*exercise.tempo), rng, exercise.pause), rng)


def _travel(points: np.ndarray) -> float:
    """How far (time, 3) strays from its first place, in metres."""
    return float(np.linalg.norm(points - points[0], axis=1).max())


# Bodies in motion


def test_the_exercises_are_the_ten_of_ucf101():
    assert sorted(EXERCISES) == UCF101
    assert sorted(drawn_films.HABITS) == UCF101


@pytest.mark.parametrize("label", UCF101)
def test_limbs_keep_their_lengths(label):
    for seed in SEEDS:
        joints = _natural_pose(label, seed).joints
        for a, b in BONES:
            lengths = np.linalg.norm(joints[a] - joints[b], axis=1)
            assert np.ptp(lengths) < 1e-9, f"{a} to {b}, seed {seed}"


def test_limbs_are_as_long_as_the_body_says():
    body = Body(height=1.6, legs=0.95)
    joints = EXERCISES["Lunges"].pose(body, steady(np.arange(0, 2, 0.1), 0.5), _draw(1)).joints
    for bone, length in (
        (("left hip", "left knee"), 0.245 * 0.95 * 1.6),
        (("right knee", "right ankle"), 0.246 * 0.95 * 1.6),
        (("left shoulder", "left elbow"), 0.18 * 1.6),
        (("right elbow", "right wrist"), 0.15 * 1.6),
    ):
        lengths = np.linalg.norm(joints[bone[0]] - joints[bone[1]], axis=1)
        assert lengths == pytest.approx(length, abs=1e-9)


@pytest.mark.parametrize(
    ("label", "joint"),
    [
        ("BodyWeightSquats", "toe"),
        ("PushUps", "wrist"),
        ("PullUps", "wrist"),
        ("HandstandPushups", "wrist"),
        ("WallPushups", "toe"),
        ("WallPushups", "wrist"),
    ],
)
def test_what_is_planted_stays(label, joint):
    for seed in SEEDS:
        joints = _natural_pose(label, seed).joints
        for side in SIDES:
            assert _travel(joints[f"{side} {joint}"]) < 0.005, f"seed {seed}"


def test_push_ups_stand_on_toes_or_knees():
    for seed in SEEDS:
        joints = _natural_pose("PushUps", seed).joints
        assert min(_travel(joints[f"left {joint}"]) for joint in ("toe", "knee")) < 1e-6


@pytest.mark.parametrize(("label", "joint"), [("Lunges", "toe"), ("HandstandWalking", "wrist"), ("JumpingJack", "toe")])
def test_what_steps_slides_only_while_it_is_lifted(label, joint):
    for seed in SEEDS:
        joints = _natural_pose(label, seed).joints
        for side in SIDES:
            place = joints[f"{side} {joint}"]
            down = place[:, 2] < place[:, 2].min() + 1e-6
            both = down[1:] & down[:-1]
            assert both.any()
            assert np.linalg.norm(np.diff(place, axis=0)[both], axis=1).max() < 1e-3


@pytest.mark.parametrize("label", UCF101)
def test_nothing_sinks_into_the_ground(label):
    for seed in SEEDS:
        joints = _natural_pose(label, seed).joints
        lowest = min(place[:, 2].min() for place in joints.values())
        assert lowest > (-0.6 if label == "TrampolineJumping" else 0.0)


@pytest.mark.parametrize("label", UCF101)
def test_heads_are_up_or_down_as_the_exercise_has_it(label):
    for seed in SEEDS:
        joints = _natural_pose(label, seed).joints
        feet = (joints["left ankle"] + joints["right ankle"])[:, 2] / 2
        above = joints["head"][:, 2] - feet
        if label.startswith("Handstand"):
            assert above.max() < -0.3
        elif label == "TrampolineJumping":  # somersaults apart
            assert np.median(above) > 0.5
        elif label != "PushUps":
            assert above.min() > 0.3


def test_a_pull_up_brings_the_chin_over_the_bar():
    for seed in SEEDS:
        pose = _natural_pose("PullUps", seed)
        bar, head = exercise_poses.pull_up_bar(pose.body), pose.joints["head"][:, 2]
        assert head.min() < bar - 0.1 and head.max() > bar - 0.03
        assert pose.joints["left toe"][:, 2].min() > 0.05


def test_a_rope_turns_under_the_feet_and_over_the_head():
    for seed in SEEDS:
        pose = _natural_pose("JumpRope", seed)
        middle = pose.strands[0].points[:, 12]
        toes = np.minimum(pose.joints["left toe"], pose.joints["right toe"])[:, 2]
        head = pose.joints["head"][:, 2]
        assert middle[:, 2].min() < 0.05 and middle[:, 2].max() > head.max() - 0.05
        under = (middle[:, 2] < 0.03) & (np.abs(middle[:, 1] - pose.joints["left toe"][:, 1]) < 0.1)
        assert toes[under].min(initial=1) > 0.02


@pytest.mark.parametrize("label", UCF101)
def test_motion_repeats_at_the_tempo(label):
    exercise = EXERCISES[label]
    tempo, rate = float(np.mean(exercise.tempo)), 40
    period = 1 / tempo
    for seed in SEEDS:
        # Sides take turns in lunges and on the rope, twists go on in another direction: two repetitions, or four.
        for count in (1, 2, 4):
            times = np.arange(rate) / rate * period * count
            poses = [
                exercise.pose(Body(), steady(times + late, tempo), _draw(seed)).joints for late in (0, count * period)
            ]
            places = [np.stack(list(joints.values()), 1) for joints in poses]
            along = places[1][:, :1] - places[0][:, :1]  # walking goes on
            assert np.ptp(along[..., 2]) < 1e-6
            if np.abs(places[1] - places[0] - along).max() < 1e-6:
                break
        else:
            pytest.fail(f"does not repeat, seed {seed}")
        moved = np.ptp(places[0], axis=0).max()
        assert moved > 0.1, "does not move"


def test_natural_motion_keeps_about_the_tempo_and_pauses_at_rest():
    time = np.arange(0, 60, 0.02)
    for seed in SEEDS:
        motion = natural(time, 0.8, _draw(seed))
        assert motion.phase[-1] - motion.phase[0] == pytest.approx(0.8 * 60, rel=0.1)
        paused = natural(time, 0.8, _draw(seed), pause=0.5)
        still = np.diff(paused.phase) == 0
        assert still.any() and (paused.phase[1:][still] % 1 == 0).all()
        assert (np.diff(paused.phase) >= 0).all()


def test_a_flight_over_the_trampoline_is_free_fall():
    time = np.arange(0, 3, 0.002)
    joints = EXERCISES["TrampolineJumping"].pose(Body(), steady(time, 0.8), _draw(3)).joints
    height = joints["pelvis"][:, 2]
    fall = np.gradient(np.gradient(height, time), time)
    highest = height > np.quantile(height, 0.8)
    assert np.median(fall[highest]) == pytest.approx(-9.81, rel=0.15)


def test_inverse_kinematics_reaches_what_it_can():
    root = np.zeros((2, 3))
    target = np.array([[0.3, 0.2, -0.1], [2.0, 0.0, 0.0]])
    middle, end, normal = exercise_poses.two_bones(root, target, 0.3, 0.25, UP)
    assert np.linalg.norm(middle - root, axis=1) == pytest.approx(0.3)
    assert np.linalg.norm(end - middle, axis=1) == pytest.approx(0.25)
    assert end[0] == pytest.approx(target[0])
    assert end[1] == pytest.approx([0.55, 0, 0], abs=1e-3)
    assert np.sum(normal * middle, axis=1) == pytest.approx(0, abs=1e-9)
    assert middle[0, 2] > (end[0] * np.dot(middle[0], end[0]) / np.dot(end[0], end[0]))[2], "not towards the pole"


def test_joined_poses_come_one_after_another():
    time = np.arange(10) / 25
    poses = [EXERCISES[label].pose(Body(), steady(time, 0.7), _draw(1)) for label in ("JumpingJack", "PushUps")]
    joined = exercise_poses.joined(poses, 5)
    assert joined.joints["head"].shape == (25, 3)
    assert (joined.joints["head"][:10] == poses[0].joints["head"]).all()
    assert (joined.joints["head"][15:] == poses[1].joints["head"]).all()
    assert np.linalg.norm(joined.frames["chest"], axis=1) == pytest.approx(1)


# Pictures


def test_a_camera_sees_right_as_right_and_up_as_up():
    camera = drawn_figures.Camera.looking(np.array([0, -4.0, 1]), np.array([0, 0, 1.0]), focal=100)
    seen, depth = camera.seen(np.array([[0, 0, 1.0], [1, 0, 1], [0, 0, 2]]))
    assert depth == pytest.approx(4)
    assert seen == pytest.approx(np.array([[0, 0], [25, 0], [0, -25]]), abs=1e-9)


def test_a_tube_is_closed_and_its_normals_lead_outwards():
    centres = np.array([[[0, 0, 0], [0, 0, 1.0], [0, 0, 2]]])
    across, over = np.array([[[1.0, 0, 0]] * 3]), np.array([[[0, 1.0, 0]] * 3])
    mesh = drawn_figures.tube(centres, across, over, np.full((3, 2), 0.2), np.ones((4, 8, 3)))
    assert mesh.corners.shape == (1, 32, 4, 3)
    normals = drawn_figures.face_normals(mesh.corners[0].astype(float)) / 2
    assert normals.sum(0) == pytest.approx(0, abs=1e-6)
    volume = np.sum(normals * mesh.corners[0].mean(1)) / 3
    octagon = 0.5 * 8 * np.sin(np.pi / 4) * 0.2**2
    assert volume == pytest.approx(2 * octagon, rel=1e-5)


def test_polygons_come_farthest_first_and_face_the_camera():
    near = drawn_figures.box_mesh(np.array([-0.5, 1, 0]), np.array([0.5, 2, 1]), 0, (0, 0), (250, 0, 0))
    far = drawn_figures.box_mesh(np.array([-0.5, 4, 0]), np.array([0.5, 5, 1]), 0, (0, 0), (0, 250, 0))
    camera = drawn_figures.Camera.looking(np.array([0, -2.0, 0.5]), np.array([0, 3.0, 0.5]), focal=100)
    light = drawn_figures.Light(np.array([0, -1.0, 0]), 0.5)
    view = np.array([[[1.0, 0, 0], [0, 1, 0]]])
    ((quads, colours),) = drawn_figures.polygons([near, far], [], camera, light, view)
    assert len(quads) == 2  # one face of each; the sides are seen edge-on or from behind
    assert colours[0, 1] > 200 and colours[1, 0] > 200
    assert np.ptp(quads[1, :, 0]) == pytest.approx(100 / 3, rel=0.1)


def test_figures_hide_what_is_behind_them_wholly():
    frame = np.full((40, 40, 3), 255, np.uint8)
    quad = np.array([[[20, 20], [60, 20], [60, 60], [20, 60]]], np.float32)  # twice as fine as the frame
    layers = drawn_films.Layers((40, 40), 2)
    layers.over(frame, iter([(quad, np.zeros((1, 3), np.uint8))] * 2))
    assert (frame[12:28, 12:28] == 0).all() and (frame[:8] == 255).all() and (frame[33:] == 255).all()


def test_motion_blur_is_the_mean_of_the_moments():
    frame = np.zeros((20, 60, 3), np.uint8)
    quads = [np.array([[[x, 8], [x + 20, 8], [x + 20, 32], [x, 32]]], np.float32) for x in (20, 60)]
    drawn_films.Layers((60, 20), 2).over(frame, iter([(quad, np.full((1, 3), 200, np.uint8)) for quad in quads]))
    assert (frame[8:14, 12:18] == 100).all() and (frame[8:14, 32:38] == 100).all() and (frame[8:14, 23:27] == 0).all()


# Clips


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendered")
    table = render_actions.render(folder, clips=11, seed=3, size=SMALL, seconds=(0.2, 0.4), progress=False)
    return folder, table


def _frames(path: Path) -> np.ndarray:
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        found, frame = capture.read()
        if not found:
            return np.array(frames)
        frames.append(frame)


def test_clips_are_balanced_and_listed(rendered):
    folder, table = rendered
    rows = list(csv.DictReader(table.open()))
    assert list(rows[0]) == ["path", "label", "group"]
    assert sorted(row["label"] for row in rows) == sorted([*UCF101, list(EXERCISES)[0]])
    assert len({row["group"] for row in rows}) == 11
    assert sorted(row["path"] for row in rows) == sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*.mp4")
    )
    assert "PullUps/render_PullUps_g001_c01.mp4" in {row["path"] for row in rows}


def test_clips_are_videos_of_the_size_and_length_asked(rendered):
    folder, _ = rendered
    for path in folder.rglob("*.mp4"):
        capture = cv2.VideoCapture(str(path))
        rate = capture.get(cv2.CAP_PROP_FPS)
        frames = _frames(path)
        assert frames.shape[1:] == (72, 96, 3)
        assert 24.9 < rate < 30.1 and 0.15 < len(frames) / rate < 0.45
        assert frames.std() > 8, "nothing to be seen"


def test_seed_and_number_settle_a_clip(rendered):
    folder, _ = rendered
    clip, other = (render_actions.Clip("TrampolineJumping", 1, seed) for seed in (3, 4))
    drawn = [list(render_actions.draw_clip(clip, SMALL, (0.2, 0.4)).frames) for _ in range(2)]
    assert np.array_equal(drawn[0], drawn[1])
    decoded = _frames(folder / clip.path)[..., ::-1].astype(float)
    assert len(decoded) == len(drawn[0])
    assert np.abs(decoded - drawn[0]).mean() < 12
    different = next(render_actions.draw_clip(other, SMALL, (0.2, 0.4)).frames)
    assert np.abs(different.astype(float) - drawn[0][0]).mean() > 5


def test_another_process_renders_the_same_bytes(tmp_path):
    options = ["--clips", "4", "--size", "160x96", "--seconds", "1", "1"]
    command = [sys.executable, render_actions.__file__, "clips", *options]
    runs = {}
    for number in "1", "200":  # what glibc fills new memory with: what reads it unwritten finds something else
        chance = {"PYTHONHASHSEED": number, "MALLOC_PERTURB_": number, "MALLOC_MMAP_THRESHOLD_": str(2**30)}
        runs[number] = subprocess.Popen([*command, tmp_path / number], env=os.environ | chance, stderr=subprocess.PIPE)
    for run in runs.values():
        said = run.communicate()[1]
        assert run.returncode == 0, said
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / number).rglob("*.*")} for number in runs)
    assert len(first) == 5 and first == second


def test_what_moves_is_seen_to_move():
    habit = drawn_films.Habit(((0.0, 0.0, 1.0),), (1.0, 1.0), (0.8, 0.8), indoors=1.0, company=0.0, held=0.0)
    act = drawn_films.perform("JumpingJack", 12, 25.0, _draw(1))
    frames = np.stack(list(drawn_films.film(act, habit, SMALL, _draw(2), still=True))).astype(float)
    change = np.abs(np.diff(frames, axis=0)).mean((0, 3))
    assert change[:, 24:72].mean() > 5 * change[:, :8].mean() + 0.5, "the middle moves, the edge does not"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"clips": 0}, "0 clips"),
        ({"jobs": 0}, "0 jobs"),
        ({"size": (321, 240)}, "321x240"),
        ({"seconds": (5.0, 4.0)}, "5 to 4"),
    ],
)
def test_impossible_orders_are_refused(tmp_path, options, said):
    with pytest.raises(EarsightError, match=said):
        render_actions.render(tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_a_video_that_fails(tmp_path):
    def broken():
        yield np.zeros((72, 96, 3), np.uint8)
        raise RuntimeError("out of paint")

    video = render_actions.Video(broken(), render_actions.RATES[0], 28)
    with pytest.raises(RuntimeError, match="out of paint"):
        render_actions.write_video(tmp_path / "clip.mp4", video, SMALL)
    assert not list(tmp_path.iterdir())


def test_the_command_renders_and_reports(tmp_path, capsys):
    options = ["--clips", "1", "--size", "64x48", "--seconds", "0.1", "0.1"]
    assert render_actions.main(["clips", str(tmp_path), *options]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "clips.csv")
    assert render_actions.main(["clips", str(tmp_path), "--clips", "0"]) == 1
    assert capsys.readouterr().err.startswith("error: 0 clips")


# Examples


def test_the_examples_are_there_and_small():
    rows = list(csv.DictReader((EXAMPLES / "actions.csv").open()))
    assert {row["path"]: row["label"] for row in rows} == {
        name: label for name, (label, _, _) in render_actions.EXAMPLE_CLIPS.items()
    }
    assert len({row["label"] for row in rows}) == len(rows) >= 4
    for row in rows:
        assert (EXAMPLES / row["path"]).stat().st_size < 150_000


def test_the_segments_cover_the_long_example():
    lines = [line.split("\t") for line in (EXAMPLES / "three-exercises.txt").read_text().splitlines()]
    assert [label for _, _, label in lines] == list(render_actions.IN_TURN)
    starts, ends = [float(line[0]) for line in lines], [float(line[1]) for line in lines]
    assert starts == [0.0, *ends[:-1]]
    capture = cv2.VideoCapture(str(EXAMPLES / "three-exercises.mp4"))
    seconds = capture.get(cv2.CAP_PROP_FRAME_COUNT) / capture.get(cv2.CAP_PROP_FPS)
    assert ends[-1] == pytest.approx(seconds, abs=0.05) and 20 < seconds < 30
