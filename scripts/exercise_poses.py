"""Bodies and how they move: the poses of ten exercises over time, as joints in metres.

A pose faces +y with its right hand to +x, z points up, and the ground is z = 0. What touches ground, bar or wall
is fixed first; inverse kinematics then bends elbows and knees, so hands and feet never slide and limbs never stretch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

SIDES = {"left": -1.0, "right": 1.0}
BONES = (
    ("pelvis", "waist"),
    ("waist", "neck"),
    ("neck", "head"),
    *((f"{side} {a}" if a != "neck" and a != "pelvis" else a, f"{side} {b}")
      for side in SIDES
      for a, b in (("neck", "shoulder"), ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "fingers"),
                   ("pelvis", "hip"), ("hip", "knee"), ("knee", "ankle"), ("ankle", "toe"))),
)  # fmt: skip
GRAVITY = 9.81  # m/s²
UP = np.array([0.0, 0.0, 1.0])
AHEAD = np.array([0.0, 1.0, 0.0])
RIGHT = np.array([1.0, 0.0, 0.0])


# Bodies


@dataclass(frozen=True)
class Body:
    """A body's size. Lengths are shares of an adult's height (Winter, Biomechanics, 2009, fig. 4.1)."""

    height: float = 1.75  # m
    girth: float = 1.0  # thickness of trunk and limbs against the usual
    head: float = 1.0  # against an adult's; children have larger ones
    legs: float = 1.0  # length against an adult's share

    def share(self, of_height: float) -> float:
        return of_height * self.height

    @property
    def thigh(self) -> float:
        return self.share(0.245 * self.legs)

    @property
    def shin(self) -> float:
        return self.share(0.246 * self.legs)

    @property
    def leg(self) -> float:
        """Hip to ankle, the knee all but straight."""
        return 0.997 * (self.thigh + self.shin)

    @property
    def upper_arm(self) -> float:
        return self.share(0.18)

    @property
    def forearm(self) -> float:
        return self.share(0.15)

    @property
    def arm(self) -> float:
        """Shoulder to wrist, the elbow all but straight."""
        return 0.995 * (self.upper_arm + self.forearm)

    @property
    def hand(self) -> float:
        return self.share(0.085)

    @property
    def foot(self) -> float:
        """Ankle to the tip of the shoe."""
        return self.share(0.12)

    @property
    def sole(self) -> float:
        """Height of the toe joint over the ground."""
        return self.share(0.014)

    @property
    def ankle(self) -> float:
        """Height of the ankle over the ground, the foot flat."""
        return self.share(0.048)

    @property
    def flat(self) -> float:
        """Pitch of a flat foot: from ankle to toe it leads down."""
        return float(np.arcsin((self.ankle - self.sole) / self.foot))

    @property
    def standing(self) -> float:
        """Height of the hips, standing at ease."""
        return self.leg + self.ankle

    @property
    def trunk(self) -> float:
        """Hips to the bottom of the neck."""
        return self.share(0.295)

    @property
    def shoulder_width(self) -> float:
        """From the spine to one shoulder joint."""
        return self.share(0.094) * self.girth**0.5

    @property
    def hip_width(self) -> float:
        return self.share(0.054) * self.girth**0.5


# Time


@dataclass(frozen=True)
class Motion:
    """When each repetition happens. All arrays (time,)."""

    time: np.ndarray  # seconds
    phase: np.ndarray  # repetitions since the start; at whole numbers the body is at rest
    effort: np.ndarray  # how far a repetition goes, against 1
    wobble: np.ndarray  # (time, 6): slow, independent, about ±1
    tempo: float  # repetitions a second

    def swing(self, hold: float = 0.0) -> np.ndarray:
        """From 0 at rest to 1 half-way and back, smooth; with `hold` it stays longer at both."""
        wave = -np.cos(2 * np.pi * self.phase)
        return 0.5 + 0.5 * (np.tanh(hold * wave) / np.tanh(hold) if hold > 1e-3 else wave)


def steady(time: np.ndarray, tempo: float, start: float = 0.0) -> Motion:
    """Repetitions like clockwork, `tempo` a second, from phase `start`."""
    still = np.zeros_like(time)
    return Motion(time, start + tempo * time, still + 1, np.zeros((len(time), 6)), tempo)


def natural(time: np.ndarray, tempo: float, rng: np.random.Generator, pause: float = 0.0) -> Motion:
    """Repetitions as people do them: uneven in length and depth, with a pause before some (probability `pause`)."""
    count = int(tempo * (time[-1] - time[0])) * 2 + 4
    knots, phases = [0.0], [0.0]
    for number in range(count):
        if rng.random() < pause:
            knots.append(knots[-1] + rng.uniform(0.15, 0.9))
            phases.append(float(number))
        knots.append(knots[-1] + np.clip(rng.normal(1, 0.06), 0.8, 1.25) / tempo)
        phases.append(number + 1.0)
    start = rng.uniform(0, 1 / tempo)
    phase = np.interp(time - time[0] + start, knots, phases)
    depth = rng.normal(1, 0.05, count + 2).clip(0.8, 1.12)
    effort = depth[np.floor(phase).astype(int)]
    wobble = np.stack([_noise(time, rng) for _ in range(6)], axis=1)
    return Motion(time, phase, effort, wobble, tempo)


def _noise(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    waves = [rng.normal() * np.sin(2 * np.pi * (f * time + rng.random())) for f in rng.uniform(0.05, 0.7, 4)]
    return 0.6 * np.sum(waves, axis=0)


def smooth_step(x: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """0 up to `low`, 1 from `high`, with a smooth path between."""
    x = np.clip((x - low) / (high - low), 0, 1)
    return x * x * (3 - 2 * x)


# Poses


@dataclass(frozen=True)
class Strand:
    """A rope or a bar: points (time or 1, point, 3), radius in metres, colour RGB 0-255."""

    points: np.ndarray
    radius: float
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Disc:
    """A weight plate or a ball's outline: centre and axis (time or 1, 3), radius and thickness in metres."""

    centre: np.ndarray
    axis: np.ndarray
    radius: float
    thickness: float
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Pose:
    """A body over time."""

    body: Body
    joints: dict[str, np.ndarray] = field(default_factory=dict)  # (time, 3), metres
    frames: dict[str, np.ndarray] = field(default_factory=dict)  # pelvis, chest, head: columns right, ahead, up
    normals: dict[str, np.ndarray] = field(default_factory=dict)  # "left arm": (time, 3), square to both its bones
    strands: list[Strand] = field(default_factory=list)
    discs: list[Disc] = field(default_factory=list)

    def placed(self, turn: float, x: float, y: float, z: float = 0.0) -> Pose:
        """The same, turned about the vertical (radians, anticlockwise) and moved (metres)."""
        matrix, shift = turned(yaw=turn), np.array([x, y, z])
        return replace(
            self,
            joints={name: at @ matrix.T + shift for name, at in self.joints.items()},
            frames={name: matrix @ frame for name, frame in self.frames.items()},
            normals={name: normal @ matrix.T for name, normal in self.normals.items()},
            strands=[replace(each, points=each.points @ matrix.T + shift) for each in self.strands],
            discs=[
                replace(each, centre=each.centre @ matrix.T + shift, axis=each.axis @ matrix.T)
                for each in self.discs
            ],
        )


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def vectors(x, y, z) -> np.ndarray:
    """(time, 3) of three coordinates, each (time,) or a number."""
    return np.stack(np.broadcast_arrays(*(np.asarray(each, float) for each in (x, y, z))), axis=-1)


