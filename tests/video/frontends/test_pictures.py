"""Pictures of frames and of motion, by films whose content and motion are known."""

from dataclasses import replace

import numpy as np
import pytest
from films import sliding, write_film

from earsight.common.errors import EarsightError
from earsight.video.frontends.motion import GREY, Flow, histograms, motion_picture, n_histograms
from earsight.video.frontends.pictures import (
    FlowSettings,
    PictureSettings,
    PoseSettings,
    StreamSettings,
    View,
    ViewSettings,
    colour,
    draw_view,
    fit,
    pictures,
    shrink,
)

SMALL = StreamSettings(48, 64)
SETTINGS = PictureSettings(rate=5, picture=SMALL, motion=SMALL, lag=0.1)


def test_moments_have_both_streams(tmp_path):
    film = write_film(tmp_path / "film.mkv", sliding(20, (48, 64)), rate=20)
    moments = list(pictures(film, SETTINGS))
    # A second of 20 frames: moments at 0, 0.2, 0.4, 0.6, 0.8 s, each with the frame 0.1 s later.
    assert len(moments) == 5
    assert all(list(moment) == ["picture", "motion"] for moment in moments)
    assert all(shown.shape == (48, 64, 3) and shown.dtype == np.uint8 for m in moments for shown in m.values())
    frames = sliding(20, (48, 64))
    for k, moment in enumerate(moments):
        assert np.abs(moment["picture"].astype(int) - frames[4 * k]).max() <= 3  # what RGB loses in the film's colours


def test_one_stream_alone(tmp_path):
    film = write_film(tmp_path / "film.mkv", sliding(20, (48, 64)), rate=20)
    both = list(pictures(film, SETTINGS))
    for stream, other in (("picture", "motion"), ("motion", "picture")):
        alone = list(pictures(film, replace(SETTINGS, **{other: None})))[:5]
        assert all(list(a) == [stream] and np.array_equal(a[stream], b[stream])
                   for a, b in zip(alone, both, strict=True))


def test_streams_have_sizes_and_rates_of_their_own(tmp_path):
    film = write_film(tmp_path / "film.mkv", sliding(40, (96, 128)), rate=20)
    settings = replace(SETTINGS, picture=StreamSettings(96, 128, every=3))
    moments, whole = list(pictures(film, settings)), list(pictures(film, SETTINGS))
    assert len(moments) == 10
    assert ["picture" in moment for moment in moments] == [k % 3 == 0 for k in range(10)]
    assert moments[3]["picture"].shape == (96, 128, 3)
    assert all(np.array_equal(a["motion"], b["motion"]) for a, b in zip(moments, whole, strict=True))


def test_big_frames_are_not_held():
    image = np.full((4320, 7680, 3), 9, np.uint8)
    assert shrink(image, 96, 128).shape == (96, 171, 3)
    assert shrink(image[:90, :200], 96, 128).shape == (90, 200, 3)
    assert shrink(image[:1, :7680], 96, 128).shape == (1, 7680, 3)


