"""Features of poses: against poses that are moved, scaled, turned and mirrored by hand."""

import numpy as np
import pytest

from earsight.video.pose.augmentation import PoseAugmentation, augment_pose, faster, hidden, mirrored, scaled, tilted
from earsight.video.pose.features import FASTEST, JOINTS, N_FEATURES, SLICES, PoseFeatures
from earsight.video.pose.tracking import Pose

# MediaPipe's landmarks that change places in a mirror: eyes, ears, mouth, then arms, hands, legs and feet.
PAIRS = [(1, 4), (2, 5), (3, 6), (7, 8), (9, 10), *((left, left + 1) for left in range(11, 33, 2))]


def pose(seed: int = 0) -> Pose:
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 40, (33, 3)) + (160, 120, 0)
    points[[11, 12], 1] -= 100  # shoulders above
    points[[23, 24], 1] += 40
    return Pose(points, rng.normal(0, 0.4, (33, 3)), rng.random(33))


def features(*poses: Pose | None, seconds: float = 0.25) -> np.ndarray:
    """(time, N_FEATURES) of poses one behind another."""
    of = PoseFeatures(seconds)
    return np.stack([of(each) for each in poses])


def mirror_image(pose: Pose, width: float) -> Pose:
    """What is seen in a picture that is so wide, flipped."""
    order = np.arange(33)
    for left, right in PAIRS:
        order[[left, right]] = right, left
    points, world = pose.points[order].copy(), pose.world[order].copy()
    points[:, 0] = width - points[:, 0]
    world[:, 0] *= -1
    return Pose(points, world, pose.visibility[order])


def test_slices_part_a_frame():
    assert [part.start for part in SLICES.values()] == [0, *(part.stop for part in SLICES.values())][:-1]
    assert N_FEATURES == 147 == len(features(pose())[0])


def test_nobody_is_all_zeros():
    frames = features(None, pose(), None, pose(1))
    assert not frames[[0, 2]].any()
    assert frames[:, SLICES["there"]].ravel().tolist() == [0, 1, 0, 1]
    assert not frames[3, SLICES["velocity"]].any()  # nothing to compare with


def test_place_and_size_do_not_count():
    one, other = pose(), pose(1)
    moved = [Pose(each.points * 3 + (50, -20, 0), each.world * 1.2, each.visibility) for each in (one, other)]
    np.testing.assert_allclose(features(*moved), features(one, other), atol=1e-5)


def test_planar_is_in_torso_lengths_from_the_hips():
    points = np.zeros((33, 3))
    points[[11, 12]] = [[10, 0, 0], [-10, 0, 0]]
    points[[23, 24]] = [[5, 50, 0], [-5, 50, 0]]
    points[15] = [100, 25, 7]  # the left wrist
    planar = features(Pose(points, points, np.ones(33)))[0, SLICES["planar"]].reshape(-1, 2)
    assert planar[JOINTS.index(15)] == pytest.approx([2, -0.5])
    assert planar[JOINTS.index(11)] == pytest.approx([0.2, -1])


def test_velocities():
    one = pose()
    wrist = one.points.copy()
    torso = np.linalg.norm(one.points[[11, 12]].mean(0) - one.points[[23, 24]].mean(0))
    wrist[15, :2] += (torso, -2 * torso)
    frames = features(one, Pose(wrist, one.world, one.visibility), seconds=0.5)
    velocity = frames[1, SLICES["velocity"]].reshape(-1, 2)
    assert velocity[JOINTS.index(15)] == pytest.approx([2, -4], abs=1e-5)
    assert np.abs(np.delete(velocity, JOINTS.index(15), axis=0)).max() < 1e-5
    assert not frames[1, SLICES["travel"]].any()
    whole = Pose(one.points + (torso, 0, 0), one.world, one.visibility)
    frames = features(one, whole, seconds=0.5)
    assert frames[1, SLICES["travel"]] == pytest.approx([2, 0], abs=1e-5)
    assert np.abs(frames[1, SLICES["velocity"]]).max() < 1e-4
    far = Pose(one.points + (1e5, 0, 0), one.world, one.visibility)
    assert features(one, far)[1, SLICES["travel"]].tolist() == [FASTEST, 0]


