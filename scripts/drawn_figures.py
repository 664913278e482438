"""Clothed people as shaded meshes: from poses over time to polygons in a picture, farthest first.

Colours are RGB, 0-255. The camera looks along its third axis; a picture's x leads right, y down, in pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from exercise_poses import SIDES, UP, Body, Disc, Pose, Strand, unit, vectors

Colour = tuple[float, float, float]


# What people look like


@dataclass(frozen=True)
class Outfit:
    """Clothes and complexion."""

    skin: Colour
    hair: Colour
    hair_style: str  # short, long, tail, bald, cap
    shirt: Colour
    sleeves: float  # 0 none, 0.6 short, 2 long; negative: no shirt
    trousers: Colour
    legs: float  # how far down trousers reach: 0.5 short shorts, 0.9 shorts, 1.9 long
    loose: float  # of the cloth, over the limb's radius
    shoes: Colour | None  # None: barefoot
    stripe: Colour | None = None  # along the trousers' sides
    print_: Colour | None = None  # a patch on the chest
    curves: float = 0.0  # 0 straight, 1 narrow waist and shoulders over wide hips


CLOTH = (
    (28, 28, 32), (45, 46, 52), (20, 24, 46), (36, 52, 110), (52, 96, 178), (60, 120, 70), (34, 70, 50),
    (150, 30, 36), (205, 60, 52), (222, 120, 50), (228, 190, 70), (120, 70, 140), (214, 120, 160), (92, 60, 44),
    (160, 150, 130), (120, 122, 126), (176, 178, 182), (226, 226, 224), (240, 238, 232), (84, 140, 170),
)  # fmt: skip
SKIN = ((238, 200, 176), (226, 180, 150), (205, 152, 120), (176, 122, 92), (134, 90, 66), (92, 60, 45))
HAIR = ((24, 20, 18), (44, 30, 24), (82, 54, 36), (130, 90, 52), (190, 150, 92), (110, 104, 100), (120, 52, 30))


def draw_outfit(rng: np.random.Generator) -> Outfit:
    """Clothes at random, as people wear them for exercise; trousers are mostly dark."""

    def tinted(palette, spread: float = 10) -> Colour:
        return tuple(np.clip(np.array(palette[rng.integers(len(palette))]) + rng.normal(0, spread, 3), 8, 248))

    curves = float(rng.random() < 0.4) * rng.uniform(0.5, 1)
    shirtless = rng.random() < (0.0 if curves else 0.22)
    legs = float(rng.choice([0.55, 0.92, 1.9], p=(0.15, 0.45, 0.4)))
    return Outfit(
        skin=tinted(SKIN, 6),
        hair=tinted(HAIR, 5),
        hair_style=str(rng.choice(["long", "tail", "short"], p=(0.35, 0.45, 0.2)))
        if curves
        else str(rng.choice(["short", "bald", "cap"], p=(0.75, 0.1, 0.15))),
        shirt=tinted(CLOTH),
        sleeves=-1.0 if shirtless else float(rng.choice([0.0, 0.62, 1.92], p=(0.3, 0.55, 0.15))),
        trousers=tinted(CLOTH[:4] if rng.random() < 0.65 else CLOTH),
        legs=legs,
        loose=rng.uniform(0.05, 0.14) if curves else rng.uniform(0.1, 0.38),
        shoes=None if rng.random() < 0.2 else tinted(CLOTH[-6:] if rng.random() < 0.5 else CLOTH),
        stripe=tinted(CLOTH[-4:]) if rng.random() < 0.2 else None,
        print_=tinted(CLOTH) if rng.random() < 0.25 and not shirtless else None,
        curves=curves,
    )


def draw_body(rng: np.random.Generator, child: bool = False) -> Body:
    if child:
        return Body(rng.uniform(1.05, 1.45), rng.uniform(0.9, 1.15), rng.uniform(1.2, 1.4), rng.uniform(0.9, 0.98))
    return Body(rng.uniform(1.55, 1.9), rng.uniform(0.88, 1.22), rng.uniform(0.97, 1.07), rng.uniform(0.97, 1.03))


# Meshes. Vertices are (time, vertex, 3); a face is four of them, in order, seen from outside anticlockwise.


@dataclass(frozen=True)
class Mesh:
    """Faces over time: corners (time or 1, face, 4, 3) in metres, normals (time or 1, face, 3) for shading, and
    colours (face, 3)."""

    corners: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    back: float = 0.0  # metres that it is sorted behind its place

    @staticmethod
    def flat(corners: np.ndarray, colours: np.ndarray, back: float = 0.0) -> Mesh:
        """Each face shaded by its own normal."""
        corners = corners.astype(np.float32)
        return Mesh(corners, unit(face_normals(corners)), np.asarray(colours, np.float32), back)

    def at(self, span: slice) -> Mesh:
        """The mesh during some moments."""
        if len(self.corners) == 1:
            return self
        return replace(self, corners=self.corners[span], normals=self.normals[span])

    @staticmethod
    def joined(meshes: Iterable[Mesh]) -> Mesh:
        meshes = list(meshes)
        length = max(len(each.corners) for each in meshes)
        corners = [np.broadcast_to(each.corners, (length, *each.corners.shape[1:])) for each in meshes]
        normals = [np.broadcast_to(each.normals, (length, *each.normals.shape[1:])) for each in meshes]
        colours = np.concatenate([each.colours for each in meshes])
        return Mesh(np.concatenate(corners, axis=1), np.concatenate(normals, axis=1), colours)


def face_normals(corners: np.ndarray) -> np.ndarray:
    """Outwards, of any length: (..., 3) of corners (..., 4, 3)."""
    a, b = corners[..., 2, :] - corners[..., 0, :], corners[..., 3, :] - corners[..., 1, :]
    rolled = a[..., [1, 2, 0]] * b[..., [2, 0, 1]] - a[..., [2, 0, 1]] * b[..., [1, 2, 0]]
    return rolled  # the cross product, faster than numpy's


def tube(
    centres: np.ndarray, across: np.ndarray, over: np.ndarray, radii: np.ndarray, colours: np.ndarray
) -> Mesh:
    """A tube through rings with pointed caps.

    `centres`, `across` and `over` (time, ring, 3), `radii` (ring, 2) along `across` and `over`, whose cross product
    leads from ring to ring; `colours` (ring + 1, sides, 3) of the first cap, the spans, and the last cap.
    """
    sides = colours.shape[1]
    angles = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    rings = (
        centres[:, :, None]
        + (radii[:, None, :1] * np.cos(angles)[None, :, None]) * across[:, :, None]
        + (radii[:, None, 1:] * np.sin(angles)[None, :, None]) * over[:, :, None]
    )
    ends = [np.repeat(centres[:, None, k : k + 1], sides, axis=2) for k in (0, centres.shape[1] - 1)]
    rings = np.concatenate([ends[0], rings, ends[1]], axis=1)
    following = np.roll(rings, -1, axis=2)
    corners = np.stack([rings[:, :-1], following[:, :-1], following[:, 1:], rings[:, 1:]], axis=3)
    corners = corners.astype(np.float32)
    normals = unit(face_normals(corners))
    smooth = normals
    for _ in range(2):  # along the tube, so that its rings do not show as bands
        padded = np.concatenate([smooth[:, :1], smooth, smooth[:, -1:]], axis=1)
        smooth = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    corners, smooth = corners.reshape(len(centres), -1, 4, 3), smooth.reshape(len(centres), -1, 3)
    return Mesh(corners, unit(smooth), colours.reshape(-1, 3).astype(np.float32))


def around(colours: list[Colour], sides: int) -> np.ndarray:
    """Each of the colours all around a tube: (len(colours), sides, 3)."""
    return np.repeat(np.array(colours, float)[:, None], sides, axis=1)


def limb(
    joints: list[np.ndarray], normal: np.ndarray, stops: list[tuple[float, float, float]], colours: np.ndarray
) -> Mesh:
    """A tube along joints (time, 3): at each stop (place in bones from the root, radius, radius square to it).

    `colours` (span, sides, 3) between stops.
    """
    bones = [unit(b - a) for a, b in zip(joints[:-1], joints[1:], strict=True)]
    centres, across, over, radii = [], [], [], []
    for place, wide, deep in stops:
        bone = min(int(place), len(bones) - 1)
        share = place - bone
        centres.append(joints[bone] * (1 - share) + joints[bone + 1] * share)
        along = bones[bone]
        if share == 0 and bone > 0:
            along = unit(bones[bone - 1] + bones[bone])
        across.append(normal)
        over.append(unit(np.cross(along, normal)))
        radii.append((wide, deep))
    painted = np.concatenate([colours[:1], colours, colours[-1:]])
    return tube(np.stack(centres, 1), np.stack(across, 1), np.stack(over, 1), np.array(radii), painted)


def person_mesh(pose: Pose, outfit: Outfit, sides: int = 8) -> Mesh:
    """A clothed body in a pose, its limbs with so many faces around."""
    more = sides + sides // 2
    parts = [_trunk(pose, outfit, more), _neck(pose, outfit, sides), *_head(pose, outfit, more)]
    for side in SIDES:
        parts += [_arm(pose, outfit, side, sides), _leg(pose, outfit, side, sides), _foot(pose, outfit, side)]
    return Mesh.joined([*parts, *(disc_mesh(each) for each in pose.discs)])


def _trunk(pose: Pose, outfit: Outfit, sides: int) -> Mesh:
    body, joints = pose.body, pose.joints
    low, high = pose.frames["pelvis"], pose.frames["chest"]
    middle = unit(low + high)
    bare = outfit.sleeves < 0
    shirt = outfit.skin if bare else outfit.shirt
    slack = 1 + (0.0 if bare else 0.35 * outfit.loose)
    hips, waist, shoulders = 1 + 0.1 * outfit.curves, 1 - 0.12 * outfit.curves, 1 - 0.06 * outfit.curves
    pelvis, neck, up = joints["pelvis"], joints["neck"], body.share(1.0)
    # Centre, frame, half width and half depth as shares of the height, colour of the span above.
    rings = [
        (pelvis - 0.05 * up * low[..., 2], low, 0.045, 0.045, outfit.trousers),
        (pelvis - 0.01 * up * low[..., 2], low, 0.092 * hips, 0.066, outfit.trousers),
        (pelvis + 0.05 * up * low[..., 2], low, 0.086 * hips, 0.062, shirt),
        (pelvis + 0.05 * up * low[..., 2], low, 0.088 * hips * slack, 0.063 * slack, shirt),
        (joints["waist"], middle, 0.077 * waist * slack, 0.055 * slack, shirt),
        (neck - 0.13 * up * high[..., 2] + 0.004 * up * high[..., 1], high, 0.088 * slack, 0.066 * slack, shirt),
        (neck - 0.075 * up * high[..., 2] + 0.006 * up * high[..., 1], high, 0.1 * shoulders, 0.068, shirt),
        (neck - 0.028 * up * high[..., 2], high, 0.094 * shoulders, 0.052, shirt),
        (neck, high, 0.045, 0.036, outfit.skin),
        (neck + 0.012 * up * high[..., 2], high, 0.03, 0.03, outfit.skin),
    ]
    painted = around([outfit.trousers, *(each[4] for each in rings)], sides)
    ahead, aside = _facing(sides)
    if outfit.print_ is not None:
        painted[6:8, ahead > 0.6] = outfit.print_
    if outfit.sleeves == 0:  # a vest shows the shoulders
        painted[8, np.abs(aside) > 0.75] = outfit.skin
    radii = np.array([(a, b) for _, _, a, b, _ in rings]) * up * body.girth
    centres = np.stack([each[0] for each in rings], 1)
    across, over = (np.stack([each[1][..., k] for each in rings], 1) for k in (0, 1))
    # One more ring within each span from the shirt's hem to the shoulders, so that the chest is round.
    places = np.array([0, 1, 2, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 8, 9])
    curve = [_curve(places, each) for each in (centres, across, over, radii[None])]
    spans = np.concatenate([[0], np.floor(places[:-1]).astype(int) + 1, [len(rings)]])
    return tube(curve[0], unit(curve[1]), unit(curve[2]), curve[3][0], painted[spans])


def _curve(places: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """A smooth curve through knots (time, ring, ...) at whole or half places."""
    before, after = np.floor(places).astype(int), np.ceil(places).astype(int)
    outer = np.maximum(before - 1, 0), np.minimum(after + 1, knots.shape[1] - 1)
    between = 0.5625 * (knots[:, before] + knots[:, after]) - 0.0625 * (knots[:, outer[0]] + knots[:, outer[1]])
    return np.where((before == after)[None, :, None], knots[:, before], between)


def _facing(sides: int) -> tuple[np.ndarray, np.ndarray]:
    """For each face around a tube whose first axis leads right and second ahead: how far it faces ahead, and right."""
    angles = 2 * np.pi * (np.arange(sides) + 1.0) / sides
    return np.sin(angles), np.cos(angles)


def _neck(pose: Pose, outfit: Outfit, sides: int) -> Mesh:
    body, neck, head, frame = pose.body, pose.joints["neck"], pose.joints["head"], pose.frames["chest"]
    centres = np.stack([neck - body.share(0.015) * frame[..., 2], head], 1)
    radius = body.share(0.03) * body.girth**0.5
    across, over = (np.stack([frame[..., k]] * 2, 1) for k in (0, 1))
    return tube(centres, across, over, np.full((2, 2), radius), around([outfit.skin] * 3, sides) * 0.93)


def _head(pose: Pose, outfit: Outfit, sides: int) -> list[Mesh]:
    body, head, frame = pose.body, pose.joints["head"], pose.frames["head"]
    size = body.share(1.0) * body.head**0.85
    wide, deep, high = 0.042 * size, 0.053 * size, 0.066 * size
    heights = np.sin(np.radians([-72, -45, -18, 8, 34, 58, 78]))
    rings = np.sqrt(1 - heights**2)
    jaw = np.array([0.86, 0.92, 0.97, 1, 1, 1, 1])  # a face narrows downwards
    forward, _ = _facing(sides)
    painted = around([outfit.skin] * (len(heights) + 1), sides)
    if outfit.hair_style != "bald":
        colour = outfit.shirt if outfit.hair_style == "cap" else outfit.hair
        painted[6:] = colour  # the crown
        painted[5, forward < 0.8] = colour
        painted[4, forward < 0.35] = outfit.hair
        painted[3, forward < 0.1] = outfit.hair
        painted[2, forward < -0.45] = outfit.hair
        if outfit.hair_style in ("long", "tail"):
            painted[2, forward < -0.1] = outfit.hair
            painted[1, forward < -0.6] = outfit.hair
    radii = np.stack([wide * rings * jaw, deep * rings * jaw], axis=1)
    centres = head[:, None] + (high * heights)[None, :, None] * frame[:, None, :, 2]
    across, over = (np.repeat(frame[:, None, :, k], len(heights), axis=1) for k in (0, 1))
    meshes = [tube(centres, across, over, radii, painted), _face(head, frame, wide, deep, high, outfit)]
    if outfit.hair_style in ("long", "tail"):  # it hangs, whichever way up the head is
        tail = outfit.hair_style == "tail"
        root = head + (0.3 * high * frame[..., 2] if tail else 0) - (0.95 if tail else 0.35) * deep * frame[..., 1]
        end = root - (1.5 if tail else 1.3) * high * UP - (0.5 if tail else 0.25) * deep * frame[..., 1]
        along = unit(end - root)
        side = unit(np.cross(along, frame[..., 1] + 0.01 * frame[..., 0] + 0.3 * along[..., ::-1]))
        middle = (root + end) / 2 - (0.15 * deep) * frame[..., 1]
        centres = np.stack([root, middle, end], 1)
        thick = np.array([0.35, 0.4, 0.2])[:, None] if tail else np.array([[0.95, 0.6], [0.95, 0.5], [0.7, 0.3]])
        across = np.stack([side] * 3, 1)
        over = np.stack([unit(np.cross(along, side))] * 3, 1)
        meshes.append(tube(centres, across, over, thick * wide * np.ones(2), around([outfit.hair] * 4, 6)))
    return meshes


def _face(head, frame, wide: float, deep: float, high: float, outfit: Outfit) -> Mesh:
    """Eyes, brows' shade, nose and mouth as small patches just over the skin."""
    skin = np.array(outfit.skin)
    patches = [(sign * 0.38, 0.1, 0.13, 0.055, skin * 0.35) for sign in (-1, 1)]
    patches += [(sign * 0.4, 0.25, 0.2, 0.035, 0.5 * (skin * 0.6 + outfit.hair)) for sign in (-1, 1)]
    patches += [(0.0, -0.12, 0.1, 0.17, skin * 1.06), (0.0, -0.46, 0.24, 0.05, skin * np.array([0.75, 0.55, 0.55]))]
    corners, colours = [], []
    for x, z, half_wide, half_high, colour in patches:
        quad = []
        for dx, dz in ((1, -1), (-1, -1), (-1, 1), (1, 1)):
            a, c = x + dx * half_wide, z + dz * half_high
            b = np.sqrt(max(1 - a * a - c * c, 0.05)) * 1.04
            quad.append(head + a * wide * frame[..., 0] + b * deep * frame[..., 1] + c * high * frame[..., 2])
        corners.append(np.stack(quad, 1))
        colours.append(np.minimum(colour, 255))
    return Mesh.flat(np.stack(corners, 1), np.array(colours))


