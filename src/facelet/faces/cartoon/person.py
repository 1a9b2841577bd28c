"""Parameters of cartoon faces (person, expression, view), and random populations of them.

Own work. The fields of ``Expression`` are a simplification of the action units of Ekman and Friesen's Facial Action Coding System
(1978).

>>> person, view = draw_people(100, rng), draw_views(100, rng)
>>> expression = perform(["happiness"] * 100)

The population has eight expressions and no ages, cultures or contexts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from facelet.errors import unknown

Floats = NDArray[Any]


class Person(NamedTuple):
    """Appearance: (N,) each, colours (N, 3) in [0, 1]. Lengths in half heights of the head; brows, eyes and lips as factors."""

    width: Floats
    jaw: Floats
    skin: Floats
    hair: Floats
    iris: Floats
    clothes: Floats
    hairline: Floats
    fringe: Floats
    parting: Floats
    volume: Floats
    length: Floats
    eye_gap: Floats
    eye_size: Floats
    eye_slant: Floats
    brow_height: Floats
    brow_weight: Floats
    nose_length: Floats
    nose_width: Floats
    mouth_width: Floats
    lips: Floats
    age: Floats
    glasses: Floats
    beard: Floats


class Expression(NamedTuple):
    """Facial movements: (N,) each, 0 at rest, about 1 at full strength, negative in the opposite direction."""

    brow_raise: Floats
    brow_tilt: Floats
    brow_odd: Floats
    frown: Floats
    lid_raise: Floats
    squint: Floats
    wrinkle: Floats
    smile: Floats
    smirk: Floats
    stretch: Floats
    open: Floats
    sneer: Floats
    teeth: Floats
    blush: Floats


class View(NamedTuple):
    """Pose, light, background and occlusion: (N,) each, but ``backdrop`` (N, 2, 3), top and bottom colour, and ``cover`` (N, 3).

    Half of the picture's side is ``zoom`` half heights of a head, whose centre is at x, y in -1..1; cos and sin are of the roll
    angle; yaw and pitch are in -1..1. Light is a factor and its gradient. ``cover`` is the colour of an ellipse in front of the
    face.
    """

    zoom: Floats
    x: Floats
    y: Floats
    cos: Floats
    sin: Floats
    yaw: Floats
    pitch: Floats
    gaze: Floats
    light: Floats
    light_x: Floats
    light_y: Floats
    backdrop: Floats
    cover: Floats
    cover_x: Floats
    cover_y: Floats
    cover_width: Floats
    cover_height: Floats


Group = TypeVar("Group", Person, Expression, View)

PROTOTYPES: dict[str, dict[str, float]] = {
    "neutral": {},
    "happiness": {
        "smile": 1, "stretch": 0.5, "open": 0.55, "teeth": 0.7, "squint": 0.75, "blush": 0.5, "brow_raise": 0.15,
    },
    "surprise": {"brow_raise": 1.3, "lid_raise": 0.9, "open": 1.3, "stretch": -0.9},
    "sadness": {"brow_tilt": 1, "brow_raise": 0.1, "lid_raise": -0.5, "smile": -1.1, "stretch": -0.3},
    "anger": {
        "brow_tilt": -1.1, "brow_raise": -0.7, "frown": 1, "lid_raise": -0.2, "squint": 0.3, "smile": -0.45,
        "open": 0.3, "teeth": 0.9,
    },
    "disgust": {
        "brow_tilt": -0.35, "brow_raise": -0.4, "squint": 0.7, "lid_raise": -0.3, "wrinkle": 1, "sneer": 1.2,
        "smile": -0.7, "smirk": 0.4, "teeth": 0.3,
    },
    "fear": {
        "brow_raise": 0.8, "brow_tilt": 1, "lid_raise": 1, "open": 0.6, "stretch": 0.5, "smile": -0.5, "teeth": 0.5,
    },
    "contempt": {"brow_odd": 1.1, "lid_raise": -0.7, "squint": 0.15, "smirk": 1.5, "brow_raise": -0.05},
}  # fmt: skip
"""Each expression at full strength, in FERPlus's order of classes; omitted fields are 0."""

MOVES = np.array([[move.get(name, 0) for name in Expression._fields] for move in PROTOTYPES.values()], np.float32)
"""PROTOTYPES as a table (expressions, fields of Expression)."""

SKIN = (
    (0.98, 0.84, 0.74),
    (0.94, 0.76, 0.62),
    (0.87, 0.67, 0.50),
    (0.76, 0.55, 0.39),
    (0.60, 0.42, 0.29),
    (0.45, 0.30, 0.21),
)
HAIR = (
    (0.12, 0.09, 0.08), (0.20, 0.13, 0.10), (0.30, 0.18, 0.11), (0.50, 0.30, 0.14), (0.85, 0.66, 0.35), (0.64, 0.27, 0.12),
    (0.66, 0.66, 0.68), (0.20, 0.50, 0.55),
)  # fmt: skip
IRIS = ((0.30, 0.19, 0.11), (0.22, 0.13, 0.08), (0.25, 0.42, 0.56), (0.30, 0.46, 0.30))
CLOTHES = (
    (0.80, 0.30, 0.27), (0.24, 0.42, 0.62), (0.25, 0.52, 0.42), (0.90, 0.72, 0.34), (0.38, 0.32, 0.52), (0.92, 0.90, 0.86),
    (0.20, 0.23, 0.28),
)  # fmt: skip
BACKDROP = (
    (0.80, 0.87, 0.92), (0.95, 0.88, 0.77), (0.80, 0.89, 0.80), (0.93, 0.80, 0.79), (0.85, 0.81, 0.92), (0.60, 0.66, 0.72),
    (0.36, 0.40, 0.46), (0.76, 0.72, 0.66),
)  # fmt: skip


