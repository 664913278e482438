"""Finding and following a person: regions and boxes by hand, trackers of people that are made up, and real ones."""

import math
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from films import corpus, sliding, write_film

import earsight
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError
from earsight.video.corpora.importers import prepare
from earsight.video.frontends.pictures import PictureSettings, PoseSettings, View, pictures
from earsight.video.pose.augmentation import mirrored
from earsight.video.pose.detection import anchors, decode
from earsight.video.pose.features import JOINTS, N_FEATURES, SLICES
from earsight.video.pose.graphs import DETECTOR, LANDMARKER, graphs_folder, open_graphs
from earsight.video.pose.regions import Region
from earsight.video.pose.skeleton import draw_skeleton
from earsight.video.pose.tracking import Pose, PoseTracker
from earsight.video.reading import sample
from earsight.video.recognition.recogniser import ActionRecogniser, strip

POSES = PictureSettings(picture=None, motion=None, pose=PoseSettings())


def test_regions_stand_with_the_body():
    upright = Region.around(np.array([50.0, 60.0]), np.array([50.0, 40.0]))
    assert (upright.x, upright.y, upright.size, upright.angle) == pytest.approx((50, 60, 50, 0))
    lying = Region.around(np.array([50.0, 60.0]), np.array([70.0, 60.0]))  # the head to the right
    assert lying.angle == pytest.approx(math.pi / 2)
    assert abs(Region.around(np.array([0.0, 0.0]), np.array([0.0, 9.0])).angle) == pytest.approx(math.pi)


@pytest.mark.parametrize("angle", [0.0, 0.7, math.pi / 2, -2.5])
def test_what_is_seen_in_a_crop_is_put_back(angle):
    """A white dot of the picture, found in the crop, comes back to where it is."""
    image = np.zeros((200, 300, 3), np.uint8)
    image[78:83, 138:143] = 255  # around (140, 80)
    region = Region(150, 95, 90, angle)
    crop = region.crop(image, 128)
    rows, columns = np.nonzero(crop[..., 0] > 128)
    found = region.to_image(np.array([[columns.mean() / 128, rows.mean() / 128, 0.5]]))
    assert found[0] == pytest.approx([140, 80, 45], abs=0.7)


def test_beyond_the_edge_the_outermost_pixels_go_on():
    image = np.full((40, 40, 3), 7, np.uint8)
    assert (Region(0, 0, 100, 0.4).crop(image, 32) == 7).all()


def test_upright_turns_back_and_does_not_move():
    lying = Region(5, 5, 9, math.pi / 2)
    assert lying.upright(np.array([[0.0, -1.0, 3.0]]))[0] == pytest.approx([1, 0, 3])  # up in it is to the right


def test_anchors_are_mediapipes():
    assert anchors().shape == (2254, 2)
    for place, expected in ((0, [0.5 / 28, 0.5 / 28]), (1, [0.5 / 28, 0.5 / 28]), (2, [1.5 / 28, 0.5 / 28]),
                            (1568, [0.5 / 14, 0.5 / 14]), (-1, [6.5 / 7, 6.5 / 7])):
        assert anchors()[place] == pytest.approx(expected)


def test_boxes_of_one_person_are_merged_by_their_probabilities():
    boxes, probabilities = np.zeros((2254, 12), np.float32), np.zeros(2254, np.float32)
    boxes[:, 2:4] = 112  # half the picture wide and high
    for place, likely, shift in ((0, 0.9, 0.0), (1, 0.6, 22.4), (2253, 0.7, 0.0), (500, 0.4, 0.0)):
        probabilities[place] = likely
        boxes[place, 4] = shift  # x of the hips
    first, other = decode(boxes, probabilities)
    assert first[0] == pytest.approx([0.5 / 28 + 0.6 * 0.1 / 1.5, 0.5 / 28])  # a tenth further to the right, in part
    assert other[0] == pytest.approx([6.5 / 7, 6.5 / 7])
    assert decode(boxes, 0 * probabilities) == []


@dataclass
class Scene:
    """Stands for the graphs: people who are there, as hips and head in pixels of a picture of 224 x 224."""

    people: list
    looked: list = field(default_factory=list)  # what was asked: "detect" or the grey of what was seen

    def detect(self, picture):
        self.looked.append("detect")
        boxes, probabilities = np.zeros((2254, 12)), np.zeros(2254)
        for place, (hips, end) in zip((0, 800, 2000), self.people):
            points = np.array([hips, end, hips, end]) - anchors()[place] * 224
            boxes[place] = [*points[0], 20, 20, *points.ravel()]
            probabilities[place] = 0.8
        return boxes, probabilities

    def landmarks(self, picture):
        self.looked.append(int(picture[128, 128, 0]))
        landmarks = np.full((39, 4), 128.0)
        landmarks[34, 1] = 28  # the end, above the hips
        return landmarks, np.zeros((39, 3)), 0.9 if self.looked[-1] > 100 else 0.1


def test_the_largest_is_followed_and_found_again():
    image = np.zeros((224, 224, 3), np.uint8)
    image[100:180, 100:180] = 200
    scene = Scene([((30, 30), (30, 20)), ((140, 140), (140, 100))])
    tracker = PoseTracker(scene)
    pose = tracker(image)
    assert pose is not None and pose.points[0, :2] == pytest.approx([140, 140])
    tracker(image)
    assert scene.looked == ["detect", 200, 200]
    assert tracker(np.zeros_like(image)) is None  # lost, looked for, and not there
    assert scene.looked[3:] == [0, "detect", 0]
    assert tracker(image) is not None and scene.looked[6:] == ["detect", 200]
    scene.people = []
    assert PoseTracker(scene)(image) is None


