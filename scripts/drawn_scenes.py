"""Places to exercise in: rooms, gyms, lawns, yards and tracks, painted from noise and simple shapes.

A place is a box: a floor, four walls, and a ceiling or the sky. Each is a painted texture, RGB 0-255, that is looked
up once for each pixel of the picture; furniture stands in front of the walls.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from drawn_figures import Camera, Light, Mesh, box_mesh, polygons


@dataclass(frozen=True)
class Place:
    """The box around the exercise: its turn (radians), and its bounds in metres along its own axes."""

    indoors: bool
    garden: bool  # outdoors: on a lawn
    turn: float
    left: float
    right: float
    near: float
    far: float
    height: float  # of the ceiling; outdoors, of what the walls show

    def inwards(self, points: np.ndarray) -> np.ndarray:
        """World coordinates or directions (..., 3) along the box's own axes."""
        c, s = np.cos(self.turn), np.sin(self.turn)
        return points @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def paint_place(
    place: Place, camera: Camera, size: tuple[int, int], light: Light, clear: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The place as the camera sees it, uint8 (height, width, 3) for `size` (width, height).

    `clear` (point, 2): spots on the ground, in metres, that furniture keeps away from.
    """
    width, height = size
    x, y = np.meshgrid(np.arange(width) + 0.5 - camera.centre[0], np.arange(height) + 0.5 - camera.centre[1])
    rays = np.stack([x, y, np.full_like(x, camera.focal)], axis=-1) @ camera.axes
    rays, eye = place.inwards(rays), place.inwards(camera.place)
    elevation = rays[..., 2] / np.linalg.norm(rays, axis=-1)
    canvas = _sky(elevation, rng) if not place.indoors else np.zeros((height, width, 3), np.float32)
    nearest = np.full((height, width), np.inf)
    style = rng.integers(2**31)  # walls of one room look alike, mostly
    for surface in ("floor", "ceiling", "far", "left", "right", "near"):
        if surface == "ceiling" and not place.indoors:
            continue
        axis, at = {"floor": (2, 0.0), "ceiling": (2, place.height), "far": (1, place.far), "near": (1, place.near),
                    "left": (0, place.left), "right": (0, place.right)}[surface]  # fmt: skip
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = (at - eye[axis]) / rays[..., axis]
        reach = np.where(reach > 0, reach, np.inf)
        hit = reach < nearest
        nearest = np.where(hit, reach, nearest)
        if hit.sum() < 20:
            continue
        points = eye + rays * np.where(hit, reach, 0)[..., None]
        _lay(canvas, surface, place, points, hit, camera.focal, int(style), rng)
    _furnish(canvas, place, camera, light, clear, rng)
    if place.indoors:
        canvas *= _falloff(width, height, rng)[..., None]
    canvas *= 1 + 0.03 * cloudy((height, width), rng, 5, 3)[..., None]
    glow = cv2.GaussianBlur(np.maximum(canvas - 190, 0), (0, 0), width / 40)
    return np.clip(canvas + 0.35 * glow, 0, 255).astype(np.uint8)


def _lay(canvas, surface: str, place: Place, points, hit, focal: float, style: int, rng: np.random.Generator) -> None:
    """Paint the surface's texture where it is hit."""
    if surface in ("floor", "ceiling"):
        u, v = points[..., 0] - place.left, points[..., 1] - place.near
        spans = place.right - place.left, place.far - place.near
    else:
        along = 0 if surface in ("far", "near") else 1
        low, high = ((place.left, place.right), (place.near, place.far))[along]
        u, v, spans = points[..., along] - low, place.height - points[..., 2], (high - low, place.height)
    fine = min(60.0, focal / 4, 1300 / max(spans))  # pixels a metre; no more than can be seen
    shape = max(int(spans[1] * fine), 8), max(int(spans[0] * fine), 8)
    if surface == "floor":
        texture, cover = _floor(shape, fine, place, rng), None
    elif surface == "ceiling":
        texture, cover = _ceiling(shape, fine, rng), None
    elif place.indoors:
        texture, cover = _wall(shape, fine, style, rng), None
    else:
        texture, cover = _surroundings(shape, fine, rng)
    u, v = (u * fine).astype(np.float32), (v * fine).astype(np.float32)
    colour = cv2.remap(texture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    if place.indoors:  # corners are darker
        edge = np.minimum.reduce([u, v, shape[1] - u, shape[0] - v]) / fine
        colour = colour * (1 - 0.33 * np.exp(-np.maximum(edge, 0) / 0.4))[..., None]
    if cover is not None:
        hit = hit & (v > 0) & (cv2.remap(cover, u, v, cv2.INTER_LINEAR) > 127)
    canvas[hit] = colour[hit]


# Textures


def cloudy(shape: tuple[int, int], rng: np.random.Generator, coarse: float, octaves: int = 4) -> np.ndarray:
    """Smooth noise (height, width) of mean 0 and deviation about 1; its largest blotches are `coarse` pixels."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        cell = max(coarse / 2**octave, 1.0)
        grid = rng.standard_normal((int(shape[0] / cell) + 2, int(shape[1] / cell) + 2)).astype(np.float32)
        total += cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_LINEAR) / 1.6**octave
    return total * 0.75


def _tone(rng: np.random.Generator, low: float, high: float, tint: float = 10) -> np.ndarray:
    return np.clip(rng.uniform(low, high) + rng.normal(0, tint, 3), 5, 250)


def _hue(rng: np.random.Generator, saturation: float, value: float) -> np.ndarray:
    pixel = np.uint8([[[rng.integers(180), 190 * saturation, 255 * value]]])
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(float)


def _filled(shape, colour, rng: np.random.Generator, rough: float, coarse: float) -> np.ndarray:
    """A texture of one colour, uneven by `rough` grey levels."""
    noise = cloudy(shape, rng, coarse) * rough
    noise += rng.standard_normal(shape).astype(np.float32) * (0.4 * rough + 1)
    return (np.asarray(colour, np.float32) + noise[..., None]).astype(np.float32)


def _boards(texture: np.ndarray, fine: float, rng: np.random.Generator, wide: float, upright: bool) -> None:
    """Boards side by side, `wide` metres each, each with its own shade, and dark joints."""
    step = max(int(wide * fine), 3)
    image = texture.transpose(1, 0, 2) if upright else texture
    for top in range(0, image.shape[0], step):
        image[top : top + step] *= rng.uniform(0.88, 1.08)
        image[top : top + 1] *= 0.7


def _tiles(texture: np.ndarray, fine: float, rng: np.random.Generator, wide: float, high: float, shift=False) -> None:
    """Tiles or bricks with pale or dark joints; `shift` offsets every other row."""
    joint = rng.choice([0.72, 1.2])
    rows, columns = max(int(high * fine), 3), max(int(wide * fine), 3)
    for number, top in enumerate(range(0, texture.shape[0], rows)):
        offset = columns // 2 if shift and number % 2 else 0
        for left in range(-offset, texture.shape[1], columns):
            tile = texture[top : top + rows, max(left, 0) : left + columns]
            tile *= rng.normal(1, 0.06 if shift else 0.025)
            tile[:, :1] *= joint
        texture[top : top + 1] *= joint


def _wall(shape, fine: float, style: int, rng: np.random.Generator) -> np.ndarray:
    """An inside wall: paint, bricks, boards or concrete, then what hangs on it and stands before it."""
    rng, own = np.random.default_rng(style), rng
    if own.random() < 0.2:
        rng = own
    kind = rng.choice(["paint", "two-tone", "brick", "boards", "concrete", "dark"], p=(0.4, 0.2, 0.12, 0.1, 0.1, 0.08))
    if kind == "brick":
        texture = _filled(shape, rng.choice([(150, 82, 62), (170, 160, 150), (196, 186, 172)]), rng, 10, 0.5 * fine)
        _tiles(texture, fine, rng, *((0.24, 0.08) if rng.random() < 0.5 else (0.42, 0.2)), shift=True)
    elif kind == "boards":
        texture = _filled(shape, rng.choice([(148, 104, 66), (110, 74, 48), (200, 180, 150)]), rng, 7, 0.3 * fine)
        _boards(texture, fine, rng, rng.uniform(0.1, 0.3), upright=True)
    else:
        colour = _tone(rng, 150, 235, 9) if kind != "dark" else _tone(rng, 25, 80, 8)
        if rng.random() < 0.25:
            colour = _hue(rng, rng.uniform(0.1, 0.4), rng.uniform(0.4, 0.9))
        texture = _filled(shape, colour, rng, 9 if kind == "concrete" else 3, fine)
        if kind == "two-tone":
            edge = shape[0] - int(rng.uniform(0.9, 1.4) * fine)
            texture[edge:] += _hue(rng, rng.uniform(0.2, 0.65), rng.uniform(0.15, 0.6)) - colour
            texture[edge - 2 : edge + 1] *= 0.6
    rng = own
    hanging = [_window, _door, _poster, _poster, _shelves, _curtain, _machines, _racks, _wall_bars, _switch]
    for _ in range(rng.poisson(0.9 * shape[1] / fine) + 1):
        hanging[rng.integers(len(hanging))](texture, fine, rng)
    skirting = max(int(0.08 * fine), 1)
    texture[-skirting:] = texture[-skirting:] * 0.3 + _tone(rng, 60, 230) * 0.5
    return np.clip(texture, 0, 255)


def _rectangle(texture, left, top, wide, high, colour) -> None:
    """A filled rectangle in pixels, clipped to the texture."""
    left, top, right, bottom = (int(round(each)) for each in (left, top, left + wide, top + high))
    cv2.rectangle(texture, (left, top), (right - 1, bottom - 1), tuple(float(c) for c in colour), -1)


def _window(texture, fine: float, rng: np.random.Generator) -> None:
    wide, high = rng.uniform(0.7, 2.0) * fine, rng.uniform(0.7, 1.4) * fine
    left, top = rng.uniform(0, texture.shape[1]), texture.shape[0] - rng.uniform(0.9, 1.1) * fine - high
    _rectangle(texture, left - 3, top - 3, wide + 6, high + 6, _tone(rng, 60, 245))
    _rectangle(texture, left, top, wide, high, _tone(rng, 215, 255, 8))
    if rng.random() < 0.7:  # something green or grey outside
        _rectangle(texture, left, top + high * rng.uniform(0.4, 0.8), wide, high * 0.25, _tone(rng, 90, 200, 20))
    for share in np.arange(1, rng.integers(2, 5)) / 4:
        _rectangle(texture, left + share * wide, top, 2, high, _tone(rng, 60, 240, 5))
    if rng.random() < 0.3:  # blinds
        for line in range(int(top), int(top + high), 4):
            _rectangle(texture, left, line, wide, 1, (170, 170, 165))


def _door(texture, fine: float, rng: np.random.Generator) -> None:
    wide, high, left = 0.85 * fine, 2.05 * fine, rng.uniform(0, texture.shape[1])
    colour, top = _tone(rng, 60, 240, 22), texture.shape[0] - high
    _rectangle(texture, left - 4, top - 4, wide + 8, high + 4, colour * 0.75)
    _rectangle(texture, left, top, wide, high, colour if rng.random() < 0.7 else _tone(rng, 10, 60, 6))
    if rng.random() < 0.5:
        for x in (0.12, 0.56):
            for y, tall in ((0.08, 0.36), (0.55, 0.36)):
                _rectangle(texture, left + x * wide, top + y * high, 0.32 * wide, tall * high, colour * 0.88)
    cv2.circle(texture, (int(left + 0.1 * wide), int(top + 0.52 * high)), 2, (190, 170, 110), -1)


def _poster(texture, fine: float, rng: np.random.Generator) -> None:
    wide, high = rng.uniform(0.3, 1.4) * fine, rng.uniform(0.3, 0.9) * fine
    left, top = rng.uniform(0, texture.shape[1]), rng.uniform(0.2, 0.9) * fine
    _rectangle(texture, left - 2, top - 2, wide + 4, high + 4, _tone(rng, 20, 120))
    _rectangle(texture, left, top, wide, high, _tone(rng, 60, 250, 40))
    for _ in range(rng.integers(1, 7)):
        x, y, a, b = rng.random(4)
        _rectangle(texture, left + x * wide * 0.7, top + y * high * 0.8, a * wide * 0.3, b * high * 0.2 + 1,
                   _hue(rng, rng.uniform(0.2, 0.9), rng.uniform(0.2, 1)))  # fmt: skip


def _shelves(texture, fine: float, rng: np.random.Generator) -> None:
    wide, high = rng.uniform(0.8, 2.2) * fine, rng.uniform(0.8, 1.9) * fine
    left, top = rng.uniform(0, texture.shape[1]), texture.shape[0] - high
    wood = _tone(rng, 30, 150, 15)
    _rectangle(texture, left, top, wide, high, wood * 0.5)
    rows = rng.integers(2, 6)
    for row in range(rows):
        bottom, x = top + (row + 1) * high / rows, left + 3
        while x < left + wide - 4:
            item, tall = rng.uniform(0.03, 0.2) * fine, rng.uniform(0.3, 0.85) * high / rows
            if rng.random() < 0.8:
                _rectangle(texture, x, bottom - tall, item, tall, _hue(rng, rng.uniform(0, 0.8), rng.uniform(0.15, 1)))
            x += item + rng.uniform(0, 0.04) * fine
        _rectangle(texture, left, bottom - 2, wide, 3, wood)
    for x in (left, left + wide - 3):
        _rectangle(texture, x, top, 3, high, wood)


def _curtain(texture, fine: float, rng: np.random.Generator) -> None:
    wide, left = int(rng.uniform(0.4, 1.6) * fine), int(rng.uniform(0, texture.shape[1]))
    top = int(rng.uniform(0.1, 0.5) * fine)
    part = texture[top : texture.shape[0] - int(rng.uniform(0, 0.9) * fine), left : left + wide]
    folds = 0.8 + 0.2 * np.sin(np.arange(part.shape[1]) * rng.uniform(0.3, 0.9) + rng.random())
    part[:] = _hue(rng, rng.uniform(0, 0.7), rng.uniform(0.25, 0.9)) * folds[None, :, None]


def _machines(texture, fine: float, rng: np.random.Generator) -> None:
    """Bent tubes and pads, as gym machines look from afar."""
    left, ground = rng.uniform(0, texture.shape[1]), texture.shape[0]
    for _ in range(rng.integers(2, 5)):
        metal = _tone(rng, *((15, 60) if rng.random() < 0.6 else (160, 235)), 6)
        x = left + rng.uniform(-0.2, 0.8) * fine
        points = [(x, ground)]
        for _ in range(rng.integers(2, 5)):
            points.append((points[-1][0] + rng.uniform(-0.5, 0.5) * fine, ground - rng.uniform(0.3, 1.9) * fine))
        line = np.array([points, points], np.int32)[0]
        cv2.polylines(texture, [line], False, metal.tolist(), int(rng.uniform(0.03, 0.09) * fine) + 1)
        for x, y in points[1:]:
            if rng.random() < 0.6:
                pad = _hue(rng, rng.uniform(0, 0.9), rng.uniform(0.1, 0.7))
                _rectangle(texture, x, y, rng.uniform(0.1, 0.5) * fine, rng.uniform(0.06, 0.15) * fine, pad)


def _racks(texture, fine: float, rng: np.random.Generator) -> None:
    """Rows of balls, plates or dumbbells."""
    left, wide = rng.uniform(0, texture.shape[1]), rng.uniform(0.8, 3) * fine
    same = rng.random() < 0.85
    colour = _tone(rng, 15, 70, 6)
    for level in (0.3, 0.7, 1.1)[: rng.integers(1, 4)]:
        y, radius = texture.shape[0] - level * fine, rng.uniform(0.05, 0.16) * fine
        _rectangle(texture, left, y + radius, wide, 3, _tone(rng, 40, 200))
        for x in np.arange(left, left + wide, 2.3 * radius):
            shade = colour if same else _hue(rng, 0.6, 0.7)
            cv2.circle(texture, (int(x), int(y)), int(radius) + 1, shade.tolist(), -1)
            gleam = int(x - radius / 3), int(y - radius / 3)
            cv2.circle(texture, gleam, int(radius / 3) + 1, (shade * 1.5).tolist(), -1)


def _wall_bars(texture, fine: float, rng: np.random.Generator) -> None:
    left, wide = rng.uniform(0, texture.shape[1]), rng.uniform(0.8, 2.5) * fine
    colour = rng.choice([(190, 140, 80), (150, 100, 60), (210, 180, 130)]).astype(float)
    for y in np.arange(texture.shape[0] - 2.3 * fine, texture.shape[0], 0.16 * fine):
        _rectangle(texture, left, y, wide, 0.04 * fine + 1, colour)
    for x in np.arange(left, left + wide + 1, 0.8 * fine):
        _rectangle(texture, x, texture.shape[0] - 2.4 * fine, 0.07 * fine, 2.4 * fine, colour * 0.85)


def _switch(texture, fine: float, rng: np.random.Generator) -> None:
    height = rng.choice([0.3, 1.1])
    _rectangle(texture, rng.uniform(0, texture.shape[1]), texture.shape[0] - height * fine, 0.08 * fine, 0.12 * fine,
               _tone(rng, 200, 250, 4))  # fmt: skip


def _ceiling(shape, fine: float, rng: np.random.Generator) -> np.ndarray:
    texture = _filled(shape, _tone(rng, 90, 235, 8), rng, 3, fine)
    if rng.random() < 0.5:
        _tiles(texture, fine, rng, 0.6, 0.6)
    for _ in range(rng.integers(1, 6)):
        _rectangle(texture, rng.uniform(0, shape[1]), rng.uniform(0, shape[0]), rng.uniform(0.1, 0.5) * fine,
                   rng.uniform(0.3, 1.3) * fine, (255, 253, 245))  # fmt: skip
    return np.clip(texture, 0, 255)


def _floor(shape, fine: float, place: Place, rng: np.random.Generator) -> np.ndarray:
    """What one stands on; near a spot in the middle, a mat or lines at times."""
    if place.indoors:
        kind = rng.choice(["boards", "tiles", "carpet", "rubber", "mats"], p=(0.32, 0.16, 0.22, 0.15, 0.15))
        wood = rng.choice([(196, 150, 96), (150, 104, 64), (214, 184, 140), (110, 74, 50)])
        colours = {
            "boards": wood,
            "tiles": _tone(rng, 110, 220, 10),
            "carpet": _tone(rng, 60, 190, 16),
            "rubber": _tone(rng, 30, 80, 6),
            "mats": _hue(rng, rng.uniform(0.4, 0.75), rng.uniform(0.25, 0.7)),
        }
        texture = _filled(shape, colours[kind], rng, 5 if kind != "carpet" else 8, 0.6 * fine)
        if kind == "boards":
            _boards(texture, fine, rng, rng.uniform(0.06, 0.16), upright=bool(rng.random() < 0.5))
        if kind in ("tiles", "mats"):
            _tiles(texture, fine, rng, *([rng.uniform(0.3, 0.5)] * 2 if kind == "tiles" else (1.0, 2.0)))
    else:
        kind = rng.choice(["grass", "asphalt", "sand", "track", "slabs"], p=(0.5, 0.18, 0.1, 0.1, 0.12))
        kind = "grass" if place.garden else kind
        colours = {
            "grass": np.array([92, 114, 60]) + rng.uniform((-25, -25, -15), (40, 35, 20)),
            "asphalt": _tone(rng, 90, 150, 5),
            "sand": (190, 165, 125),
            "track": (165, 76, 58),
            "slabs": _tone(rng, 140, 200, 8),
        }
        texture = _filled(shape, colours[kind], rng, 13 if kind == "grass" else 7, 1.5 * fine)
        texture += (rng.standard_normal(shape) * (14 if kind == "grass" else 7)).astype(np.float32)[..., None]
        if kind == "slabs":
            _tiles(texture, fine, rng, rng.uniform(0.4, 1), rng.uniform(0.4, 1))
        if kind == "grass" and rng.random() < 0.5:  # worn patches
            worn = np.clip(cloudy(shape, rng, 2.5 * fine) - 0.8, 0, 1)[..., None]
            texture += worn * (np.array([150, 130, 90]) - texture)
        if kind == "track" or rng.random() < 0.15:
            for x in np.arange(rng.uniform(0, 1.2), shape[1] / fine, 1.22):
                _rectangle(texture, x * fine, 0, 0.06 * fine + 1, shape[0], (225, 222, 215))
    if rng.random() < 0.3:
        x, y = (-place.left + rng.normal(0, 0.3)) * fine, (-place.near + rng.normal(0, 0.3)) * fine
        wide, deep = (np.array([2.0, 0.9] if rng.random() < 0.5 else [0.9, 2.0]) + rng.random() * 0.6) * fine
        mat = _hue(rng, rng.uniform(0, 0.8), rng.uniform(0.2, 0.8))
        _rectangle(texture, x - wide / 2, y - deep / 2, wide, deep, mat)
    return np.clip(texture, 0, 255)


def _sky(elevation: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    high = np.array([(96, 148, 214), (150, 180, 220), (205, 212, 220), (235, 238, 242)][rng.integers(4)], float)
    pale = np.clip(high + 50, 0, 250)
    share = np.clip(elevation * 2.2, 0, 1)[..., None]
    clouds = np.clip(cloudy(elevation.shape, rng, elevation.shape[1] / 3, 5) - rng.uniform(0, 1.2), 0, 1)[..., None]
    sky = pale + (high - pale) * share
    return (sky + clouds * (248 - sky) * 0.8).astype(np.float32)


def _surroundings(shape, fine: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What stands around outdoors: trees, hedges, a fence or a house; and a mask of where it is, 0 or 255."""
    texture, cover = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.uint8)
    leaves = rng.standard_normal(shape).astype(np.float32)
    if fine > 8:
        leaves = cv2.GaussianBlur(leaves, (0, 0), max(fine / 22, 0.6))
    leaves = leaves / leaves.std() * 0.3 + 0.25 * cloudy(shape, rng, 1.5 * fine, 3)
    if rng.random() < 0.9:
        _trees(texture, cover, fine, leaves, rng)
    if rng.random() < 0.4:
        _house(texture, cover, fine, rng)
    kind = rng.choice(["none", "hedge", "fence", "wall"], p=(0.25, 0.3, 0.3, 0.15))
    high = int(min(rng.uniform(0.8, 2.2) * fine, shape[0] * 0.6))
    if kind == "hedge":
        edge = np.clip(high + cloudy((1, shape[1]), rng, 2 * fine)[0] * 0.2 * fine, 2, shape[0]).astype(int)
        inside = np.arange(shape[0])[:, None] >= shape[0] - edge[None]
        green = np.array([74, 92, 50]) * rng.uniform(0.5, 1.2)
        texture[inside] = (green * np.clip(1 + leaves, 0.3, 2)[..., None])[inside]
        cover[inside] = 255
    elif kind in ("fence", "wall"):
        part = _filled((high, shape[1]), _tone(rng, 90, 200, 9), rng, 8, fine)
        if kind == "fence":
            _boards(part, fine, rng, 0.14, upright=True)
        elif rng.random() < 0.6:
            _tiles(part, fine, rng, 0.4, 0.2, shift=True)
        texture[-high:], cover[-high:] = part, 255
    for _ in range(rng.poisson(1.5)):  # posts and poles
        x, tall = rng.integers(shape[1]), int(rng.uniform(0.5, 1) * shape[0])
        thick = max(int(rng.uniform(0.06, 0.15) * fine), 1)
        texture[-tall:, x : x + thick], cover[-tall:, x : x + thick] = _tone(rng, 40, 220), 255
    return np.clip(texture, 0, 255), cover


def _trees(texture, cover, fine: float, leaves, rng: np.random.Generator) -> None:
    height, width = cover.shape
    lumps = cloudy(cover.shape, rng, 0.8 * fine, 3)
    x = rng.uniform(-2, 2) * fine
    while x < width:
        size, crown = rng.uniform(1.2, 3.2) * fine, np.zeros(cover.shape, np.float32)
        middle = height - rng.uniform(0.3, 1.3) * size
        for _ in range(16):
            at = (int(x + rng.normal(0, 0.45) * size), int(middle + rng.normal(0, 0.5) * size))
            cv2.circle(crown, at, max(int(rng.uniform(0.15, 0.4) * size), 1), 1.0, -1)
        crown = cv2.GaussianBlur(crown, (0, 0), max(0.13 * size, 0.5))
        ragged = crown + 0.3 * leaves + 0.12 * lumps > 0.5
        green = np.array([84, 96, 58]) * rng.uniform(0.35, 1.15) + rng.normal(0, 9, 3)
        depth = np.clip((np.arange(height) - middle) / (1.2 * size), -1, 1)[:, None]  # darker below
        shade = np.clip(1 - 0.3 * depth + 0.9 * leaves + 0.3 * lumps, 0.12, 2.3)[..., None]
        texture[ragged] = (np.clip(green, 8, 200) * shade)[ragged]
        cover[ragged] = 255
        trunk = max(int(0.09 * size), 1)
        left = int(x)
        if 0 <= left < width:
            texture[int(middle) :, left : left + trunk], cover[int(middle) :, left : left + trunk] = (70, 56, 44), 255
        x += rng.uniform(0.4, 3.5) * size


def _house(texture, cover, fine: float, rng: np.random.Generator) -> None:
    height, width = cover.shape
    wide, high = int(rng.uniform(5, 14) * fine), int(rng.uniform(2.6, 5) * fine)
    left, high = int(rng.integers(-wide // 2, width)), min(high, height)
    part = _filled((high, wide), _tone(rng, 120, 225, 10), rng, 5, fine)
    if rng.random() < 0.5:
        _tiles(part, fine, rng, 0.3, 0.12, shift=True)
    for _ in range(rng.integers(1, 5)):
        _window(part, fine, rng)
    a, b = max(left, 0), min(left + wide, width)
    if b <= a:
        return
    roof = min(int(1.6 * fine), height - high)
    corners = [(left - 0.4 * fine, height - high), (left + 1.2 * fine, height - high - roof),
               (left + wide - 1.2 * fine, height - high - roof), (left + wide + 0.4 * fine, height - high)]  # fmt: skip
    shape = [np.array(corners, np.int32)]
    cv2.fillPoly(texture, shape, tuple(float(c) for c in _tone(rng, 60, 130, 9)))
    cv2.fillPoly(cover, shape, 255)
    texture[-high:, a:b], cover[-high:, a:b] = part[:, a - left : b - left], 255


# Furniture


def _furnish(canvas, place: Place, camera: Camera, light: Light, clear: np.ndarray, rng: np.random.Generator) -> None:
    """Boxes and balls along the walls, and few outdoors; none where the exercise is, or between it and the camera."""
    eye = camera.place[:2]
    middle = clear.mean(0)
    things: list[tuple[float, Mesh, tuple | None]] = []
    for _ in range(rng.integers(3, 11) if place.indoors else rng.integers(0, 3)):
        wall = rng.integers(4)
        wide, deep, high = rng.uniform(0.3, 1.8), rng.uniform(0.3, 0.8), rng.uniform(0.2, 1.1) * rng.uniform(0.5, 1.6)
        u = rng.uniform(place.left, place.right) if wall < 2 else rng.uniform(place.near, place.far)
        off = deep / 2 + (0.02 if place.indoors else rng.uniform(0, 4))
        x, y = [(u, place.far - off), (u, place.near + off), (place.left + off, u), (place.right - off, u)][wall]
        c, s = np.cos(place.turn), np.sin(place.turn)
        at = np.array([c * x - s * y, s * x + c * y])
        line = middle - eye
        along = np.clip((at - eye) @ line / max(line @ line, 1e-6), 0, 1)
        size = 0.5 * np.hypot(wide, deep)
        before, beside = np.linalg.norm(eye + along * line - at), np.linalg.norm(clear - at, axis=1).min()
        if before < 0.8 + size or beside < 0.7 + size:
            continue
        half = np.array([wide if wall < 2 else deep, deep if wall < 2 else wide]) / 2
        grey, bright = _tone(rng, 25, 220), _hue(rng, rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.8))
        colour = grey if rng.random() < 0.6 else bright
        distance = float(np.linalg.norm(at - eye))
        turn = place.turn + (rng.normal(0, 0.3) if rng.random() < 0.3 else 0)
        if rng.random() < 0.2:
            things.append((distance, None, (at, rng.uniform(0.1, 0.38), _hue(rng, 0.8, rng.uniform(0.4, 0.9)))))
        else:
            low, top = np.array([-half[0], -half[1], 0.0]), np.array([half[0], half[1], high])
            parts = [box_mesh(low, top, turn, tuple(at), tuple(colour))]
            if rng.random() < 0.5:  # things on it
                for _ in range(rng.integers(1, 4)):
                    a = np.array([rng.uniform(-1, 0.6) * half[0], rng.uniform(-0.8, 0) * half[1], high])
                    b = a + [rng.uniform(0.1, 0.4), 0.15, rng.uniform(0.1, 0.5)]
                    shade = _hue(rng, rng.uniform(0, 0.9), rng.uniform(0.1, 0.9))
                    parts.append(box_mesh(a, b, turn, tuple(at), tuple(shade)))
            things.append((distance, Mesh.joined(parts), None))
    still = np.array([[[1.0, 0, 0], [0, 1, 0]]])
    for _, mesh, ball in sorted(things, key=lambda each: -each[0]):
        if ball is not None:
            _ball(canvas, camera, *ball)
            continue
        points = mesh.corners.reshape(-1, 3)
        if (((points - camera.place) @ camera.axes[2]) < 0.2).any():
            continue
        ground = mesh.corners[0, 0] * [1, 1, 0]
        _darken(canvas, camera.seen(ground)[0])
        quads, colours = next(iter(polygons([mesh], [], camera, light, still)))
        for quad, colour in zip(np.round(quads * 8).astype(np.int32), colours, strict=True):
            cv2.fillConvexPoly(canvas, quad, colour.tolist(), cv2.LINE_AA, 3)


def _darken(canvas, quad: np.ndarray) -> None:
    """A soft shadow around a quad on the ground."""
    middle = quad.mean(0)
    quad = middle + (quad - middle) * 1.15
    mask = np.zeros(canvas.shape[:2], np.float32)
    cv2.fillConvexPoly(mask, np.round(quad).astype(np.int32), 1.0)
    canvas *= 1 - 0.45 * cv2.GaussianBlur(mask, (0, 0), 3)[..., None]


def _ball(canvas, camera: Camera, at: np.ndarray, radius: float, colour: np.ndarray) -> None:
    (x, y), depth = camera.seen(np.array([*at, radius]))
    size = radius * camera.focal / depth
    if depth < 0.3 or not (-size < x < canvas.shape[1] + size and -size < y < canvas.shape[0] + size):
        return
    for step in range(6):  # from the rim to the highlight
        centre = int(x - 0.07 * step * size), int(y - 0.08 * step * size)
        shade = np.minimum(colour * (0.6 + 0.12 * step), 255)
        cv2.circle(canvas, centre, max(int(size * (1 - 0.16 * step)), 1), shade.tolist(), -1, cv2.LINE_AA)


def _falloff(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Uneven light in a room: brighter around one spot and to one side."""
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    spot = np.exp(-((x - rng.uniform(-0.8, 0.8)) ** 2 + (y - rng.uniform(-0.8, 0.4)) ** 2) / rng.uniform(0.6, 3))
    return 1 - rng.uniform(0.05, 0.45) * (1 - spot) + rng.uniform(-0.12, 0.12) * x