def turned(pitch=0.0, roll=0.0, yaw=0.0) -> np.ndarray:
    """Orientation (..., 3, 3), columns right, ahead, up; radians: leaning ahead, to the right, turning left."""
    pitch, roll, yaw = np.broadcast_arrays(*(np.asarray(each, float) for each in (pitch, roll, yaw)))
    one, none = np.ones_like(pitch), np.zeros_like(pitch)

    def matrix(*rows):
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    about_up = matrix(
        (np.cos(yaw), -np.sin(yaw), none), (np.sin(yaw), np.cos(yaw), none), (none, none, one)
    )
    about_right = matrix(
        (one, none, none), (none, np.cos(pitch), np.sin(pitch)), (none, -np.sin(pitch), np.cos(pitch))
    )
    about_ahead = matrix(
        (np.cos(roll), none, np.sin(roll)), (none, one, none), (-np.sin(roll), none, np.cos(roll))
    )
    return about_up @ about_right @ about_ahead


def two_bones(root, target, first: float, second: float, pole):
    """Bend a limb from `root` towards `target`; the joint between goes to the side of `pole`.

    All (time, 3). Returns that joint, the end and the normal of the limb's plane; the end is on the target where
    the limb is long enough, and as near to it as it can be elsewhere.
    """
    away = target - root
    distance = np.linalg.norm(away, axis=-1, keepdims=True)
    along = away / np.maximum(distance, 1e-9)
    distance = np.clip(distance, abs(first - second) * 1.02, (first + second) * 0.9995)
    inwards = (first**2 - second**2 + distance**2) / (2 * distance)
    outwards = np.sqrt(np.maximum(first**2 - inwards**2, 0))
    pole = np.broadcast_to(pole, along.shape)
    side = unit(pole - np.sum(pole * along, axis=-1, keepdims=True) * along)
    return root + inwards * along + outwards * side, root + distance * along, np.cross(along, side)


def start_pose(body: Body, pelvis: np.ndarray, low: np.ndarray, high: np.ndarray, look=0.0, shrug=0.0) -> Pose:
    """Trunk and head: pelvis (time, 3), orientations of pelvis and chest.

    `look` nods the head ahead against the chest, `shrug` raises the shoulders, both in radians.
    """
    pose = Pose(body)
    pelvis, low, high = np.broadcast_arrays(pelvis[..., None], low, high)
    pelvis = pelvis[..., 0]
    head = high @ turned(pitch=look)
    pose.frames.update(pelvis=low, chest=high, head=head)
    waist = pelvis + 0.42 * body.trunk * low[..., 2]
    neck = waist + 0.58 * body.trunk * high[..., 2]
    joints = pose.joints
    joints.update(pelvis=pelvis, waist=waist, neck=neck)
    joints["head"] = neck + body.share(0.1) * body.head**0.7 * unit(0.5 * high[..., 2] + 0.5 * head[..., 2])
    shrug = np.broadcast_to(np.asarray(shrug, float), pelvis.shape[:1])[:, None]
    width, drop = body.shoulder_width, body.share(0.022)
    for side, sign in SIDES.items():
        outwards = width * np.cos(shrug) + drop * np.sin(shrug)
        upwards = width * np.sin(shrug) - drop * np.cos(shrug)
        joints[f"{side} shoulder"] = neck + sign * outwards * high[..., 0] + upwards * high[..., 2]
        joints[f"{side} hip"] = pelvis + sign * body.hip_width * low[..., 0]
    return pose


def put_hand(pose: Pose, side: str, wrist: np.ndarray, pole, fingers=None) -> None:
    """Bring a wrist to a point, the elbow towards `pole`; `fingers` points the hand, along the forearm if None."""
    body, joints = pose.body, pose.joints
    elbow, end, normal = two_bones(joints[f"{side} shoulder"], wrist, body.upper_arm, body.forearm, pole)
    pointing = unit(end - elbow) if fingers is None else unit(np.broadcast_to(fingers, end.shape))
    joints.update({f"{side} elbow": elbow, f"{side} wrist": end, f"{side} fingers": end + body.hand * pointing})
    pose.normals[f"{side} arm"] = normal


def aim_arm(pose: Pose, side: str, raised, around, bend=0.03, pole=None) -> None:
    """Point an arm: `raised` from hanging (0) to overhead (pi), `around` from ahead (0) to sideways (pi/2)."""
    frame, sign = pose.frames["chest"], SIDES[side]
    raised, around = (np.asarray(each, float)[..., None] for each in (raised, around))
    level = np.cos(around) * frame[..., 1] + sign * np.sin(around) * frame[..., 0]
    pointing = -np.cos(raised) * frame[..., 2] + np.sin(raised) * level
    length = (1 - np.asarray(bend, float)[..., None]) * (pose.body.upper_arm + pose.body.forearm)
    if pole is None:  # elbows point back, and out when the arm is up
        pole = -frame[..., 1] + 0.7 * sign * frame[..., 0] * np.sin(raised / 2)
    put_hand(pose, side, pose.joints[f"{side} shoulder"] + length * pointing, pole)


def foot_from(body: Body, toe: np.ndarray, turn, pitch) -> tuple[np.ndarray, np.ndarray]:
    """The ankle over a toe, and the direction from ankle to toe: `turn` outwards from ahead, `pitch` downwards."""
    pointing = vectors(np.cos(pitch) * np.sin(turn), np.cos(pitch) * np.cos(turn), -np.sin(pitch))
    return toe - body.foot * pointing, pointing


