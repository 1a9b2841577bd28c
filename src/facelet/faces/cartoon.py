"""Draws cartoon faces, many at once, from numbers: who it is, what the face does, how it is seen.

Own work; the muscles follow the action units of Ekman and Friesen's FACS (1978), simplified. Every shape is one of three
formulas (an ellipse, a lens, a stroke) evaluated at all pixels of all faces, with an edge one pixel wide, so that a face looks
the same at 32 and at 512 pixels. Only +, -, *, / and comparisons touch pixels: the same numbers give the same bytes anywhere.

>>> render(person, expression, view, size=48, channels=1).shape  # each a tuple of (N,) arrays
(N, 48, 48, 1)

Cartoons teach a net what it takes to test a pipeline; nothing learned from them is worth anything on people.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
EYES, NOSE, MOUTH = (-0.62, 0.24), (-0.2, 0.62), (0.2, 1.0)
"""Bands of the face, in v, outside which the features of that name are never drawn."""


class Person(NamedTuple):
    """Who it is. Lengths in half heights of the head; colours (N, 3) in [0, 1]; the rest (N,)."""

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
    """What the face does, about 0 at rest and 1 when done fully; all (N,)."""

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
    """How it is seen: all (N,), but ``backdrop`` (N, 2, 3) and ``cover`` (N, 3).

    ``zoom`` is how many half heights of a head fit in half the picture; x, y are the head's centre, -1..1; ``cos`` and ``sin`` are
    of the roll; light_x, light_y its gradient; cover_* an ellipse in front of the face, none where its width is 0.
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


Rows = TypeVar("Rows", Person, Expression, View)


def rows(group: Rows, index: slice | NDArray[np.intp]) -> Rows:
    """The faces that ``index`` selects."""
    return type(group)(*(column[index] for column in group))


def render(
    person: Person, expression: Expression, view: View, size: int, channels: int, behind: Floats | None = None
) -> Floats:
    """Faces (N, size, size, channels) float32, mostly in [0, 1]; ``behind`` (same shape) replaces the plain backdrop."""
    person, expression, view = (type(group)(*map(_column, group)) for group in (person, expression, view))
    canvas = _Canvas(view, size, channels, behind)
    _head(canvas, person, expression, view)
    _nose(canvas, person, expression)
    _eyes(canvas, person, expression, view)
    _mouth(canvas, person, expression)
    canvas.ellipse(
        view.cover, canvas.x - view.cover_x, canvas.y - view.cover_y, view.cover_width, view.cover_height, soft=1
    )
    lit = view.light + view.light_x * canvas.x + view.light_y * canvas.y
    for plane in canvas.planes:
        plane *= lit
    return np.stack(canvas.planes, axis=3)


def _column(values: Floats) -> Floats:
    """(N,) to (N, 1, 1) against pictures; colours (N, 3) stay."""
    return values[:, None, None] if values.ndim == 1 else values


class _Canvas:
    """Colour planes, and where each pixel lies in its face.

    ``x, y`` are in the picture, -1..1; ``u, v`` on the head; ``side`` (-1 or 1), ``fu`` (|u|) and ``fv`` on its features, which
    slide over the head as it turns.
    """

    def __init__(self, view: View, size: int, channels: int, behind: Floats | None) -> None:
        centres = ((np.arange(size, dtype=np.float32) * 2 + 1) / size - 1).astype(np.float32)
        self.view, self.channels = view, channels
        self.x, self.y = centres[None, None, :], centres[None, :, None]
        x, y = (self.x - view.x) * view.zoom, (self.y - view.y) * view.zoom
        self.u, self.v = x * view.cos + y * view.sin, y * view.cos - x * view.sin
        turned = (self.u - 0.3 * view.yaw) * (1 + 0.25 * view.yaw * self.u)
        self.side, self.fu, self.fv = np.sign(turned), np.abs(turned), self.v - 0.16 * view.pitch
        self.turned = turned
        self.sharp = size / (2 * view.zoom)
        if behind is None:
            top, bottom = (self.ink(view.backdrop[:, end]) for end in (0, 1))
            blend = 0.5 + 0.5 * self.y
            self.planes = [a + blend * (b - a) + np.zeros_like(self.u) for a, b in zip(top, bottom, strict=True)]
        else:
            self.planes = [behind[..., channel].copy() for channel in range(channels)]

    def ink(self, colour: Floats) -> list[Floats]:
        """(N, 3) as (N, 1, 1) a plane: luma when grey. Blending is linear, so grey faces are the colour ones' luma."""
        planes = [colour @ LUMA] if self.channels == 1 else list(colour.T)
        return [plane[:, None, None] for plane in planes]

    def window(self, band: tuple[float, float]) -> _Canvas:
        """A view of the picture rows in which some face has this band of v: most features need a third of the pixels."""
        view, size = self.view, self.planes[0].shape[1]
        reach = 0.8 * np.abs(view.sin)
        top = view.y + (band[0] + np.minimum(0.16 * view.pitch, 0) - reach) / view.zoom
        bottom = view.y + (band[1] + np.maximum(0.16 * view.pitch, 0) + reach) / view.zoom
        span = slice(
            max(int((top.min() + 1) / 2 * size) - 1, 0), min(int((bottom.max() + 1) / 2 * size) + 2, size)
        )
        part = object.__new__(_Canvas)
        part.__dict__.update(self.__dict__)
        for name in ("u", "v", "side", "fu", "fv", "turned"):
            setattr(part, name, getattr(self, name)[:, span])
        part.y = self.y[:, span]
        part.planes = [plane[:, span] for plane in self.planes]
        return part

    def paint(self, colour: Floats, alpha: Floats) -> None:
        for plane, ink in zip(self.planes, self.ink(colour), strict=True):
            plane += alpha * (ink - plane)

    def inside(self, depth: Floats) -> Floats:
        """Coverage of a shape from the depth inside it, in head units: 0 outside, 1 inside, a pixel wide between."""
        return np.clip(depth * self.sharp + 0.5, 0, 1)

    def ellipse(self, colour: Floats, x: Floats, y: Floats, a: Floats | float, b: Floats | float, soft: float = 0) -> None:
        """Fills an ellipse with half axes a and b."""
        self.paint(colour, self.inside(_ellipse(x, y, a, b)))


def _ellipse(x: Floats, y: Floats, a: Floats | float, b: Floats | float) -> Floats:
    """Depth inside an ellipse, right to first order at its edge."""
    return (1 - (x / a) ** 2 - (y / b) ** 2) * (0.5 * np.minimum(a, b))
