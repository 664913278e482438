"""From an exercise to frames: who does it and with what, from where it is filmed, and what the camera makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from drawn_figures import Camera, Light, Mesh, Outfit, draw_body, draw_outfit, person_mesh, polygons, shadow_lines
from drawn_scenes import Place, paint_place
from exercise_poses import (
    EXERCISES,
    SIDES,
    Body,
    Motion,
    Pose,
    Strand,
    idle,
    joined,
    natural,
    pick,
    pull_up_bar,
    vectors,
)

FINER = 2  # figures are drawn at this scale and shrunk, so that edges are smooth


# What is filmed


@dataclass(frozen=True)
class Habit:
    """How a class is usually filmed."""

    around: tuple[tuple[float, float, float], ...]  # the camera: degrees from the face to the right, spread, share
    height: tuple[float, float]  # of the camera, metres
    fill: tuple[float, float]  # how much of the frame's height or width the exercise takes up
    indoors: float  # share
    children: float = 0.04  # share
    company: float = 0.2  # share with somebody else in the picture
    held: float = 0.45  # share filmed without a stand
    hands: bool = False  # the hands are always in the picture


FACE, BACK = (0, 30), (180, 30)
RIGHT, LEFT = (90, 30), (-90, 30)
HABITS = {
    "BodyWeightSquats": Habit(
        ((*FACE, 0.35), (*RIGHT, 0.2), (*LEFT, 0.2), (45, 60, 0.25)), (0.7, 1.6), (0.6, 0.95), 0.85
    ),
    "HandstandPushups": Habit(
        ((*BACK, 0.55), (*FACE, 0.15), (*RIGHT, 0.15), (*LEFT, 0.15)), (0.4, 1.5), (0.7, 1.15), 0.8
    ),
    "HandstandWalking": Habit(
        ((*RIGHT, 0.35), (*LEFT, 0.35), (*FACE, 0.15), (*BACK, 0.15)), (0.7, 1.7), (0.4, 0.85), 0.45, 0.15, held=0.8
    ),
    "JumpRope": Habit(
        ((*FACE, 0.7), (*RIGHT, 0.12), (*LEFT, 0.12), (*BACK, 0.06)), (0.8, 1.6), (0.55, 0.95), 0.65, children=0.15
    ),
    "JumpingJack": Habit(((*FACE, 0.75), (60, 30, 0.1), (-60, 30, 0.1), (*BACK, 0.05)), (0.8, 1.6), (0.55, 1.0), 0.55),
    "Lunges": Habit(
        ((*RIGHT, 0.35), (*LEFT, 0.35), (*FACE, 0.22), (*BACK, 0.08)), (0.7, 1.6), (0.55, 0.95), 0.65, held=0.7
    ),
    "PullUps": Habit(
        ((*BACK, 0.55), (*FACE, 0.3), (*RIGHT, 0.08), (*LEFT, 0.07)), (0.8, 2.0), (0.6, 1.15), 0.6, hands=True
    ),
    "PushUps": Habit(((*RIGHT, 0.4), (*LEFT, 0.4), (*FACE, 0.2)), (0.25, 1.5), (0.65, 1.1), 0.75, held=0.6),
    "TrampolineJumping": Habit(((0, 180, 1.0),), (1.0, 2.2), (0.6, 1.0), 0.04, children=0.65, company=0.4, held=0.8),
    "WallPushups": Habit(
        ((*RIGHT, 0.4), (*LEFT, 0.4), (*BACK, 0.2)), (0.9, 1.7), (0.65, 1.1), 1.0, company=0.12, hands=True
    ),
}
PADS = ((40, 90, 190), (50, 140, 210), (40, 120, 70), (90, 60, 140), (60, 60, 70))  # of trampolines, RGB


@dataclass(frozen=True)
class Performance:
    """What moves and what belongs to it, over all moments."""

    people: tuple[tuple[Pose, Outfit], ...]  # the first does the exercise
    meshes: list[Mesh]  # of what belongs to it
    strands: list[Strand]
    sub_frames: int  # moments that are averaged in one frame: motion blur
    wall: float | None = None  # metres along +y to the wall that the exercise needs
    mat: float | None = None  # height of the trampoline's mat
    net: float = 0.0  # top of the net around it, 0 without one

    @property
    def span(self) -> np.ndarray:
        """All joints of the exercise, (time, joint, 3)."""
        return np.stack(list(self.people[0][0].joints.values()), axis=1)


def perform(label: str, frames: int, rate: float, rng: np.random.Generator) -> Performance:
    """Somebody doing an exercise for so many frames, with the bar, rope or mat that it comes with."""
    exercise = EXERCISES[label]
    sub_frames = 4 if exercise.swift else 3
    time = moments(frames, rate, sub_frames, rng.uniform(0.3, 0.9))
    body = draw_body(rng, child=rng.random() < HABITS[label].children)
    tempo = np.exp(rng.uniform(*np.log(exercise.tempo)))
    pause = exercise.pause if rng.random() < 0.5 else 0.0
    motion = natural(time, tempo, rng, pause)
    pose = exercise.pose(body, motion, rng)
    if label == "TrampolineJumping":
        return _on_trampoline(pose, motion, sub_frames, rng)
    strands, wall = pose.strands, None
    if label == "PullUps":
        strands = strands + _bar(body, rng)
    if label == "WallPushups":
        wall = float(max(pose.joints[f"{side} wrist"][:, 1].max() for side in SIDES) + body.share(0.025))
    if label == "HandstandPushups" and rng.random() < 0.7:
        heels = [pose.joints[f"{side} {name}"][:, 1].max() for side in SIDES for name in ("ankle", "toe")]
        wall = float(max(*heels, pose.joints["pelvis"][:, 1].max() + 0.12) + 0.04)
    return Performance(((pose, draw_outfit(rng)),), [], strands, sub_frames, wall)


def perform_in_turn(
    labels: Sequence[str], frames: int, rate: float, rng: np.random.Generator
) -> tuple[Performance, list[int]]:
    """Somebody doing exercises that need no bar, rope or mat, each for so many frames, one after another.

    Also returns the first frame of each exercise but the first.
    """
    body, sub_frames, change = draw_body(rng), 4, round(0.8 * rate)
    poses = []
    for label in labels:
        time = moments(frames, rate, sub_frames, 0.5)
        tempo = np.exp(np.log(EXERCISES[label].tempo).mean())
        poses.append(EXERCISES[label].pose(body, natural(time, tempo, rng), rng))
    people = ((joined(poses, change * sub_frames), draw_outfit(rng)),)
    starts = [number * (frames + change) - change // 2 for number in range(1, len(labels))]
    return Performance(people, [], [], sub_frames), starts


def moments(frames: int, rate: float, sub_frames: int, shutter: float) -> np.ndarray:
    """When the moments of the frames are, in seconds; the shutter is open for a share of each frame."""
    within = np.arange(sub_frames) / sub_frames * shutter
    return ((np.arange(frames)[:, None] + within) / rate).reshape(-1)


def _line(start, end, radius: float, colour) -> Strand:
    """A straight bar, in short parts so that each is sorted by its own depth."""
    return Strand(np.linspace(start, end, 7)[None], radius, tuple(colour))


def _bar(body: Body, rng: np.random.Generator) -> list[Strand]:
    """A pull-up bar: between posts, hung from above, or across the picture; along x at the hands."""
    height, colour = pull_up_bar(body), rng.choice([(40, 40, 44), (120, 122, 126), (190, 190, 192), (150, 110, 70)])
    left, right = -rng.uniform(0.5, 1.1), rng.uniform(0.5, 1.1)
    thick = rng.uniform(0.014, 0.022)
    post, above = thick * rng.uniform(1.2, 3.0), height + rng.choice([0.0, rng.uniform(0.1, 0.6)])
    kind = pick(rng, posts=3, rack=2, hung=2, across=2)
    if kind == "across":
        return [_line((-3, 0, height), (3, 0, height), thick, colour)]
    bars = [_line((left, 0, height), (right, 0, height), thick, colour)]
    for x in (left, right):
        if kind == "hung":
            bars.append(_line((x, 0, height), (x, 0, height + 1.5), post, colour))
            continue
        bars.append(_line((x, 0, 0), (x, 0, above), post, colour))
        if kind == "rack":
            bars.append(_line((x, 0.9, 0), (x, 0.9, above), post, colour))
            bars.append(_line((x, 0, above), (x, 0.9, above), post, colour))
    return bars


def _on_trampoline(pose: Pose, motion: Motion, sub_frames: int, rng: np.random.Generator) -> Performance:
    """The jumper, at times another, and a round mat that gives under the feet, with its pad, legs and net."""
    mat = float(rng.choice([0.0, rng.uniform(0.5, 0.9)]))
    poses = [pose.placed(rng.uniform(-np.pi, np.pi), 0, 0, mat)]
    if rng.random() < HABITS["TrampolineJumping"].company:
        jump, other = EXERCISES["TrampolineJumping"], draw_body(rng, child=rng.random() < 0.8)
        theirs = natural(motion.time, motion.tempo * rng.uniform(0.85, 1.2), rng)
        angle, reach = rng.uniform(-np.pi, np.pi), rng.uniform(0.9, 1.2)
        at = reach * np.cos(angle), reach * np.sin(angle)
        poses.append(jump.pose(other, theirs, rng).placed(rng.uniform(-np.pi, np.pi), *at, mat))
    radius = rng.uniform(1.6, 2.2)
    angles = 2 * np.pi * np.arange(24) / 24
    pad_colour = tuple(float(c) for c in PADS[rng.integers(len(PADS))])
    meshes = [_sagging_mat(poses, mat, radius, angles, rng.uniform(28, 75)), _pad(mat, radius, angles, pad_colour)]
    metal, strands, net = (rng.uniform(60, 220),) * 3, [], 0.0
    rim = np.stack([np.cos(angles), np.sin(angles)], axis=1) * 1.05 * radius
    if mat > 0:
        strands += [_line((*foot, 0), (*foot, mat), radius=0.022, colour=metal) for foot in rim[::4]]
    if rng.random() < 0.5:
        net = mat + rng.uniform(1.5, 1.9)
        poles = metal if rng.random() < 0.5 else pad_colour
        strands += [_line((*foot, mat), (*foot, net), radius=0.022, colour=poles) for foot in rim[::4]]
        ring = np.concatenate([rim, rim[:1]])
        strands.append(Strand(vectors(ring[:, 0], ring[:, 1], net)[None], 0.008, (40.0, 44.0, 50.0)))
    people = tuple((each, draw_outfit(rng)) for each in poses)
    return Performance(people, meshes, strands, sub_frames, mat=mat, net=net)


def _sagging_mat(poses: list[Pose], height: float, radius: float, angles: np.ndarray, grey: float) -> Mesh:
    """Rings of a black mat, pulled down where somebody stands lower than it."""
    shares = np.array([0.02, 0.12, 0.25, 0.45, 0.7, 0.97])[:, None]
    x, y = radius * shares * np.cos(angles), radius * shares * np.sin(angles)
    sunk = np.zeros((1, *x.shape))
    for pose in poses:
        toes = (pose.joints["left toe"] + pose.joints["right toe"]) / 2
        depth = np.maximum(height + pose.body.sole - toes[:, 2], 0)
        away = np.hypot(x - toes[:, 0, None, None], y - toes[:, 1, None, None])
        share = np.clip(1 - away / (1.1 * radius), 0, 1) ** 1.7 * np.clip((1 - shares) * 3, 0, 1)
        sunk = np.maximum(sunk, depth[:, None, None] * share)
    rings = vectors(x, y, height - 0.012 - sunk)
    following = np.roll(rings, -1, axis=2)
    corners = np.stack([rings[:, :-1], rings[:, 1:], following[:, 1:], following[:, :-1]], axis=3)
    corners = corners.reshape(len(rings), -1, 4, 3)
    return Mesh.flat(corners, np.full((corners.shape[1], 3), grey), back=0.5)


def _pad(height: float, radius: float, angles: np.ndarray, colour: tuple[float, float, float]) -> Mesh:
    x, y = radius * np.cos(angles), radius * np.sin(angles)
    inner, outer = (vectors(share * x, share * y, height + 0.02) for share in (0.96, 1.1))
    faces = np.stack([inner, outer, np.roll(outer, -1, 0), np.roll(inner, -1, 0)], axis=1)
    return Mesh.flat(faces[None], np.repeat(np.array([colour]), len(angles), axis=0), back=0.1)


# Where it is filmed from


def aim(act: Performance, habit: Habit, size: tuple[int, int], rng: np.random.Generator) -> Camera:
    """A camera as the class is filmed, the exercise about in the middle of its picture, at (0, 0)."""
    shares = np.array([share for _, _, share in habit.around])
    around, spread, _ = habit.around[rng.choice(len(shares), p=shares / shares.sum())]
    angle = np.radians(around + spread * rng.uniform(-1, 1))
    focal = size[0] * rng.uniform(0.9, 1.7)
    points = act.span[:: act.sub_frames * 2]
    walks = np.ptp(points[:, 0, :2], axis=0).max() > 0.8
    fill = rng.uniform(*habit.fill)
    middle = (points.min((0, 1)) + points.max((0, 1))) / 2
    towards = np.array([np.sin(angle), np.cos(angle)])
    height = (act.mat or 0.0) + rng.uniform(*habit.height)
    if walks:  # only a part of the way fits
        points = points - points[:, :1] * [1, 1, 0] + middle * [1, 1, 0]
    distance = 4.0
    for _ in range(4):
        camera = Camera.looking(np.array([*(middle[:2] + distance * towards), height]), middle, focal)
        seen, _ = camera.seen(points)
        wide, high = np.ptp(seen.reshape(-1, 2), axis=0) * 1.05
        distance = max(distance * max(high / (fill * size[1]), wide / (fill * size[0])), 1.3)
    camera = Camera.looking(
        np.array([*(middle[:2] + distance * towards), height]), middle, focal, roll=np.radians(rng.normal(0, 1.2))
    )
    shift = rng.normal(0, 0.06, 2) * size * (1.3 - min(fill, 1))
    if habit.hands:
        highest = camera.seen(points)[0][..., 1].min()
        shift[1] = max(shift[1], (0.07 - 0.5) * size[1] - highest)
    return replace(camera, centre=tuple(shift))


def settle(act: Performance, camera: Camera, indoors: bool, rng: np.random.Generator) -> Place:
    """The box around exercise and camera; its far wall is the exercise's wall, or faces the camera more or less."""
    away = -camera.axes[2][:2]
    turn = 0.0 if act.wall is not None else np.arctan2(away[0], -away[1]) + rng.normal(0, 0.25)
    room = Place(indoors, False, turn, 0, 0, 0, 0, 0)
    points = room.inwards(np.concatenate([act.span.reshape(-1, 3), [camera.place]]))
    low, high = points.min(0), points.max(0)
    gaps = rng.uniform((0.6, 0.5, 0.6, 0.4), (4.0, 2.0, 4.0, 3.5)) if indoors else rng.uniform(6, 32, 4)
    far = act.wall if act.wall is not None else high[1] + gaps[3]
    tall = rng.uniform(2.4, 3.4) if rng.random() < 0.7 else rng.uniform(3.4, 6)
    height = max(tall, high[2] + 0.25) if indoors else rng.uniform(12, 18)
    garden = act.mat is not None and rng.random() < 0.85
    return Place(indoors, garden, turn, low[0] - gaps[0], high[0] + gaps[2], low[1] - gaps[1], far, height)