def put_foot(pose: Pose, side: str, ankle: np.ndarray, pointing: np.ndarray, pole) -> None:
    """Bring an ankle to a point, the knee towards `pole`, the foot along `pointing`."""
    body, joints = pose.body, pose.joints
    knee, end, normal = two_bones(joints[f"{side} hip"], ankle, body.thigh, body.shin, pole)
    joints.update({f"{side} knee": knee, f"{side} ankle": end, f"{side} toe": end + body.foot * unit(pointing)})
    pose.normals[f"{side} leg"] = normal


def lowered(body: Body, pelvis: np.ndarray, low: np.ndarray, ankles: dict[str, np.ndarray]) -> np.ndarray:
    """The pelvis, as low as its legs demand, so that both ankles can be where they are."""
    height = pelvis[..., 2].copy()
    for side, sign in SIDES.items():
        hip = sign * body.hip_width * low[..., 0]
        aside = np.linalg.norm((ankles[side] - pelvis - hip)[..., :2], axis=-1)
        reach = np.sqrt(np.maximum(body.leg**2 - aside**2, 0))
        height = np.minimum(height, ankles[side][..., 2] + reach - hip[..., 2])
    return vectors(pelvis[..., 0], pelvis[..., 1], height)


def stand(
    body: Body, pelvis, low, high, toes: dict[str, np.ndarray], turn=0.2, pitches=None, look=0.0, shrug=0.0
) -> Pose:
    """Trunk and legs over toes (time, 3), of feet that point ahead.

    `turn` is how far the feet turn outwards about their ankles, `pitches` how they tilt (flat if None).
    """
    feet = {}
    for side, sign in SIDES.items():
        toe = toes[side] + body.foot * np.cos(body.flat) * np.array([sign * np.sin(turn), np.cos(turn) - 1, 0])
        feet[side] = foot_from(body, toe, sign * turn, body.flat if pitches is None else pitches[side])
    pelvis, low = np.broadcast_arrays(pelvis[..., None], low)
    pelvis = lowered(body, pelvis[..., 0], low, {side: ankle for side, (ankle, _) in feet.items()})
    pose = start_pose(body, pelvis, low, high, look, shrug)
    for side, sign in SIDES.items():
        ankle, pointing = feet[side]
        knees = AHEAD + 0.9 * sign * np.sin(turn) * RIGHT + 0.2 * UP
        put_foot(pose, side, ankle, pointing, knees)
    return pose


def rest_arms(pose: Pose, manner: str, motion: Motion, sway: float = 1.0) -> None:
    """Arms that take no part: hanging, on the hips, behind the head, folded, clasped, or holding weights."""
    body, joints, chest = pose.body, pose.joints, pose.frames["chest"]
    right, ahead, up = (chest[..., k] for k in range(3))
    for number, (side, sign) in enumerate(SIDES.items()):
        out = sign * right
        if manner in ("hanging", "dumbbells"):
            swing = 0.06 * sway * motion.wobble[:, number]
            aim_arm(pose, side, 0.14 + swing, 1.2, bend=0.03 + 0.02 * sway * np.abs(motion.wobble[:, 2]))
        elif manner == "hips":
            wrist = joints["pelvis"] + body.share(0.13) * out + body.share(0.055) * up + body.share(0.02) * ahead
            put_hand(pose, side, wrist, out - 0.5 * ahead, fingers=ahead - 0.9 * out - 0.5 * up)
        elif manner == "behind head":
            wrist = joints["head"] + body.share(0.075) * out - body.share(0.055) * ahead
            put_hand(pose, side, wrist, out + 0.3 * up - 0.1 * ahead, fingers=-out - 0.3 * ahead)
        elif manner == "folded":
            wrist = joints["neck"] - body.share(0.13) * up + body.share(0.125) * ahead - body.share(0.05) * out
            wrist = wrist + sign * body.share(0.015) * up
            put_hand(pose, side, wrist, out - up, fingers=-out)
        elif manner == "clasped":
            wrist = joints["neck"] - body.share(0.07) * up + body.share(0.15) * ahead + body.share(0.025) * out
            put_hand(pose, side, wrist, 0.6 * out - up, fingers=up + 0.5 * ahead)
        elif manner == "barbell":
            wrist = joints["neck"] - body.share(0.02) * up + body.share(0.2) * out
            put_hand(pose, side, wrist, -up - 0.4 * ahead + 0.4 * out, fingers=up - 0.4 * ahead)
        else:
            raise ValueError(f"no way to hold arms is called {manner!r}")
    if manner == "barbell":
        _load_barbell(pose, joints["neck"] - body.share(0.045) * ahead + body.share(0.02) * up, right)
    if manner == "dumbbells":
        for side in SIDES:
            grip = joints[f"{side} fingers"] * 0.7 + joints[f"{side} wrist"] * 0.3
            _load_dumbbell(pose, grip, ahead)


def _load_barbell(pose: Pose, middle: np.ndarray, axis: np.ndarray) -> None:
    ends = [middle + reach * axis for reach in np.linspace(-0.85, 0.85, 7)]
    pose.strands.append(Strand(np.stack(ends, axis=1), 0.016, (150, 150, 155)))
    for sign in (-1, 1):
        pose.discs.append(Disc(middle + sign * 0.72 * axis, axis, 0.17, 0.04, (58, 58, 62)))


def _load_dumbbell(pose: Pose, grip: np.ndarray, axis: np.ndarray) -> None:
    pose.strands.append(Strand(np.stack([grip - 0.1 * axis, grip + 0.1 * axis], axis=1), 0.015, (120, 120, 125)))
    for sign in (-1, 1):
        pose.discs.append(Disc(grip + sign * 0.1 * axis, axis, 0.06, 0.06, (45, 45, 50)))


def pick(rng: np.random.Generator, **shares: float) -> str:
    """One of the names, by their shares; an underscore stands for a space."""
    chosen = rng.choice(len(shares), p=np.array(list(shares.values())) / sum(shares.values()))
    return list(shares)[chosen].replace("_", " ")


def joined(poses: list[Pose], change: int) -> Pose:
    """One pose after another, of one body; `change` moments lead from each to the next.

    In between joints move straight, so there limbs do not keep their lengths.
    """

    def chained(parts: list[np.ndarray]) -> np.ndarray:
        share = smooth_step(np.arange(1, change + 1) / (change + 1))
        pieces = [parts[0]]
        for before, after in zip(parts[:-1], parts[1:], strict=True):
            mix = share.reshape(-1, *[1] * (before.ndim - 1))
            pieces += [before[-1] * (1 - mix) + after[0] * mix, after]
        return np.concatenate(pieces)

    frames = {name: chained([pose.frames[name] for pose in poses]) for name in poses[0].frames}
    return Pose(
        poses[0].body,
        {name: chained([pose.joints[name] for pose in poses]) for name in poses[0].joints},
        {name: np.stack([unit(frame[..., k]) for k in range(3)], axis=-1) for name, frame in frames.items()},
        {name: unit(chained([pose.normals[name] for pose in poses])) for name in poses[0].normals},
    )