def _arm(pose: Pose, outfit: Outfit, side: str, sides: int) -> Mesh:
    body = pose.body
    thick = body.share(1.0) * body.girth * (1 - 0.12 * outfit.curves)
    joints = [pose.joints[f"{side} {name}"] for name in ("shoulder", "elbow", "wrist", "fingers")]
    skin, shirt = outfit.skin, outfit.shirt
    stops = [(0.0, 0.037, 0.04), (0.3, 0.034, 0.036), (0.62, 0.03, 0.032), (1.0, 0.025, 0.026)]
    stops += [(1.25, 0.026, 0.027), (1.6, 0.022, 0.023), (1.92, 0.017, 0.017), (2.0, 0.017, 0.015)]
    stops += [(2.35, 0.022, 0.013), (2.75, 0.02, 0.011), (3.0, 0.011, 0.008)]
    stops, colours = _dressed(stops, outfit.sleeves, outfit.loose, shirt, skin)
    stops = [(place, wide * thick, deep * thick) for place, wide, deep in stops]
    stops[0] = (-0.12, 0.025 * thick, 0.03 * thick) if outfit.sleeves else stops[0]
    return limb(joints, pose.normals[f"{side} arm"], stops, around(colours, sides))


def _leg(pose: Pose, outfit: Outfit, side: str, sides: int) -> Mesh:
    body = pose.body
    thick = body.share(1.0) * body.girth
    joints = [pose.joints[f"{side} {name}"] for name in ("hip", "knee", "ankle")]
    stops = [(0.0, 0.05, 0.056), (0.25, 0.049, 0.054), (0.55, 0.044, 0.048), (0.9, 0.035, 0.037)]
    stops += [(1.0, 0.033, 0.036), (1.12, 0.031, 0.034), (1.32, 0.033, 0.038), (1.6, 0.027, 0.029)]
    stops += [(1.9, 0.021, 0.022), (2.0, 0.021, 0.023)]
    stops, colours = _dressed(stops, outfit.legs, outfit.loose, outfit.trousers, outfit.skin)
    stops = [(place, wide * thick, deep * thick) for place, wide, deep in stops]
    painted = around(colours, sides)
    if outfit.stripe is not None:  # the column of faces that is outermost
        painted[: colours.count(outfit.trousers), -1 if side == "right" else sides // 2 - 1] = outfit.stripe
    return limb(joints, pose.normals[f"{side} leg"], stops, painted)


def _dressed(stops, reach: float, loose: float, cloth: Colour, skin: Colour):
    """Stops and the colours of the spans between them, with cloth down to `reach` and an open hem there."""
    if reach <= 0:
        return stops, [skin] * (len(stops) - 1)
    places = [place for place, _, _ in stops]
    at_hem = [float(np.interp(reach, places, [stop[k] for stop in stops])) for k in (1, 2)]
    slack = [1 + loose * min(1, 0.4 + place) for place in places]
    covered = [(p, a * more, b * more) for (p, a, b), more in zip(stops, slack, strict=True) if p < reach]
    hem = (reach, at_hem[0] * (1 + 1.15 * loose), at_hem[1] * (1 + 1.15 * loose))
    bare = [stop for stop in stops if stop[0] > reach]
    colours = [cloth] * len(covered) + [tuple(0.6 * c for c in cloth)] + [skin] * len(bare)
    return [*covered, hem, (reach, *at_hem), *bare], colours


def _foot(pose: Pose, outfit: Outfit, side: str) -> Mesh:
    body = pose.body
    ankle, toe, knee = (pose.joints[f"{side} {name}"] for name in ("ankle", "toe", "knee"))
    barefoot = outfit.shoes is None
    colour = outfit.skin if barefoot else outfit.shoes
    along = unit(toe - ankle)
    shin = unit(knee - ankle)
    # The sole leads from ankle to toe less steeply than the bone between them.
    across = unit(np.cross(along, shin))
    sole = along * np.cos(body.flat) + np.cross(across, along) * np.sin(body.flat)
    above = np.cross(across, sole)
    size = body.share(1.0) * (0.92 if barefoot else 1.05)
    ground = -body.ankle * above
    heights = np.array([0.022, 0.03, 0.022, 0.014]) * size  # half the thickness at heel, ankle, ball, tip
    places = (-0.045 * size, 0.0, 0.65 * body.foot, 1.02 * body.foot)
    centres = [ankle + place * sole + ground + height * above for place, height in zip(places, heights, strict=True)]
    wide = np.array([0.02, 0.026, 0.029, 0.018]) * size
    radii = np.stack([wide, heights], axis=1)
    upward = np.stack([np.cross(sole, across)] * 4, 1)
    painted = around([colour] * 5, 8)
    if not barefoot:  # a pale sole
        painted[:, 5:7] = 0.4 * painted[:, 5:7] + 0.6 * np.array([200, 200, 195])
    return tube(np.stack(centres, 1), np.stack([across] * 4, 1), upward, radii, painted)


def disc_mesh(disc: Disc) -> Mesh:
    centre, axis = np.atleast_2d(disc.centre), np.atleast_2d(disc.axis)
    centre, axis = np.broadcast_arrays(centre, axis)
    across = unit(np.cross(axis, UP + 0.01))
    over = np.cross(axis, across)
    half = 0.5 * disc.thickness * axis
    centres = np.stack([centre - half, centre - half, centre + half, centre + half], 1)
    hub, colour = np.minimum(np.array(disc.colour) * 2.2 + 20, 255), np.array(disc.colour)
    radii = disc.radius * np.array([0.3, 1, 1, 0.3])[:, None] * np.ones(2)
    painted = around([hub, colour, colour * 1.4, colour, hub], 14)
    return tube(centres, np.stack([across] * 4, 1), np.stack([over] * 4, 1), radii, painted)


def box_mesh(low: np.ndarray, high: np.ndarray, turn: float, place: tuple[float, float], colour: Colour) -> Mesh:
    """A box from corner `low` to `high` (3,), turned about the vertical and moved to `place`; (1, 6, 4, 3)."""
    x0, y0, z0, x1, y1, z1 = *low, *high
    p = np.array([(x, y, z) for z in (z0, z1) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))])
    rotate = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    p = p @ rotate.T + np.array([*place, 0.0])
    faces = [(0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]
    return Mesh.flat(p[np.array(faces)][None], np.repeat(np.array([colour], float), 6, axis=0))


# The camera


@dataclass(frozen=True)
class Camera:
    """Where it stands (metres), its axes right, down and ahead (rows), its focal length and picture centre (pixels)."""

    place: np.ndarray
    axes: np.ndarray
    focal: float
    centre: tuple[float, float] = (0.0, 0.0)

    @staticmethod
    def looking(place: np.ndarray, at: np.ndarray, focal: float, roll: float = 0.0) -> Camera:
        ahead = unit(at - place)
        right = unit(np.cross(ahead, UP))
        down = np.cross(ahead, right)
        tilt = np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right
        return Camera(place, np.stack([*tilt, ahead]), focal)

    def seen(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Picture positions (..., 2) in pixels and depths (...) in metres of points (..., 3)."""
        kind = points.dtype
        local = (points - self.place.astype(kind)) @ self.axes.T.astype(kind)
        depth = np.maximum(local[..., 2], 0.05)
        return local[..., :2] * (self.focal / depth)[..., None] + np.array(self.centre, kind), depth


@dataclass(frozen=True)
class Light:
    """From where (unit vector towards it), and how much of the light comes from there."""

    towards: np.ndarray
    share: float  # the rest is everywhere, a little more from above

    def shade(self, normals: np.ndarray) -> np.ndarray:
        """Brightness (...) of surfaces with these normals (..., 3); about 1 for one that faces the light."""
        lit = np.maximum(normals @ self.towards.astype(normals.dtype), 0)
        return self.share * lit + (1 - self.share) * (0.8 + 0.25 * normals[..., 2])


# Polygons


def polygons(
    meshes: list[Mesh], strands: list[Strand], camera: Camera, light: Light, views: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each moment: polygons (face, 4, 2) in pixels and colours uint8 (face, 3), those farthest away first.

    `views` (time, 2, 3) are the affine maps from the camera's picture to the frame.
    """
    step = 32  # moments at once: enough for numpy, little enough for the cache
    for start in range(0, len(views), step):
        span = slice(start, min(start + step, len(views)))
        count = span.stop - span.start
        parts = [_visible(mesh.at(span), count, camera, light) for mesh in meshes]
        parts += [_ribbon(strand, span, count, camera) for strand in strands]
        moment, depth, seen, colours = (np.concatenate(each) for each in zip(*parts, strict=True))
        order = np.lexsort((-depth, moment))
        moment, colours = moment[order], colours[order].clip(0, 255).astype(np.uint8)
        view = views[span].astype(np.float32)[moment]
        seen = seen[order] @ view[:, :, :2].transpose(0, 2, 1) + view[:, None, :, 2]
        outwards = seen - seen.mean(1, keepdims=True)  # a little larger, so that no gaps show between them
        seen += outwards * (0.6 / (np.abs(outwards).sum(2, keepdims=True) + 0.1))
        edges = np.searchsorted(moment, np.arange(count + 1))
        for first, last in zip(edges[:-1], edges[1:], strict=True):
            yield seen[first:last], colours[first:last]


# Both of these return, for each polygon of each moment: the moment (n,), the depth (n,), the corners in the picture
# (n, 4, 2) and the colour (n, 3).


def _visible(mesh: Mesh, count: int, camera: Camera, light: Light) -> tuple[np.ndarray, ...]:
    """The faces that are turned to the camera, shaded."""
    corners = np.broadcast_to(mesh.corners, (count, *mesh.corners.shape[1:]))
    middles = (mesh.corners[:, :, 0] + mesh.corners[:, :, 2]) / 2 - camera.place.astype(np.float32)
    facing = np.einsum("tfi,tfi->tf", face_normals(mesh.corners), middles) < 0
    facing = np.broadcast_to(facing, corners.shape[:2])
    moment, face = np.nonzero(facing)
    source = moment if len(mesh.corners) > 1 else 0 * moment
    depth = middles[source, face] @ camera.axes[2].astype(np.float32) + np.float32(mesh.back)
    bright = light.shade(mesh.normals[source, face])
    return moment, depth, camera.seen(corners[moment, face])[0], mesh.colours[face] * bright[:, None]


def _ribbon(strand: Strand, span: slice, count: int, camera: Camera) -> tuple[np.ndarray, ...]:
    """A strand's segments as flat quads that face the camera; thin ones keep a width that can be seen."""
    line = strand.points[span] if len(strand.points) > 1 else strand.points
    seen, depth = camera.seen(line.astype(np.float32))
    half = np.maximum(strand.radius * camera.focal / depth, 0.7)[..., None]
    along = np.diff(seen, axis=1)
    along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-6)
    aside = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    start, end = half[:, :-1] * aside, half[:, 1:] * aside
    a, b = seen[:, :-1] - 0.3 * along, seen[:, 1:] + 0.3 * along
    quads = np.stack([a - start, b - end, b + end, a + start], axis=2)
    quads = np.broadcast_to(quads, (count, *quads.shape[1:])).reshape(-1, 4, 2)
    depth = np.broadcast_to((depth[:, 1:] + depth[:, :-1]) / 2, (count, depth.shape[1] - 1)).reshape(-1)
    moment = np.repeat(np.arange(count), line.shape[1] - 1)
    return moment, depth, quads, np.broadcast_to(np.array(strand.colour, np.float32), (len(moment), 3))


def shadow_lines(pose: Pose, light: Light, wall: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The body's bones cast on the ground, or on the wall `wall` metres along +y.

    Returns points (time, bone, 2, 3) and their thickness (bone,) in metres.
    """
    names = [("pelvis", "neck", 0.15), ("neck", "head", 0.12)]
    for side in SIDES:
        names += [(f"{side} {a}", f"{side} {b}", thick) for a, b, thick in (
            ("shoulder", "elbow", 0.06), ("elbow", "wrist", 0.05), ("wrist", "fingers", 0.05), ("hip", "knee", 0.1),
            ("knee", "ankle", 0.07), ("ankle", "toe", 0.06))]  # fmt: skip
    points = np.stack([np.stack([pose.joints[a], pose.joints[b]], 1) for a, b, _ in names], 1)
    thick = np.array([each[2] for each in names]) * pose.body.height / 1.75
    if wall is None:
        slope = light.towards / max(light.towards[2], 0.45)
        cast = points - np.maximum(points[..., 2:], 0) * slope
        return vectors(cast[..., 0], cast[..., 1], 0.0), thick
    slope = light.towards / min(light.towards[1], -0.45)
    cast = points + np.maximum(wall - points[..., 1:2], 0) * slope
    return vectors(cast[..., 0], wall, np.maximum(cast[..., 2], 0)), thick