@pytest.mark.parametrize("angle", [0.5, 2.0, -1.2])
def test_the_side_from_which_a_body_is_seen_does_not_count(angle):
    one = pose()
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned = Pose(one.points, one.world @ turn.T, one.visibility)
    for name in ("body", "bends"):
        np.testing.assert_allclose(features(turned)[0, SLICES[name]], features(one)[0, SLICES[name]], atol=1e-5)
    body = features(one)[0, SLICES["body"]].reshape(-1, 3)
    across = body[[JOINTS.index(11), JOINTS.index(23)]].sum(0) - body[[JOINTS.index(12), JOINTS.index(24)]].sum(0)
    assert across[0] > 0 and across[2] == pytest.approx(0, abs=1e-5)  # from right to left


def test_bends():
    world = np.zeros((33, 3))
    world[[11, 13, 15]] = [[0, 0, 0], [1, 0, 0], [1, 1, 0]]  # the left arm, bent by 90 degrees
    world[[24, 26, 28]] = [[0, 1, 0], [0, 2, 0], [0, 3, 0]]  # the right leg, stretched
    bends = features(Pose(world, world, np.ones(33)))[0, SLICES["bends"]]
    assert bends[0] == pytest.approx(0, abs=1e-6) and bends[7] == pytest.approx(-1)


def test_mirrored_features_are_those_of_the_mirror_image():
    clip = [pose(seed) for seed in range(3)]
    expected = features(*(mirror_image(each, 320) for each in clip))
    np.testing.assert_allclose(mirrored(features(*clip)), expected, atol=1e-4)
    np.testing.assert_array_equal(mirrored(mirrored(expected)), expected)


def test_tilted_features_are_those_of_a_turned_picture():
    angle = 0.3
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])  # clockwise
    clip = [pose(seed) for seed in range(2)]
    turned = features(*(Pose(each.points @ turn.T, each.world, each.visibility) for each in clip))
    np.testing.assert_allclose(tilted(features(*clip), angle), turned, atol=1e-4)


def test_other_builds_and_speeds():
    frames = features(pose(), pose(1))
    for changed, names in ((scaled(frames, 1.5), ("planar", "body", "velocity", "travel")),
                           (faster(frames, 1.5), ("velocity", "travel"))):
        for name, part in SLICES.items():
            np.testing.assert_allclose(changed[:, part], frames[:, part] * (1.5 if name in names else 1), rtol=1e-5)
    # A clip that is played twice as fast has twice the velocities.
    np.testing.assert_allclose(faster(frames, 2)[:, SLICES["velocity"]],
                               features(pose(), pose(1), seconds=0.125)[:, SLICES["velocity"]].clip(-24, 24), rtol=1e-5)


def test_hidden_joints_are_zeros():
    frames = features(pose(), pose(1))
    lost = np.arange(len(JOINTS)) == JOINTS.index(15)
    changed = hidden(frames, lost)
    for name, width in (("planar", 2), ("body", 3), ("velocity", 2), ("visibility", 1)):
        before, after = (each[:, SLICES[name]].reshape(2, -1, width) for each in (frames, changed))
        assert not after[:, lost].any()
        np.testing.assert_array_equal(after[:, ~lost], before[:, ~lost])


def test_augmentation_is_none_unless_asked_for_and_one_for_a_clip():
    frames = features(pose(), pose())
    rng = np.random.default_rng(1)
    np.testing.assert_allclose(augment_pose(frames, PoseAugmentation(), rng), frames)
    changed = augment_pose(frames, PoseAugmentation(mirror=1, tilt=20, scale=0.2, hidden=0.3), rng)
    assert np.abs(changed - frames).max() > 0.1
    np.testing.assert_array_equal(changed[0, SLICES["planar"]], changed[1, SLICES["planar"]])
    empty = np.zeros((3, N_FEATURES), np.float32)
    assert not augment_pose(empty, PoseAugmentation(mirror=1, tilt=20, scale=0.2, hidden=0.3), rng).any()