# Exercises. Each takes a body, a motion and a source of chance, which settles the manner, and returns a pose.


def body_weight_squats(body: Body, motion: Motion, rng: np.random.Generator) -> Pose:
    """Hips back and down, knees ahead, feet planted."""
    stance, turn = body.share(rng.uniform(0.07, 0.14)), rng.uniform(0.1, 0.55)
    bottom = body.share(rng.uniform(0.17, 0.31))
    lean, back = np.radians(rng.uniform(22, 48)), body.share(rng.uniform(0.11, 0.17))
    down = motion.effort * motion.swing(rng.uniform(0, 1.6))
    toes = {side: vectors(sign * stance, body.foot - body.share(0.02), body.sole) for side, sign in SIDES.items()}
    pelvis = vectors(
        body.share(0.006) * motion.wobble[:, 0],
        body.share(0.03) - back * down,
        body.standing + (bottom - body.standing) * down,
    )
    low = turned(pitch=lean * down, roll=0.02 * motion.wobble[:, 1])
    high = turned(pitch=(lean + 0.1) * down + 0.03 * motion.wobble[:, 2], roll=0.02 * motion.wobble[:, 1])
    pose = stand(body, pelvis, low, high, toes, turn, look=-0.6 * lean * down)
    manner = pick(rng, rise=4, ahead=2, clasped=2, behind_head=1, folded=0.6, hips=0.7)
    if manner in ("rise", "ahead"):
        highest = np.radians(rng.uniform(75, 100)) + lean * down * 0.8
        raised = highest * (down if manner == "rise" else 1) + 0.12
        for side in SIDES:
            aim_arm(pose, side, raised, rng.uniform(0.0, 0.25), bend=rng.uniform(0.01, 0.06))
    else:
        rest_arms(pose, manner, motion)
    return pose


def jumping_jack(body: Body, motion: Motion, rng: np.random.Generator) -> Pose:
    """Feet apart and arms overhead, together and down again, jumping between."""
    narrow, wide = body.share(rng.uniform(0.03, 0.06)), body.share(rng.uniform(0.13, 0.26))
    hop, dip = body.share(rng.uniform(0.02, 0.06)), body.share(rng.uniform(0.01, 0.04))
    highest, lowest = np.radians(rng.choice([rng.uniform(140, 172), rng.uniform(95, 125)], p=(0.8, 0.2))), 0.15
    ramp = 1 - np.abs(2 * (motion.phase % 1) - 1)
    flight = np.clip((ramp - 0.17) / 0.66, 0, 1)  # the feet move only while they are off the ground
    spread = narrow + (wide - narrow) * motion.effort * smooth_step(flight)
    rise = hop * 4 * flight * (1 - flight)
    contact = np.maximum(1 - (np.minimum(ramp, 1 - ramp) / 0.17) ** 2, 0)
    toes, pitches = {}, {}
    for side, sign in SIDES.items():
        toes[side] = vectors(sign * spread, body.share(0.09), body.sole + rise)
        pitches[side] = body.flat + 0.4 * np.sqrt(rise / hop) + 0.15
    turn = rng.uniform(0.1, 0.4)
    height = np.sqrt(body.leg**2 - (spread - body.hip_width) ** 2) + rise - dip * (0.3 + contact)
    height = height + body.sole + body.foot * np.sin(pitches["left"])
    low = turned(roll=0.03 * motion.wobble[:, 0], yaw=0.06 * motion.wobble[:, 1])
    high = turned(pitch=0.04 + 0.05 * contact, roll=0.03 * motion.wobble[:, 0], yaw=0.06 * motion.wobble[:, 1])
    pelvis = vectors(body.share(0.01) * motion.wobble[:, 2], 0.0, height)
    lift = smooth_step(ramp, 0.02, 0.98)
    pose = stand(body, pelvis, low, high, toes, turn, pitches, shrug=0.4 * lift)
    bend, around = rng.uniform(0.01, 0.1), np.radians(rng.uniform(75, 92))
    for number, side in enumerate(SIDES):
        raised = lowest + (highest - lowest) * lift * motion.effort.clip(0, 1.05) + 0.05 * motion.wobble[:, 3 + number]
        aim_arm(pose, side, raised.clip(0.05, 3.05), around, bend=bend + 0.05 * lift * (1 - lift) * 4)
    return pose


def jump_rope(body: Body, motion: Motion, rng: np.random.Generator) -> Pose:
    """Small hops, one for each turn of the rope; on both feet, or from foot to foot."""
    manner = pick(rng, both=4, run=3, skier=0.8)
    hop, turns = body.share(rng.uniform(0.02, 0.055)), 2 * np.pi * motion.phase
    beat = motion.phase % 1
    flight = np.clip((beat - 0.22) / 0.56, 0, 1)
    rise = hop * motion.effort * 4 * flight * (1 - flight)
    contact = np.maximum(np.cos(turns), 0)
    toes, pitches = {}, {}
    odd = smooth_step(flight) if manner != "both" else 0.0
    lead = np.where(np.floor(motion.phase) % 2 == 0, odd, 1 - odd) if manner != "both" else 0.0
    lift = body.share(rng.uniform(0.05, 0.13))
    for number, (side, sign) in enumerate(SIDES.items()):
        share = lead if number else 1 - lead
        up = rise + (lift * smooth_step(share) if manner == "run" else 0.0)
        shift = body.share(0.05) * (share - 0.5) * 2 if manner == "skier" else 0.0
        toes[side] = vectors(sign * body.share(0.035), body.share(0.07) + shift, body.sole + up)
        pitches[side] = body.flat + 0.22 + 5.5 * rise + (2.5 * lift * smooth_step(share) if manner == "run" else 0.0)
    tiptoe = body.foot * (np.sin(body.flat + 0.22) - np.sin(body.flat))
    height = body.standing + rise + tiptoe - body.share(0.012) * (0.3 + contact)
    low = turned(yaw=0.08 * motion.wobble[:, 0])
    high = turned(pitch=0.06 + 0.03 * contact, yaw=0.08 * motion.wobble[:, 0], roll=0.02 * motion.wobble[:, 1])
    pelvis = vectors(body.share(0.02) * motion.wobble[:, 2], body.share(-0.01), height)
    pose = stand(body, pelvis, low, high, toes, 0.15, pitches)
    apart, level, before = (body.share(rng.uniform(*span)) for span in ((0.16, 0.26), (0.54, 0.63), (0.04, 0.12)))
    circle, backwards = body.share(rng.uniform(0.015, 0.035)), -1.0 if rng.random() < 0.1 else 1.0
    for side, sign in SIDES.items():
        wrist = vectors(
            pelvis[:, 0] + sign * apart,
            before + circle * backwards * np.sin(turns),
            level + 0.6 * (height - body.standing) - circle * np.cos(turns + 0.3),
        )
        put_hand(pose, side, wrist, -0.9 * AHEAD + 0.3 * sign * RIGHT - 0.2 * UP, fingers=sign * RIGHT + 0.4 * AHEAD)
    pose.strands.append(_turning_rope(pose, turns, backwards, rng))
    return pose