def test_a_film_without_a_person_has_an_answer(tmp_path):
    film = write_film(tmp_path / "film.mkv", sliding(20, (96, 128)), rate=10)
    frames = [moment["pose"] for moment in pictures(film, POSES)]
    assert len(frames) > 3 and not np.any(frames)
    assert sum(earsight.classify(film).probabilities.values()) == pytest.approx(1, abs=1e-3)


def test_poses_stand_until_the_next(tmp_path):
    film = write_film(tmp_path / "film.mkv", sliding(20, (48, 64)), rate=10)
    settings = PictureSettings(pose=PoseSettings(every=3))
    assert ["pose" in moment for moment in pictures(film, settings)] == [True, False, False] * 2 + [True]
    assert settings.widths(9) == (9, 9, N_FEATURES)


def test_a_recipe_of_poses_alone_needs_no_cnn(tmp_path):
    (tmp_path / "recipe.yaml").write_text("model: {init_args: {pictures: {rate: 8.0, picture: null, motion: null, "
                                          "pose: {every: 2}}}}\ndata: {init_args: {}}\n")
    prepare("folder", corpus(tmp_path / "films"), tmp_path / "manifests", dev_share=0.25, test_share=0.0,
            progress=False)
    prepare("embeddings", tmp_path / "manifests", tmp_path / "poses", config=str(tmp_path / "recipe.yaml"),
            progress=False)
    (cut, *_) = read_manifest(tmp_path / "poses" / "dev.jsonl.gz")
    assert cut.load_frames().shape[1] == N_FEATURES


@pytest.fixture(scope="module")
def push_ups(shared_data) -> Path:
    return shared_data / "ufc10" / "videos" / "PushUps" / "v_PushUps_g12_c01.mp4"


def test_a_real_body(push_ups):
    """Who does push-ups lies along the ground, with the hands below the shoulders."""
    frames = np.stack([moment["pose"] for moment in pictures(push_ups, POSES)])
    assert frames[:, SLICES["there"]].mean() > 0.8
    planar = frames[frames[:, -1] > 0][:, SLICES["planar"]].reshape(-1, len(JOINTS), 2)
    shoulders, wrists = (planar[:, [JOINTS.index(left), JOINTS.index(left + 1)]].mean(axis=(0, 1)) for left in (11, 15))
    assert abs(shoulders[0]) > abs(shoulders[1])
    assert wrists[1] > shoulders[1] + 0.3


def test_a_flipped_film_gives_mirrored_features(push_ups):
    plain, flipped = (np.stack([moment["pose"] for moment in pictures(push_ups, POSES, view)])
                      for view in (View(), View(flip=True)))
    part = SLICES["planar"]
    found = np.abs(mirrored(plain) - flipped)[:, part].mean()
    assert found < 0.25 * np.abs(plain - flipped)[:, part].mean()


def test_the_skeleton_is_drawn_on_the_person(push_ups):
    image = next(iter(sample(push_ups, 1.0))).image
    pose = PoseTracker(open_graphs("actions-10"))(image)
    assert pose is not None
    changed = np.argwhere((draw_skeleton(image, pose) != image).any(axis=2))
    seen = pose.points[list(JOINTS)][pose.visibility[list(JOINTS)] > 0.5]
    assert len(changed) > 100
    assert changed.min(axis=0)[1] > seen[:, 0].min() - 60 and changed.max(axis=0)[1] < seen[:, 0].max() + 60
    assert draw_skeleton(image, None) is not image and np.array_equal(draw_skeleton(image, None), image)
    far = Pose(np.full((33, 3), 1e12), pose.world, np.ones(33))
    assert np.array_equal(draw_skeleton(image, far), image)


def test_thumbnails_of_a_model_that_reads_poses_show_them(push_ups):
    drawn = ActionRecogniser("actions-10").strip(push_ups, 3, 0.0, 2.0)
    plain = strip(push_ups, 3, 0.0, 2.0)
    assert len(drawn) == len(plain) >= 3
    assert all(0 < (one.image != other.image).any(axis=2).mean() < 0.3 for one, other in zip(drawn, plain))


def test_clips_that_begin_together_share_the_graphs(tmp_path):
    for name in (DETECTOR, LANDMARKER):
        shutil.copyfile(graphs_folder("actions-10") / name, tmp_path / name)
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(open_graphs, [str(tmp_path)] * 4))
    assert all(graphs is opened[0] for graphs in opened)


def test_what_is_wrong_with_graphs_is_told(tmp_path):
    with pytest.raises(EarsightError, match="no pose_detector.onnx"):
        open_graphs(str(tmp_path))
    for name in (DETECTOR, LANDMARKER):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(EarsightError, match="pose_detector.onnx: damaged"):
        open_graphs(str(tmp_path))
    with pytest.raises(EarsightError, match="nowhere"):
        open_graphs("nowhere")
    with pytest.raises(EarsightError, match="pose.every 0"):
        PoseSettings(every=0)