def follow(
    camera: Camera, act: Performance, size: tuple[int, int], rng: np.random.Generator, held: bool
) -> np.ndarray:
    """The camera's moves: for each moment the affine map (time, 2, 3) from its picture to the frame."""
    count, (width, height) = len(act.span), size
    time = np.linspace(0, 1, count)
    seen, _ = camera.seen(act.span[:, :3].mean(1))
    smooth = np.stack([np.interp(time, time[::9], seen[::9, k]) for k in (0, 1)], 1)
    kernel = np.hanning(max(count // 3, 5) | 1)
    padded = np.pad(smooth, ((len(kernel) // 2,) * 2, (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(padded[:, k], kernel / kernel.sum(), "valid") for k in (0, 1)], 1)
    travel = np.ptp(smooth[:, 0]) / width
    tracks = travel > 0.45 or (held and travel > 0.12 and rng.random() < 0.6)
    shift = (smooth - smooth.mean(0)) * [1.0, 0.3] * (rng.uniform(0.5, 1) if tracks else 0.0)
    seconds = time * count / act.sub_frames / 25.0  # about
    shake = np.stack([_tremble(seconds, rng) for _ in range(3)], 1)
    unsteady = np.exp(rng.uniform(np.log(0.4), np.log(5))) if held else 0.0
    shift = shift + unsteady * shake[:, :2] * width / 130
    tilt = unsteady * shake[:, 2] * 0.004
    zoom = np.ones(count)
    if held and rng.random() < 0.3:
        zoom = np.exp(rng.normal(0, 0.1) * (time - rng.random()))
        shift = shift + rng.normal(0, 0.06, 2) * width * (time - 0.5)[:, None]
    c, s = zoom * np.cos(tilt), zoom * np.sin(tilt)
    matrix = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], 1)
    offset = np.array([width / 2, height / 2]) - np.einsum("tij,tj->ti", matrix, shift)
    return np.concatenate([matrix, offset[:, :, None]], axis=2)


def _tremble(seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    total = np.zeros_like(seconds)
    for size, frequency in ((1.2, 0.15), (1.0, 0.4), (0.5, 1.1), (0.22, 2.6), (0.12, 5.0)):
        turns = frequency * rng.uniform(0.7, 1.4) * seconds + rng.random()
        total += size * rng.normal() * np.sin(2 * np.pi * turns)
    return total


# What the camera makes of it


@dataclass(frozen=True)
class Recording:
    """How the picture comes out."""

    colour: np.ndarray  # (3, 4): from RGB and 1 to RGB, 0-255
    gamma: float
    blur: float  # pixels
    crisp: float  # how much of what lies beyond the blur is added again: sharpening, below 0 softness
    coarse: float  # resolution against the frame's
    noise: float  # grey levels
    bars: tuple[float, float]  # black, share of width and height on each side
    caption: str
    drift: float  # of the exposure, over the clip


def draw_recording(rng: np.random.Generator, still: bool) -> Recording:
    """A good camera if `still`, else any."""
    rough = 0.0 if still else 1.0
    contrast, bright = np.exp(rng.normal(0, 0.16 * rough + 0.02)), rng.normal(0, 12 * rough)
    gains = np.exp(rng.normal(0, 0.07 * rough, 3))
    saturation = np.exp(rng.normal(-0.2, 0.25 * rough + 0.01))
    grey = np.array([0.299, 0.587, 0.114])
    matrix = contrast * gains[:, None] * (saturation * np.eye(3) + (1 - saturation) * grey[None])
    bars = (0.0, 0.0)
    if not still and rng.random() < 0.35:
        bars = (0.0, rng.uniform(0.03, 0.13)) if rng.random() < 0.75 else (rng.uniform(0.04, 0.2), 0.0)
    words = ["FIT", "home workout", "day 12", "www.training.example", "Level 2", "Coach", "REC"]
    return Recording(
        colour=np.concatenate([matrix, np.full((3, 1), 128 * (1 - contrast) + bright)], axis=1),
        gamma=np.exp(rng.normal(0, 0.15 * rough)),
        blur=rng.uniform(0.6, 1.2),
        crisp=rng.uniform(-0.7, 1.2) * rough + 0.2 * (1 - rough),
        coarse=rng.choice([1.0, rng.uniform(0.5, 0.9)], p=(0.75, 0.25)) if rough else 1.0,
        noise=rng.uniform(0.5, 5.0) if rough else 0.0,
        bars=bars,
        caption=words[rng.integers(len(words))] if rough and rng.random() < 0.12 else "",
        drift=rng.normal(0, 0.06) * rough,
    )


def film(
    act: Performance, habit: Habit, size: tuple[int, int], rng: np.random.Generator, still: bool = False
) -> Iterator[np.ndarray]:
    """Frames uint8 RGB (height, width, 3) of the performance; `still` for a steady camera and a clear picture."""
    camera = aim(act, habit, size, rng)
    indoors = rng.random() < habit.indoors or act.wall is not None
    place = settle(act, camera, indoors, rng)
    if act.mat is None and rng.random() < habit.company:
        act = _with_company(act, camera, place, rng)
    closeness = camera.focal * act.people[0][0].body.height / np.linalg.norm(camera.place - act.span[0, 0])
    sides = 8 if closeness < 150 else 10 if closeness < 260 else 14
    people = [person_mesh(pose, outfit, sides) for pose, outfit in act.people]
    views = follow(camera, act, size, rng, held=not still and rng.random() < habit.held)
    camera, views, canvas_size = _canvas(camera, views, size)
    light = _draw_light(camera, indoors, act.wall, rng)
    ground = act.span[:: act.sub_frames * 3, 0, :2]
    if act.mat is not None:
        ground = np.concatenate([ground, 2.4 * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])])
    backdrop = paint_place(place, camera, canvas_size, light, ground, rng)
    veil = _veil(act, camera, canvas_size, rng) if act.net else None
    if veil is not None:  # the far side of the net
        backdrop = cv2.multiply(backdrop, cv2.merge([veil] * 3), scale=1 / 255)
    recording = draw_recording(rng, still)
    drawn = polygons([*act.meshes, *people], act.strands, camera, light, views * FINER)
    shadows = []
    if act.mat is None:
        shadows = [shadow_lines(pose, light) for pose, _ in act.people]
    if act.wall is not None:
        shadows.append(shadow_lines(act.people[0][0], light, act.wall))
    dark = rng.uniform(0.15, 0.4) if indoors else rng.uniform(0.2, 0.6)
    frames = len(views) // act.sub_frames
    finish = Finish(recording, size, frames, rng)
    layers = Layers(size, act.sub_frames)
    for number in range(frames):
        middle = number * act.sub_frames + act.sub_frames // 2
        frame = _look(backdrop, views[middle], size)
        for points, thick in shadows:
            _cast(frame, camera, views[middle], points[middle], thick, dark)
        frame = layers.over(frame, drawn)
        if veil is not None:  # the near side
            frame = cv2.multiply(frame, cv2.merge([_look(veil, views[middle], size)] * 3), scale=1 / 255)
        yield finish.apply(frame, number)


def _with_company(act: Performance, camera: Camera, place: Place, rng: np.random.Generator) -> Performance:
    """Somebody stands by, beside or behind, where there is room."""
    middle = act.span.mean((0, 1))[:2]
    ahead = camera.axes[2][:2] / np.linalg.norm(camera.axes[2][:2])
    aside = np.array([ahead[1], -ahead[0]]) * rng.choice([-1, 1])
    at = middle + rng.uniform(0.9, 2.0) * aside + rng.uniform(-0.2, 2.5) * ahead
    inside = place.inwards(np.array([*at, 0.0]))
    if not (place.left + 0.4 < inside[0] < place.right - 0.4 and place.near + 0.4 < inside[1] < place.far - 0.4):
        return act
    if np.linalg.norm(act.span[:, :, :2] - at, axis=-1).min() < 0.6:
        return act
    time = np.arange(len(act.span)) / (25.0 * act.sub_frames)
    motion = Motion(time, 0 * time, 0 * time, natural(time, 0.5, rng).wobble, 0.5)
    turn = np.arctan2(at[0] - middle[0], middle[1] - at[1]) + rng.normal(0, 0.8)  # to look at the exercise
    pose = idle(draw_body(rng), motion, rng).placed(turn, *at)
    return replace(act, people=(*act.people, (pose, draw_outfit(rng))))


def _veil(act: Performance, camera: Camera, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """How much light one layer of the trampoline's net lets through, uint8 (height, width)."""
    angles = np.linspace(0, 2 * np.pi, 25)
    rings = [vectors(2.1 * np.cos(angles), 2.1 * np.sin(angles), z) for z in (act.mat, act.net)]
    seen, depth = camera.seen(np.concatenate(rings))
    veil = np.full(size[::-1], 255, np.uint8)
    if depth.min() > 0.2:
        hull = cv2.convexHull(np.round(seen).astype(np.int32))
        cv2.fillConvexPoly(veil, hull, int(rng.uniform(185, 235)))
    return veil


def _draw_light(camera: Camera, indoors: bool, wall: float | None, rng: np.random.Generator) -> Light:
    """From above, mostly from the camera's side; from before the wall where there is one."""
    away = np.arctan2(-camera.axes[2][1], -camera.axes[2][0]) + rng.normal(0, 1.0)
    if wall is not None:
        away = -np.pi / 2 + rng.normal(0, 0.6)
    height = np.radians(rng.uniform(35, 75))
    towards = np.array([np.cos(away) * np.cos(height), np.sin(away) * np.cos(height), np.sin(height)])
    return Light(towards, rng.uniform(0.35, 0.6) if indoors else rng.uniform(0.35, 0.7))


def _canvas(camera: Camera, views: np.ndarray, size: tuple[int, int]) -> tuple[Camera, np.ndarray, tuple[int, int]]:
    """A picture large enough for all the views: its camera, the views of it, and its size."""
    corners = np.array([(0, 0), (size[0], 0), (0, size[1]), size], float)
    back = np.linalg.inv(views[:, :, :2])
    seen = np.einsum("tij,tcj->tci", back, corners[None] - views[:, None, :, 2]).reshape(-1, 2)
    low, high = np.floor(seen.min(0)) - 2, np.ceil(seen.max(0)) + 2
    centre = tuple(np.array(camera.centre) - low)
    shifted = views.copy()
    shifted[:, :, 2] += np.einsum("tij,j->ti", views[:, :, :2], low)
    limits = np.array(size) * 4
    return replace(camera, centre=centre), shifted, tuple(int(each) for each in np.minimum(high - low, limits))


def _look(backdrop: np.ndarray, view: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The part of the backdrop in view. Pixel k lies at k + 0.5 here and at k for OpenCV."""
    matrix = view.copy()
    matrix[:, 2] += 0.5 * view[:, :2].sum(1) - 0.5
    return cv2.warpAffine(backdrop, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _cast(
    frame: np.ndarray, camera: Camera, view: np.ndarray, points: np.ndarray, thick: np.ndarray, dark: float
) -> None:
    """Darken the ground under a body; points (bone, 2, 3)."""
    seen, depth = camera.seen(points)
    seen = seen @ view[:, :2].T + view[:, 2]
    widths = np.maximum(thick * camera.focal / depth.mean(1), 1)
    height, width = frame.shape[:2]
    low = np.clip(seen.min((0, 1)).astype(int) - 16, 0, (width, height))
    high = np.clip(seen.max((0, 1)).astype(int) + 16, 0, (width, height))
    if (high - low < 4).any():
        return
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    ends = np.round(seen - low).astype(np.int32).clip(-2000, 2000).tolist()
    for (a, b), wide in zip(ends, widths.tolist(), strict=True):
        cv2.line(mask, a, b, 255, min(int(wide) + 1, 60))
    mask = cv2.blur(cv2.blur(mask, (9, 7)), (5, 5))
    part = frame[low[1] : high[1], low[0] : high[0]]
    keep = cv2.bitwise_not(cv2.convertScaleAbs(mask, alpha=dark))
    cv2.multiply(part, cv2.merge([keep] * 3), part, 1 / 255)


class Layers:
    """Draws figures, with motion blur and smooth edges, over a frame. Holds the buffers."""

    def __init__(self, size: tuple[int, int], sub_frames: int):
        self.size, self.sub_frames = size, sub_frames
        self.layer = np.zeros((size[1] * FINER, size[0] * FINER, 4), np.uint8)

    def over(self, frame: np.ndarray, drawn: Iterator[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """The frame with the next moments of `drawn` over it."""
        moments = [next(drawn) for _ in range(self.sub_frames)]
        everything = np.concatenate([quads.reshape(-1, 2) for quads, _ in moments]) / FINER
        low = np.clip(everything.min(0).astype(int) - 1, 0, self.size)
        high = np.clip(everything.max(0).astype(int) + 2, 0, self.size)
        if (high <= low).any():
            return frame
        wide, tall = high - low
        layer = self.layer[: tall * FINER, : wide * FINER]
        total = np.zeros((tall, wide, 4), np.float32)
        for quads, colours in moments:
            layer[:] = 0
            corners = ((quads - (low * FINER + 0.5).astype(np.float32)) * 8).clip(-(2**15), 2**15).astype(np.int32)
            painted = np.insert(colours, 3, 255, axis=1).tolist()
            for quad, colour in zip(corners, painted, strict=True):
                cv2.fillConvexPoly(layer, quad, colour, cv2.LINE_8, 3)
            cv2.accumulate(cv2.resize(layer, (wide, tall), interpolation=cv2.INTER_AREA), total)
        figure = cv2.convertScaleAbs(total, alpha=1 / self.sub_frames)
        cover = 255 - figure[..., 3]
        part = frame[low[1] : high[1], low[0] : high[0]]
        behind = cv2.multiply(part, cv2.merge([cover] * 3), scale=1 / 255)
        cv2.add(behind, np.ascontiguousarray(figure[..., :3]), part)
        return frame


class Finish:
    """What lens, sensor and cutting do to frames. Holds what is the same for all of a clip."""

    def __init__(self, recording: Recording, size: tuple[int, int], frames: int, rng: np.random.Generator):
        self.recording, self.size, self.frames = recording, size, frames
        levels = np.arange(256) / 255
        self.curve = np.clip(255 * levels**recording.gamma, 0, 255).astype(np.uint8)
        grain = rng.standard_normal((5, size[1], size[0], 3)) * recording.noise
        self.grain = grain.astype(np.int16)
        self.order = rng.integers(5, size=frames)
        self.caption_at = (int(rng.uniform(0.03, 0.5) * size[0]), int(rng.choice([0.12, 0.95]) * size[1]))

    def apply(self, frame: np.ndarray, number: int) -> np.ndarray:
        recording, (width, height) = self.recording, self.size
        if recording.coarse < 1:
            small = int(width * recording.coarse), int(height * recording.coarse)
            frame = cv2.resize(cv2.resize(frame, small, interpolation=cv2.INTER_AREA), self.size)
        soft = cv2.GaussianBlur(frame, (5, 5), recording.blur)
        frame = cv2.addWeighted(frame, 1 + recording.crisp, soft, -recording.crisp, 0)
        exposure = 1 + recording.drift * (number / max(self.frames - 1, 1) - 0.5)
        frame = cv2.transform(frame, recording.colour * exposure)
        frame = cv2.LUT(frame, self.curve)
        if recording.noise > 0:
            frame = cv2.add(frame, self.grain[self.order[number]], dtype=cv2.CV_8U)
        if recording.caption:
            font, white = cv2.FONT_HERSHEY_SIMPLEX, (235, 235, 235)
            cv2.putText(frame, recording.caption, self.caption_at, font, height / 480, white, 1, cv2.LINE_AA)
        across, down = round(recording.bars[0] * width), round(recording.bars[1] * height)
        if across:
            frame[:, :across] = frame[:, width - across :] = 0
        if down:
            frame[:down] = frame[height - down :] = 0
        return frame