def _turning_rope(pose: Pose, turns: np.ndarray, backwards: float, rng: np.random.Generator) -> Strand:
    """The rope at each angle: under the feet at half a turn, when the hop is highest, and overhead at rest."""
    ends = [pose.joints[f"{side} fingers"] for side in SIDES]
    middle, span = (ends[0] + ends[1]) / 2, (ends[1] - ends[0]) / 2
    along = np.linspace(-1, 1, 25)
    bulge = (1 - np.abs(along) ** 2.6) ** 0.8
    radius = middle[:, 2:] - 0.01  # to the ground below
    angle = turns[:, None] - 0.25 * (1 - along**2)  # the middle lags
    wide = along * (1 + 0.28 * np.sin(np.pi * np.abs(along)))
    points = middle[:, None] + wide[None, :, None] * span[:, None]
    points[..., 1] += backwards * np.sin(angle) * bulge * radius
    points[..., 2] += np.cos(angle) * bulge * radius
    points[..., 2] = np.maximum(points[..., 2], 0.008)
    colour = [(235, 235, 230), (30, 30, 32), (220, 60, 50), (240, 210, 60), (60, 130, 220)][rng.integers(5)]
    return Strand(points, rng.uniform(0.009, 0.016), colour)


def lunges(body: Body, motion: Motion, rng: np.random.Generator) -> Pose:
    """One leg far ahead, the rear knee towards the ground: in place, ahead, back or walking; sides alternate."""
    manner = pick(rng, ahead=3, back=1.5, split=2.5, walking=3)
    stride = body.share(rng.uniform(0.43, 0.54))
    bottom, stance = body.share(rng.uniform(0.31, 0.37)), body.share(rng.uniform(0.045, 0.075))
    beat, count = motion.phase % 1, np.floor(motion.phase)
    alternate = manner == "walking" or (manner != "split" and rng.random() < 0.8)
    first = 0 if rng.random() < 0.5 else 1
    leads = (count + first) % 2 == 0 if alternate else np.full(len(beat), bool(first))  # the right one
    down = motion.effort.clip(0, 1.05) * (smooth_step(beat, 0.14, 0.5) - smooth_step(beat, 0.5, 0.86))
    out = smooth_step(beat, 0.02, 0.32) - (0 if manner == "walking" else smooth_step(beat, 0.68, 0.98))
    follow = smooth_step(beat, 0.66, 0.98) if manner == "walking" else 0 * beat
    if manner == "split":
        down, out = motion.effort.clip(0, 1.05) * motion.swing(), 0 * beat
    start = count * stride if manner == "walking" else 0.0
    toes, ahead = {}, {}
    for number, side in enumerate(SIDES):
        leading = leads == bool(number)
        if manner == "split":
            ahead[side] = np.where(leading, 0.5 * stride, -0.5 * stride)
        elif manner == "back":
            ahead[side] = np.where(leading, 0.0, -stride * out)
        else:
            ahead[side] = start + np.where(leading, stride * out, stride * follow)
        moving = np.where(leading != (manner == "back"), out, follow)
        raise_ = body.share(0.05) * 4 * moving * (1 - moving)
        toes[side] = vectors(
            SIDES[side] * stance, ahead[side] + body.foot - body.share(0.02), body.sole + raise_
        )
    centre = (ahead["left"] + ahead["right"]) / 2
    pitches = {}
    for side in SIDES:
        behind = np.clip((centre - ahead[side]) / (0.5 * stride), 0, 1)
        pitches[side] = body.flat + behind * (0.35 + 0.65 * down)
    lean = np.radians(rng.uniform(0, 14))
    pelvis = vectors(
        body.share(0.012) * motion.wobble[:, 0],
        centre + body.share(0.03) * (1 - down) + body.share(0.01) * down,
        body.standing - body.share(0.004) + (bottom - body.standing) * down,
    )
    turn = 0.04 * motion.wobble[:, 1]
    low = turned(pitch=0.4 * lean * down, yaw=turn)
    upright = lean * (0.3 + 0.7 * down) + 0.03 * motion.wobble[:, 2]
    high = turned(pitch=upright, roll=0.03 * motion.wobble[:, 3], yaw=turn)
    pose = stand(body, pelvis, low, high, toes, 0.06, pitches)
    rest_arms(pose, pick(rng, hips=3, hanging=2.5, dumbbells=2.5, barbell=1.5, behind_head=0.8, clasped=0.7), motion)
    return pose


