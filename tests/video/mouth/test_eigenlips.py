"""Eigenlips beside numpy's singular values, their graph beside torch, and augmentation of mouths."""

import numpy as np
import onnxruntime
import pytest
import torch

from earsight.common.errors import EarsightError
from earsight.video.mouth.augmentation import MouthAugmentation, augment_mouth, hidden
from earsight.video.mouth.eigenlips import FLAT, Eigenlips, EigenlipsSettings

SETTINGS = EigenlipsSettings(height=12, width=18, shrink=3, size=5)
SIDE = 20


def clips(count: int = 6) -> list[np.ndarray]:
    """Smooth random films (time, side * side) float32."""
    rng = np.random.default_rng(1)
    return [(rng.normal(size=(30, 8)) @ (40 * rng.normal(size=(8, SIDE**2))) + 128).clip(0, 255).astype(np.float32)
            for _ in range(count)]


def pixels(pictures: np.ndarray) -> np.ndarray:
    """The middle 12 x 18 in means of 3 x 3, of mean 0 and deviation nearly 1."""
    middle = pictures.reshape(-1, SIDE, SIDE)[:, 4:16, 1:19]
    means = middle.reshape(-1, 4, 3, 6, 3).mean(axis=(2, 4)).reshape(-1, 24)
    centred = means - means.mean(axis=1, keepdims=True)
    return centred / (centred.std(axis=1, keepdims=True) + FLAT)


def apply(eigenlips: Eigenlips, pictures: np.ndarray) -> np.ndarray:
    """Of whole clips (batch, time, side * side)."""
    return eigenlips(torch.from_numpy(pictures), torch.full((len(pictures),), pictures.shape[1])).numpy()


def test_components_are_those_of_the_singular_values():
    films = clips()
    eigenlips = Eigenlips(SIDE, SETTINGS)
    eigenlips.fit(films)
    x = np.concatenate([pixels(film) for film in films]).astype(float)
    _, _, rows = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    for ours, theirs in zip(eigenlips.basis.T.numpy(), rows):
        assert abs(ours @ theirs) == pytest.approx(1, abs=1e-4)
        assert ours[np.abs(ours).argmax()] > 0
    assert eigenlips.mean.numpy() == pytest.approx(x.mean(axis=0), abs=1e-5)
    frames = apply(eigenlips, films[0][None])[0]
    assert frames == pytest.approx((pixels(films[0]) - x.mean(axis=0)) @ eigenlips.basis.numpy(), abs=1e-4)


def test_the_graph_computes_the_same_of_any_length(tmp_path):
    eigenlips = Eigenlips(SIDE, SETTINGS)
    eigenlips.fit(clips())
    eigenlips.export_onnx(tmp_path / "frontend.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "frontend.onnx"), providers=["CPUExecutionProvider"])
    for time in (1, 2, 41):
        pictures = np.random.default_rng(time).integers(0, 256, (1, time, SIDE**2), dtype=np.uint8)
        expected = apply(eigenlips, pictures)
        assert session.run(None, {"pictures": pictures})[0] == pytest.approx(expected, abs=1e-4)


def test_light_does_not_count_and_black_is_finite():
    eigenlips = Eigenlips(SIDE, SETTINGS)
    eigenlips.fit(clips())
    film = clips()[0][None]
    assert np.allclose(apply(eigenlips, film), apply(eigenlips, film + 40), atol=1e-4)
    assert np.isfinite(apply(eigenlips, np.zeros((1, 3, SIDE**2), np.float32))).all()


def test_too_few_pictures_and_too_large_windows_are_refused():
    with pytest.raises(EarsightError, match="5 components"):
        Eigenlips(SIDE, SETTINGS).fit([clips()[0][:5]])
    with pytest.raises(EarsightError, match="20 x 20"):
        Eigenlips(SIDE, EigenlipsSettings(height=30, width=18, size=5))
    with pytest.raises(EarsightError, match="components"):
        EigenlipsSettings(height=6, width=6, shrink=3, size=9)


def film() -> np.ndarray:
    return clips()[0].reshape(-1, SIDE, SIDE)


def test_without_settings_nothing_changes():
    assert augment_mouth(film(), MouthAugmentation(), 25, np.random.default_rng(1)) == pytest.approx(film(), abs=1e-3)


def test_mirrored_pictures_are_mirrored():
    changed = augment_mouth(film(), MouthAugmentation(mirror=1), 25, np.random.default_rng(1))
    assert changed == pytest.approx(film()[:, :, ::-1], abs=1e-3)


def test_a_shift_moves_all_pictures_alike():
    dot = np.zeros((4, SIDE, SIDE), np.float32)
    dot[:, 10, 10] = 100
    changed = augment_mouth(dot, MouthAugmentation(shift=0.2), 25, np.random.default_rng(3))
    assert np.allclose(changed, changed[0])
    weights = changed[0] / changed[0].sum()
    moved = np.array([(weights * axis).sum() for axis in np.indices((SIDE, SIDE))]) - 10
    assert 0.3 < np.abs(moved).max() <= 4


def test_contrast_and_brightness_leave_the_order_of_greys():
    settings = MouthAugmentation(contrast=0.3, brightness=20)
    changed = augment_mouth(film(), settings, 25, np.random.default_rng(1))
    slope, offset = np.polyfit(film().ravel(), changed.ravel(), 1)
    assert changed == pytest.approx(slope * film() + offset, abs=0.05)
    assert 1 / 1.3 <= slope <= 1.3
    assert abs(changed.mean() - film().mean()) <= 20


def test_spans_stand_still_as_the_mean():
    settings = MouthAugmentation(spans=3, span_width=0.4)
    changed = hidden(film(), settings, 25, np.random.default_rng(1))
    still = np.isclose(changed, film().mean(axis=0)).all(axis=(1, 2))
    assert 0 < still.sum() < len(still)
    assert np.array_equal(changed[~still], film()[~still])
