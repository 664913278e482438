"""Changes of a mouth's pictures that leave what is said as it is: moved, turned, scaled, mirrored, in other light."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class MouthAugmentation:
    """How far stored pictures of mouths are changed in training; one way throughout a clip, but for `spans`.

    Attributes:
        shift: largest shift along both axes, as a share of the picture's side.
        scale: largest relative change of size.
        turn: largest angle, degrees.
        mirror: share of clips in which left and right are exchanged.
        contrast: largest relative change of contrast around the clip's mean.
        brightness: largest change of brightness, in grey levels.
        spans: spans of time a second in which the mouth stands still as the clip's mean.
        span_width: longest such span, seconds.
        speed: largest relative change of speed.
    """

    shift: float = 0.0
    scale: float = 0.0
    turn: float = 0.0
    mirror: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    spans: float = 0.0
    span_width: float = 0.2
    speed: float = 0.0


def augment_mouth(pictures: np.ndarray, settings: MouthAugmentation, rate: float, rng: np.random.Generator
                  ) -> np.ndarray:
    """Pictures (time, side, side) float32 in grey levels, changed; `rate` of them a second. `speed` is for the caller.
    """
    side = pictures.shape[-1]
    shift = settings.shift * side * rng.uniform(-1, 1, 2)
    scale, angle = (1 + settings.scale) ** rng.uniform(-1, 1), settings.turn * rng.uniform(-1, 1)
    contrast = (1 + settings.contrast) ** rng.uniform(-1, 1)
    brightness = settings.brightness * rng.uniform(-1, 1)
    mirror = rng.random() < settings.mirror
    mean = pictures.mean()
    if settings.shift or settings.scale or settings.turn:
        matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, scale)
        matrix[:, 2] += shift
        pictures = np.stack([cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
                             for picture in pictures])
    if mirror:
        pictures = pictures[:, :, ::-1]
    pictures = (pictures - mean) * np.float32(contrast) + np.float32(mean + brightness)
    return hidden(pictures, settings, rate, rng)


def hidden(pictures: np.ndarray, settings: MouthAugmentation, rate: float, rng: np.random.Generator) -> np.ndarray:
    """With spans of time in which the clip's mean picture stands: SpecAugment's masks (Park et al., 2019)."""
    count = rng.poisson(settings.spans * len(pictures) / rate)
    if not count:
        return pictures
    still, changed = pictures.mean(axis=0), pictures.copy()
    for _ in range(count):
        first = int(rng.integers(len(pictures)))
        changed[first:first + round(rate * settings.span_width * rng.random())] = still
    return changed