def pull_ups(body: Body, motion: Motion, rng: np.random.Generator) -> Pose:
    """Hanging from a bar and up until the chin is over it; legs straight, crossed behind, or swinging along."""
    apart, bar = body.share(rng.uniform(0.11, 0.22)), pull_up_bar(body)
    top = body.share(rng.uniform(0.01, 0.09))  # from the shoulders up to the bar
    up = (1 - (1 - motion.effort.clip(0.8, 1)) * 1.5) * motion.swing(rng.uniform(0, 1.2))
    kip = rng.uniform(0.1, 0.35) if rng.random() < 0.3 else 0.0
    hang = np.sqrt(body.arm**2 - (apart - body.shoulder_width * 0.85) ** 2) * 0.985
    shrug = 0.5 * (1 - up)
    shoulders = bar - body.share(0.03) - hang + (hang - top) * up
    swing = kip * np.sin(2 * np.pi * motion.phase) + 0.03 * motion.wobble[:, 0]
    tilt = -0.1 - 0.2 * up + 0.5 * swing
    neck = vectors(
        body.share(0.01) * motion.wobble[:, 1],
        -body.share(0.02) - body.share(0.085) * up + 0.15 * swing,
        shoulders - body.shoulder_width * np.sin(shrug) + body.share(0.02),
    )
    high, low = turned(pitch=tilt), turned(pitch=tilt - 0.6 * swing)
    waist = neck - 0.58 * body.trunk * high[..., 2]
    pose = start_pose(body, waist - 0.42 * body.trunk * low[..., 2], low, high, look=-0.15 - 0.15 * up, shrug=shrug)
    for side, sign in SIDES.items():
        wrist = vectors(sign * apart, body.share(-0.01), bar - body.share(0.03))
        put_hand(pose, side, wrist, -UP + 0.55 * sign * RIGHT - 0.15 * AHEAD, fingers=UP + 0.25 * AHEAD)
    bent, crossed = rng.choice([rng.uniform(0, 0.25), rng.uniform(0.7, 1.6)], p=(0.6, 0.4)), rng.random() < 0.4
    for number, (side, sign) in enumerate(SIDES.items()):
        thigh = low @ turned(pitch=-0.15 * bent - 1.2 * swing + 0.05 * motion.wobble[:, 2 + number])
        shin = thigh @ turned(pitch=bent + 0.1 + (0.15 * number if crossed else 0.0))
        hip = pose.joints[f"{side} hip"]
        ankle = hip - body.thigh * thigh[..., 2] - body.shin * shin[..., 2]
        if crossed:
            ankle = ankle - 0.9 * sign * body.hip_width * low[..., 0]
        put_foot(pose, side, ankle, -0.8 * shin[..., 2] + 0.6 * shin[..., 1], thigh[..., 1])
    return pose


def pull_up_bar(body: Body) -> float:
    """Height of the bar over the ground: the feet hang free."""
    return body.share(1.36)


def push_ups(body: Body, motion: Motion, rng: np.random.Generator) -> Pose:
    """Straight from head to heels, turning about the toes (or the knees) as the arms bend."""
    knees = rng.random() < 0.1
    apart, flare = body.share(rng.uniform(0.11, 0.2)), rng.uniform(0.3, 1.3)
    sag, wrist = rng.uniform(-0.06, 0.12), body.share(0.03)
    tiptoe = 1.35  # pitch of the feet
    support = body.share(0.04) if knees else body.sole + body.foot * np.sin(tiptoe)
    length = body.trunk + (body.thigh if knees else body.leg)
    reach = np.sqrt(body.arm**2 - (apart - body.shoulder_width) ** 2) * 0.985
    highest = np.arcsin((reach + wrist - support) / length)
    lowest = np.arcsin(np.maximum(body.share(rng.uniform(0.085, 0.14)) - support, 0) / length)
    down = motion.swing(rng.uniform(0, 1.2)) * motion.effort.clip(0, 1)
    angle = highest + (lowest - highest) * down + 0.008 * motion.wobble[:, 0]
    line = vectors(0.0, np.cos(angle), np.sin(angle))
    square = vectors(0.0, -np.sin(angle), np.cos(angle))
    sink = sag * body.share(0.1) * (1 + 0.3 * motion.wobble[:, 1])[:, None] * square
    hands = length * np.cos(highest) + body.share(rng.uniform(-0.05, 0.03))
    # A little short, so that the legs bend rather than stretch where the hips leave the line.
    pelvis = support * UP + 0.998 * (body.thigh if knees else body.leg) * line - sink
    neck = pelvis + body.trunk * line + sink
    low = high = turned(pitch=np.arctan2((neck - pelvis)[:, 1], (neck - pelvis)[:, 2]))
    pose = start_pose(body, pelvis, low, high, look=rng.uniform(-0.6, 0.1))
    for side, sign in SIDES.items():
        wrist_at = vectors(sign * apart, hands, wrist)
        outwards = np.cos(flare) * -AHEAD + np.sin(flare) * sign * RIGHT
        put_hand(pose, side, wrist_at, outwards + 0.15 * UP, fingers=AHEAD - 0.25 * UP + 0.15 * sign * RIGHT)
        aside = sign * (body.hip_width if knees else body.share(rng.uniform(0.015, 0.06)))
        if knees:
            shin = np.radians(rng.uniform(5, 70))
            knee = vectors(aside, 0.0, support)
            ankle = knee + body.shin * np.array([0.0, -np.cos(shin), np.sin(shin)])
            put_foot(pose, side, ankle, -AHEAD * np.cos(shin) + UP * np.sin(shin), -square)
        else:
            toe = vectors(aside, body.foot * np.cos(tiptoe), body.sole)
            ankle, pointing = foot_from(body, toe, 0.0, tiptoe)
            put_foot(pose, side, ankle, pointing, -square)
    return pose


def wall_push_ups(body: Body, motion: Motion, rng: np.random.Generator) -> Pose:
    """Leaning against a wall at arm's length, straight, the elbows bending; the wall is at `wall_distance`."""
    first, last = wall_leans(body, rng)
    apart, level = body.share(rng.uniform(0.1, 0.17)), rng.uniform(-0.06, 0.05)
    down = motion.swing(rng.uniform(0, 1.2)) * motion.effort.clip(0, 1)
    lean = first + (last - first) * down + 0.006 * motion.wobble[:, 0]
    wall = wall_distance(body, first)
    pitch = body.flat + smooth_step(lean, 0.3, 0.75) * 0.7
    toe = vectors(0.0, body.foot, body.sole)
    ankle, _ = foot_from(body, toe + 0 * lean[:, None], 0.0, pitch)
    line = vectors(0.0, np.sin(lean), np.cos(lean))
    pelvis = ankle + body.leg * 0.998 * line - body.share(0.01) * vectors(0.0, np.cos(lean), -np.sin(lean))
    low = turned(pitch=lean - 0.02)
    high = turned(pitch=lean + rng.uniform(-0.02, 0.08) + 0.015 * motion.wobble[:, 1])
    toes = {side: toe + sign * body.share(0.05) * RIGHT + 0 * pelvis for side, sign in SIDES.items()}
    pose = stand(body, pelvis, low, high, toes, 0.08, {side: pitch for side in SIDES}, look=rng.uniform(-0.35, 0.0))
    height = _shoulder_height(body, first) + body.share(level)
    flare = rng.uniform(0.1, 1.1)
    for side, sign in SIDES.items():
        wrist = vectors(sign * apart, wall - body.share(0.025), height)
        pole = np.sin(flare) * sign * RIGHT - UP * np.cos(flare) - 0.15 * AHEAD
        put_hand(pose, side, wrist + 0 * pelvis, pole, fingers=UP + 0.25 * sign * RIGHT + 0.15 * AHEAD)
    return pose