def rows(group: Group, index: Any) -> Group:
    """The rows selected by ``index`` (a slice, integers or a mask)."""
    return type(group)(*(column[index] for column in group))


def perform(expressions: Sequence[str], strength: float = 1.0) -> Expression:
    """The named expressions, each at ``strength``. Raises FaceletError for a name that is not in PROTOTYPES."""
    for name in expressions:
        if name not in PROTOTYPES:
            raise unknown("expression", name, PROTOTYPES)
    index = [list(PROTOTYPES).index(name) for name in expressions]
    return Expression(*(strength * MOVES[index]).T)


def draw_people(n: int, rng: np.random.Generator) -> Person:
    """Draws the appearance of ``n`` different people."""
    draws = _Draws(n, rng)
    return Person(
        width=draws.between(0.7, 0.86),
        jaw=draws.between(0.08, 0.42),
        skin=draws.of(SKIN, 0.015),
        hair=draws.of(HAIR, 0.03),
        iris=draws.of(IRIS, 0.03),
        clothes=draws.of(CLOTHES, 0.08),
        hairline=draws.between(-0.8, -0.6),
        fringe=draws.between(0, 0.7),
        parting=draws.between(-0.4, 0.4),
        volume=draws.between(0.03, 0.2),
        length=draws.sometimes(0.4, 0.4, 1.9),
        eye_gap=draws.between(0.34, 0.4),
        eye_size=draws.between(0.88, 1.15),
        eye_slant=draws.between(-0.12, 0.12),
        brow_height=draws.between(-0.03, 0.06),
        brow_weight=draws.between(0.04, 0.075),
        nose_length=draws.between(-0.03, 0.08),
        nose_width=draws.between(0.08, 0.16),
        mouth_width=draws.between(0.3, 0.4),
        lips=draws.between(0.03, 0.065),
        age=draws.sometimes(0.2, 0.4, 0.9),
        glasses=draws.sometimes(0.16, 0.9, 1),
        beard=draws.sometimes(0.2, 0.25, 0.95),
    )


def draw_views(n: int, rng: np.random.Generator, variety: float = 1.0) -> View:
    """Draws ``n`` views; ``variety`` (0 to 3) scales the spread of pose and light, and the frequency of occlusions."""
    draws = _Draws(n, rng)
    roll = variety * (draws.between(-0.05, 0.05) + draws.between(-0.05, 0.05))
    sides = np.sign(draws.between(-1, 1))
    return View(
        zoom=1.1 + variety * draws.between(-0.04, 0.04),
        x=variety * draws.between(-0.025, 0.025),
        y=variety * draws.between(-0.025, 0.025),
        cos=np.cos(roll),
        sin=np.sin(roll),
        yaw=variety * draws.between(-0.3, 0.3),
        pitch=variety * draws.between(-0.2, 0.2),
        gaze=draws.between(-0.7, 0.7),
        light=1 + variety * draws.between(-0.15, 0.05),
        light_x=variety * draws.between(-0.1, 0.1),
        light_y=variety * draws.between(-0.1, 0.05),
        backdrop=np.stack([draws.of(BACKDROP, 0.06), draws.of(BACKDROP, 0.06)], axis=1),
        cover=draws.of(SKIN + CLOTHES, 0.05),
        cover_x=np.where(draws.between(0, 1) < 0.04 * variety, sides * draws.between(0.4, 0.8), 9).astype(np.float32),
        cover_y=draws.between(-0.3, 0.9),
        cover_width=draws.between(0.25, 0.5),
        cover_height=draws.between(0.15, 0.45),
    )


class _Draws:
    """Generator of columns of n random float32 numbers."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self.n, self.rng = n, rng

    def between(self, low: float, high: float) -> Floats:
        return self.rng.uniform(low, high, self.n).astype(np.float32)

    def sometimes(self, share: float, low: float, high: float) -> Floats:
        """Uniform numbers in a ``share`` of the rows, 0 in the others."""
        return np.where(self.rng.random(self.n) < share, self.between(low, high), 0).astype(np.float32)

    def of(self, palette: Sequence[Sequence[float]], spread: float) -> Floats:
        """Colours (n, 3) near random colours of a palette."""
        near = np.array(palette)[self.rng.integers(0, len(palette), self.n)]
        return np.clip(near + self.rng.uniform(-spread, spread, (self.n, 3)), 0.02, 0.99).astype(np.float32)