def blob(shape, left):
    """A textured square on a textured ground."""
    rng = np.random.default_rng(5)
    image = np.kron(rng.integers(60, 120, (shape[0] // 8, shape[1] // 8)), np.ones((8, 8))).astype(np.uint8)
    square = np.kron(rng.integers(130, 250, (10, 10)), np.ones((8, 8))).astype(np.uint8)
    image[60:140, left:left + 80] = square
    return np.repeat(image[..., None], 3, axis=2)


def test_motion_shows_what_moves_against_the_camera():
    flow = Flow()
    first, second = blob((192, 256), 80)[..., 0], blob((192, 256), 83)[..., 0]
    shown = motion_picture(flow(first, second), 16).astype(int)
    inside, outside = shown[80:120, 100:140], shown[:40, :60]
    assert np.median(inside[..., 0]) == pytest.approx(GREY + 3 * 16, abs=8)  # three pixels to the right
    assert np.median(inside[..., 1]) == pytest.approx(GREY, abs=8)
    assert np.median(inside[..., 2]) == pytest.approx(3 * 16, abs=8)
    assert np.median(outside[..., 0]) == pytest.approx(GREY, abs=2) and np.median(outside[..., 2]) <= 2
    # The whole picture moves: that is the camera.
    still = motion_picture(flow(first, np.roll(first, 3, axis=1)), 16).astype(int)
    assert np.median(still[..., 0]) == pytest.approx(GREY, abs=2)


def test_motion_in_grey_levels():
    field = np.zeros((48, 64, 2), np.float32)
    field[0, 0], field[9, 8] = (3, -4), (-20, 40)
    shown = motion_picture(field, 10)
    assert shown.shape == (48, 64, 3) and shown.dtype == np.uint8
    assert shown[0, 0].tolist() == [GREY + 30, GREY - 40, 50] and shown[9, 8].tolist() == [0, 255, 255]
    assert shown[1, 1].tolist() == [GREY, GREY, 0]


def test_histograms_tell_where_what_moves_which_way():
    field = np.zeros((96, 128, 2), np.float32)
    field[:48, :64] = [9.6, 0]  # a tenth of the height to the right, in the upper left quarter
    field[48:, 64:] = [0, -4.8]  # half as far up, in the lower right one
    whole = histograms(field, (2,))
    assert whole.dtype == np.float32 and whole.shape == (n_histograms((2,)),) == (96,)
    flow = whole[:32].reshape(2, 2, 8) ** 2
    expected = np.zeros((2, 2, 8))
    expected[0, 0, 0], expected[1, 1, 6] = 0.1 / 4, 0.05 / 4  # a quarter of the cells; 6 x 45 degrees is up
    np.testing.assert_allclose(flow, expected, atol=1e-6)
    assert whole[32:].max() > 0  # boundaries
    assert histograms(np.full_like(field, 3), (2,))[32:].max() == 0  # which a steady field has none of
    assert histograms(field, (1, 4)).shape == (n_histograms((1, 4)),)


def test_flow_histograms_are_a_stream(tmp_path):
    film = write_film(tmp_path / "film.mkv", sliding(20, (48, 64)), rate=20)
    settings = PictureSettings(rate=5, picture=None, motion=StreamSettings(48, 64, every=2), lag=0.1,
                               flow=FlowSettings(32, 32, grids=(2,)))
    moments = list(pictures(film, settings))
    assert all(moment["flow"].shape == (96,) for moment in moments)
    assert ["motion" in moment for moment in moments] == [True, False, True, False, True]
    assert settings.widths(7) == (7, 96)


def test_fit_covers_and_crops_around_the_centre():
    settings = StreamSettings(40, 60)
    image = np.zeros((80, 240, 3), np.uint8)
    image[:, 60:180] = 200  # what a 3:2 crop of it holds
    assert fit(image, settings.shape).shape == (40, 60, 3)
    assert fit(image, settings.shape).min() == 200
    assert fit(np.full((2, 2, 3), 7, np.uint8), settings.shape).min() == 7
    assert fit(np.full((3, 500, 3), 7, np.uint8), settings.shape).shape == (40, 60, 3)


def test_views_flip_crop_and_colour():
    settings = StreamSettings(40, 60)
    ramp = np.repeat(np.linspace(0, 255, 120).astype(np.uint8)[None, :, None], 80, axis=0).repeat(3, axis=2)
    assert np.array_equal(fit(ramp, settings.shape, View(flip=True)), fit(ramp, settings.shape)[:, ::-1])
    left, right = (fit(ramp, settings.shape, View(size=0.5, across=across)) for across in (0.0, 1.0))
    assert left.max() < 135 and right.min() > 120
    assert colour(ramp, View()) is ramp
    assert colour(ramp, View(brightness=300)).min() == 255
    assert np.ptp(colour(ramp, View(saturation=0.0)).astype(int), axis=2).max() == 0
    drawn = [draw_view(ViewSettings(), np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("wrong", [
    lambda: PictureSettings(picture=None, motion=None), lambda: PictureSettings(rate=0),
    lambda: FlowSettings(48, 64, grids=()), lambda: StreamSettings(8, 64), lambda: StreamSettings(48, 64, every=0),
    lambda: PictureSettings(picture=StreamSettings(48, 64, every=2), motion=StreamSettings(48, 64, every=4))])
def test_impossible_settings(wrong):
    with pytest.raises(EarsightError):
        wrong()


def test_a_recipe_takes_a_stream_as_it_is_meant_with_nothing_set():
    settings = PictureSettings.from_dict({"picture": None, "motion": None, "pose": {}, "flow": None})
    assert settings.pose == PoseSettings() and list(settings.streams) == ["pose"]