def wall_leans(body: Body, rng: np.random.Generator) -> tuple[float, float]:
    """How far one leans, in radians, with the arms straight and with them bent."""
    first = rng.uniform(0.12, 0.42)
    bent = rng.uniform(0.65, 0.85) * body.arm / (body.leg + body.trunk)
    return first, first + bent


def wall_distance(body: Body, lean: float) -> float:
    """Metres from the ankles ahead to the wall that straight arms reach, leaning by `lean`."""
    return (body.leg + body.trunk) * np.sin(lean) + 0.88 * body.arm + body.share(0.025)


def _shoulder_height(body: Body, lean: float) -> float:
    """Height of the shoulders, leaning by `lean`."""
    return body.ankle + (body.leg + body.trunk) * np.cos(lean) - body.share(0.03)


def _legs_in_air(pose: Pose, motion: Motion, rng: np.random.Generator, low: np.ndarray, loose: float) -> None:
    """Legs of a handstand: straight together, apart, bent at the knees, or split; `loose` lets them swing."""
    body = pose.body
    manner = pick(rng, straight=4, apart=2, bent=2, split=1.5)
    amount, steps = rng.uniform(0.5, 1.3), np.sin(2 * np.pi * motion.phase)
    for number, (side, sign) in enumerate(SIDES.items()):
        swing = loose * (0.12 * motion.wobble[:, 2 + number] + 0.06 * sign * steps)
        over = swing - 0.03
        knee = 0.08 + 0 * swing
        if manner == "bent":
            over, knee = over - 0.15 * amount, 0.9 * amount + 0.2 * swing
        if manner == "split":
            over, knee = over + (0.55 * amount if number else -0.4 * amount), knee + 0.3 * amount * (1 - number)
        aside = sign * (0.02 if manner != "apart" else 0.3 * amount)
        thigh = low @ turned(pitch=-over, roll=-aside)
        shin = thigh @ turned(pitch=knee)
        ankle = pose.joints[f"{side} hip"] - body.thigh * thigh[..., 2] - body.shin * shin[..., 2]
        put_foot(pose, side, ankle, -0.85 * shin[..., 2] + 0.5 * shin[..., 1], thigh[..., 1])


def handstand_push_ups(body: Body, motion: Motion, rng: np.random.Generator) -> Pose:
    """Upside down on both hands, arms bending until the head meets the ground; the back towards +y."""
    apart = body.share(rng.uniform(0.12, 0.2))
    wrist = body.share(0.03)
    free = rng.random() < 0.3
    lean = rng.uniform(-0.02, 0.12) if not free else rng.uniform(-0.1, 0.05)
    down = motion.swing(rng.uniform(0, 1.2)) * motion.effort.clip(0.85, 1)
    shrug = 0.45 * (1 - down)
    reach = np.sqrt(body.arm**2 - (apart - body.shoulder_width) ** 2) * 0.96
    lowest = body.share(0.195 * body.head**0.7) - wrist
    height = wrist + reach + (lowest - reach) * down + body.shoulder_width * np.sin(shrug) - body.share(0.02)
    tilt = np.pi - lean + 0.02 * motion.wobble[:, 0]
    wobble = (0.05 if free else 0.015) * motion.wobble[:, 1]
    high = turned(pitch=tilt - 0.08 * down, roll=wobble)
    low = turned(pitch=tilt + rng.uniform(-0.1, 0.15), roll=wobble)
    neck = vectors(0.0, -body.share(0.05) * down, height)
    waist = neck - 0.58 * body.trunk * high[..., 2]
    pose = start_pose(
        body, waist - 0.42 * body.trunk * low[..., 2], low, high, look=-0.35 * (1 - down) - 0.1, shrug=shrug
    )
    for side, sign in SIDES.items():
        at = vectors(sign * apart, body.share(0.035), wrist) + 0 * neck
        pole = sign * RIGHT - rng.uniform(0.2, 0.9) * AHEAD
        put_hand(pose, side, at, pole, fingers=AHEAD - 0.25 * UP + 0.25 * sign * RIGHT)
    _legs_in_air(pose, motion, rng, low, 0.9 if free else 0.25)
    return pose


def handstand_walking(body: Body, motion: Motion, rng: np.random.Generator) -> Pose:
    """Upside down, hand before hand along +y, two steps a repetition, the legs balancing."""
    step, swing_share = body.share(rng.uniform(0.1, 0.23)), rng.uniform(0.3, 0.42)
    apart, wrist = body.share(rng.uniform(0.1, 0.13)), body.share(0.03)
    lift, lean = body.share(rng.uniform(0.03, 0.07)), rng.uniform(0.0, 0.2)
    hands = {}
    for number, side in enumerate(SIDES):
        beat = motion.phase + 0.5 * number
        moving = np.clip((beat % 1) / swing_share, 0, 1)
        at = 2 * step * (np.floor(beat) + smooth_step(moving) - 0.5 * number - 0.5)
        hands[side] = vectors(SIDES[side] * apart, at, wrist + lift * 4 * moving * (1 - moving))
    ahead = 2 * step * (motion.phase - swing_share / 2)
    rocking = np.sin(2 * np.pi * (motion.phase - swing_share / 2))
    tilt = np.pi - lean + 0.05 * motion.wobble[:, 0]
    high = turned(pitch=tilt, roll=0.05 * rocking + 0.03 * motion.wobble[:, 1], yaw=0.12 * rocking)
    low = turned(pitch=tilt + rng.uniform(0.05, 0.4), roll=-0.04 * rocking + 0.04 * motion.wobble[:, 1])
    shrug = 0.4
    spare = body.arm**2 - (1.1 * step) ** 2 - body.share(0.05) ** 2
    height = wrist + 0.95 * np.sqrt(spare) + body.shoulder_width * np.sin(shrug) - body.share(0.02)
    neck = vectors(body.share(0.03) * rocking, ahead, height)
    waist = neck - 0.58 * body.trunk * high[..., 2]
    pose = start_pose(body, waist - 0.42 * body.trunk * low[..., 2], low, high, look=-0.45, shrug=shrug)
    for side, sign in SIDES.items():
        put_hand(pose, side, hands[side], sign * RIGHT - 0.8 * AHEAD, fingers=AHEAD - 0.25 * UP + 0.2 * sign * RIGHT)
    _legs_in_air(pose, motion, rng, low, 1.2)
    return pose


def trampoline_jumping(body: Body, motion: Motion, rng: np.random.Generator) -> Pose:
    """Ballistic flight between contacts with the mat: straight, tucked or straddled jumps, twists, somersaults."""
    manner = pick(rng, straight=5, tuck=2.2, straddle=1.4, twist=1.6, somersault=0.8)
    touch = rng.uniform(0.3, 0.4)  # of a repetition, on the mat
    period = 1 / motion.tempo
    airtime = (1 - touch) * period
    speed = GRAVITY * airtime / 2  # m/s at take-off
    depth = min(speed * touch * period / np.pi, 0.35)
    beat = (motion.phase + touch / 2) % 1  # 0 at landing, `touch` at take-off
    air = np.clip((beat - touch) / (1 - touch), 0, 1)
    on_mat = np.sin(np.pi * np.clip(beat / touch, 0, 1))
    feet = GRAVITY / 2 * airtime**2 * air * (1 - air) - depth * on_mat
    airborne = 4 * air * (1 - air)
    folded = airborne**1.5 * (rng.uniform(0.7, 1.0) if manner in ("tuck", "straddle", "somersault") else 0.12)
    crouch = 0.12 * on_mat**2 + 0.05 * (1 - airborne)
    flips = np.floor(motion.phase + touch / 2)
    yaw = motion.wobble[:, 0] * 0.3
    if manner == "twist":
        yaw = yaw + np.pi * rng.choice([1.0, 2.0]) * (flips + smooth_step(air))
    roll_over = 2 * np.pi * smooth_step(air) * rng.choice([-1, 1]) if manner == "somersault" else 0.0
    lean = 0.06 + 0.12 * on_mat + 0.25 * folded
    pelvis = vectors(0.0, 0.0, feet + body.ankle + body.leg * (1 - crouch))
    low = turned(pitch=0.5 * lean - 0.2 * folded, roll=0.05 * motion.wobble[:, 1])
    high = turned(pitch=lean + 0.2 * folded, roll=0.05 * motion.wobble[:, 1])
    pose = start_pose(body, pelvis, low, high, look=-0.3 * lean)
    apart = body.share(rng.uniform(0.04, 0.09))
    for number, (side, sign) in enumerate(SIDES.items()):
        toe = vectors(sign * apart, body.share(0.07), feet + body.sole)
        pitch = body.flat + 0.7 * np.sqrt(airborne)
        ankle, pointing = foot_from(body, toe, sign * 0.1, pitch)
        hip = pose.joints[f"{side} hip"]
        if manner == "straddle":
            drawn = hip + body.leg * 0.97 * unit(vectors(sign * 0.8, 0.75, 0.05))
        else:
            drawn = hip + vectors(0.0, body.share(0.14), -body.share(0.16))
        ankle = ankle + folded[:, None] * (drawn - ankle)
        loose = airborne * body.share(0.03) * motion.wobble[:, 2 + number]
        put_foot(pose, side, ankle + vectors(0.0, loose, 0.0), pointing, AHEAD + 0.2 * sign * RIGHT)
    reach, around = rng.uniform(0.8, 2.6), np.radians(rng.uniform(50, 100))
    for number, side in enumerate(SIDES):
        up = 0.35 + reach * smooth_step(airborne) + 0.15 * motion.wobble[:, 4 + number] * airborne
        if manner in ("tuck", "somersault"):
            up = up * (1 - 0.75 * folded) + 0.5 * folded
        aim_arm(pose, side, up.clip(0.1, 2.9), around * (1 - 0.5 * folded * (manner != "straddle")), bend=0.06)
    return _spun(pose, yaw, roll_over, body)


def _spun(pose: Pose, yaw: np.ndarray, over, body: Body) -> Pose:
    """The pose turned about the vertical through the pelvis by `yaw`, and head over heels by `over`."""
    centre = pose.joints["pelvis"] + body.share(0.05) * UP
    matrix = turned(pitch=over, yaw=yaw)
    spin = partial(np.einsum, "tij,tj->ti", matrix)
    return replace(
        pose,
        joints={name: spin(at - centre) + centre for name, at in pose.joints.items()},
        frames={name: matrix @ frame for name, frame in pose.frames.items()},
        normals={name: spin(normal) for name, normal in pose.normals.items()},
    )


def idle(body: Body, motion: Motion, rng: np.random.Generator) -> Pose:
    """Somebody who stands by, shifting their weight a little."""
    toes = {
        side: vectors(sign * body.share(0.06), body.share(0.08), body.sole) + 0 * motion.time[:, None]
        for side, sign in SIDES.items()
    }
    pelvis = vectors(body.share(0.025) * motion.wobble[:, 0], 0.0, body.standing - body.share(0.004))
    lean = 0.02 * motion.wobble[:, 1]
    low, high = turned(roll=lean), turned(pitch=0.04, roll=-lean, yaw=0.1 * motion.wobble[:, 2])
    pose = stand(body, pelvis, low, high, toes, 0.25, look=0.05 * motion.wobble[:, 3])
    rest_arms(pose, pick(rng, hanging=4, hips=2, folded=2), motion, sway=2.0)
    return pose


@dataclass(frozen=True)
class Exercise:
    """A class of UCF101, and how it is done."""

    label: str
    pose: Callable[[Body, Motion, np.random.Generator], Pose]
    tempo: tuple[float, float]  # repetitions a second, from slow to fast
    pause: float = 0.0  # probability of a rest before a repetition
    swift: bool = False  # limbs or rope move far within a frame


EXERCISES = {
    each.label: each
    for each in (
        Exercise("BodyWeightSquats", body_weight_squats, (0.33, 0.85), 0.25),
        Exercise("HandstandPushups", handstand_push_ups, (0.33, 0.85), 0.25),
        Exercise("HandstandWalking", handstand_walking, (0.55, 1.15), 0.05),
        Exercise("JumpRope", jump_rope, (1.5, 2.5), swift=True),
        Exercise("JumpingJack", jumping_jack, (0.7, 1.4), swift=True),
        Exercise("Lunges", lunges, (0.33, 0.65), 0.25),
        Exercise("PullUps", pull_ups, (0.33, 0.85), 0.25),
        Exercise("PushUps", push_ups, (0.45, 1.2), 0.15),
        Exercise("TrampolineJumping", trampoline_jumping, (0.65, 1.05), swift=True),
        Exercise("WallPushups", wall_push_ups, (0.33, 0.8), 0.2),
    )
}
