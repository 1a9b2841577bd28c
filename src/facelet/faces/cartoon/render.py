"""Renders batches of cartoon faces from their parameters.

Own work. Every shape is an ellipse, a lens or a stroke, evaluated at the pixels of all faces with an edge one pixel wide, so that a
face looks the same at 32 and at 512 pixels. Pixels are computed with arithmetic and comparisons only, without library exponentials
or threads, so the same parameters give the same bytes on every machine.

>>> render(person, expression, view, size=48, channels=1).shape  # each a tuple of (N,) arrays
(N, 48, 48, 1)

Cartoons lack the texture of skin: they show that a pipeline works, not how accurate it is on real faces.
"""

from __future__ import annotations

import copy

import numpy as np

from facelet.faces.cartoon.person import Expression, Floats, Group, Person, View

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
EYES, NOSE, MOUTH = (-0.78, 0.3), (-0.2, 0.7), (0.15, 1.0)
"""Bands of the head (top and bottom, in half heights) that contain these features."""


def render(
    person: Person, expression: Expression, view: View, size: int, channels: int, behind: Floats | None = None
) -> Floats:
    """Faces (N, size, size, channels) float32, mostly in [0, 1]; ``behind`` (same shape) replaces the plain backdrop."""
    person, expression, view = _columns(person), _columns(expression), _columns(view)
    canvas = _Canvas(view, size, channels, behind)
    _head(canvas, person, view)
    _nose(canvas, person, expression)
    _eyes(canvas, person, expression, view)
    _mouth(canvas, person, expression)
    covered = _ellipse(canvas.x - view.cover_x, canvas.y - view.cover_y, view.cover_width, view.cover_height)
    canvas.paint(view.cover, canvas.inside(covered * view.zoom))
    lit = view.light + view.light_x * canvas.x + view.light_y * canvas.y
    for plane in canvas.planes:
        plane *= lit
    return np.stack(canvas.planes, axis=3)


def _columns(group: Group) -> Group:
    """Reshapes (N,) to (N, 1, 1) for broadcasting; colours (N, 3) are unchanged."""
    return type(group)(*(values[:, None, None] if values.ndim == 1 else values for values in group))


class _Canvas:
    """Colour planes, and the coordinates of each pixel in its face.

    ``x, y`` are coordinates in the picture, -1..1; ``u, v`` on the head; ``fu, fv`` of its features, which move over the head
    when it turns. ``side`` is the sign of ``fu`` and ``au`` its absolute value, so that both eyes have the same coordinates.
    """

    def __init__(self, view: View, size: int, channels: int, behind: Floats | None) -> None:
        self.view, self.size, self.channels = view, size, channels
        centres = ((np.arange(size) * 2 + 1) / size - 1).astype(np.float32)
        self.x, self.y = centres[None, None, :], centres[None, :, None]
        self.sharp = size / (2 * view.zoom)
        x, y = (self.x - view.x) * view.zoom, (self.y - view.y) * view.zoom
        self.u, self.v = x * view.cos - y * view.sin, y * view.cos + x * view.sin
        self.fu = (self.u - 0.25 * view.yaw) * (1 + 0.25 * view.yaw * self.u)
        self.fv = self.v - 0.15 * view.pitch
        self.side, self.au = np.sign(self.fu), np.abs(self.fu)
        if behind is None:
            blend = 0.5 + 0.5 * self.y + np.zeros_like(self.x)
            above, below = (self.ink(view.backdrop[:, end]) for end in (0, 1))
            self.planes = [a + blend * (b - a) for a, b in zip(above, below, strict=True)]
        else:
            self.planes = [behind[..., channel].copy() for channel in range(channels)]

    def window(self, band: tuple[float, float]) -> _Canvas:
        """The rows of the picture that contain this band in any face; most features need a third of the pixels."""
        view = self.view
        reach = 0.8 * np.abs(view.sin)
        first = view.y + (band[0] + np.minimum(0.15 * view.pitch, 0) - reach) / view.zoom
        last = view.y + (band[1] + np.maximum(0.15 * view.pitch, 0) + reach) / view.zoom
        start = max(int((first.min() + 1) / 2 * self.size) - 2, 0)
        span = slice(start, max(int((last.max() + 1) / 2 * self.size) + 3, start))
        part = copy.copy(self)
        for name in ("u", "v", "fu", "fv", "side", "au", "y"):
            setattr(part, name, getattr(self, name)[:, span])
        part.planes = [plane[:, span] for plane in self.planes]
        return part

    def ink(self, colour: Floats) -> list[Floats]:
        """Colours (N, 3) as (N, 1, 1) for each plane, luma when grey; blending is linear, so luma may be taken first."""
        red, green, blue = (colour[:, channel, None, None] for channel in range(3))
        return [red, green, blue] if self.channels == 3 else [red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]]

    def inside(self, depth: Floats) -> Floats:
        """Coverage of a shape from the depth inside it, in head units: rises from 0 to 1 over one pixel."""
        return np.clip(depth * self.sharp + 0.5, 0, 1)

    def paint(self, colour: Floats, alpha: Floats) -> None:
        for plane, ink in zip(self.planes, self.ink(colour), strict=True):
            plane += alpha * (ink - plane)


def _ellipse(x: Floats, y: Floats, a: Floats | float, b: Floats | float) -> Floats:
    """Depth inside an ellipse of half axes a and b, to first order at its edge."""
    return (1 - np.square(x / a) - np.square(y / b)) * (0.5 * np.minimum(a, b))


def _stroke(x: Floats, y: Floats, length: Floats | float, weight: Floats | float, bend: Floats | float = 0) -> Floats:
    """Depth inside a stroke of half length ``length`` along x, bent by ``bend`` in its middle, thinning to its ends."""
    middle = 1 - np.square(x / length)
    return weight * (0.4 + 0.6 * middle) - np.abs(y - bend * middle)


def _head(canvas: _Canvas, person: Person, view: View) -> None:
    u, v, inside = canvas.u, canvas.v, canvas.inside
    skin, hair = person.skin, person.hair
    hanging = v - np.clip(v, -0.1, person.length)
    canvas.paint(hair * 0.75, inside(_ellipse(u, hanging, person.width + person.volume, 0.9 + person.volume)))
    canvas.paint(skin * 0.78, inside(_ellipse(u, v - np.clip(v, 0.5, 1.2), 0.36, 0.2)))
    canvas.paint(person.clothes, inside(_ellipse(u, np.minimum(v - 1.95, 0), 1.3, 0.75)))
    canvas.paint(skin * 0.86, inside(_ellipse(np.abs(u) - person.width, v - 0.02, 0.13, 0.2)))
    width = person.width * (1 - person.jaw * np.square(np.clip(v, 0, 1)))
    depth = _ellipse(u, v, width, 1)
    head = inside(depth)
    canvas.paint(skin, head)
    canvas.paint(skin * 0.72, head * np.clip(0.4 - 1.6 * depth, 0, 0.4))
    below = v - 0.4 + 0.55 * np.square(u) - 0.15 * view.pitch
    canvas.paint(hair * 0.9, person.beard * head * np.clip(6 * below, 0, 1))
    above = person.hairline + person.fringe * np.square(u - person.parting) - v + 0.08 * view.pitch
    crown = _ellipse(u, v, width + 0.6 * person.volume, 1 + 0.6 * person.volume)
    front = inside(np.minimum(crown, above))
    canvas.paint(hair, front)
    canvas.paint(np.minimum(hair * 1.35 + 0.03, 1), 0.5 * front * inside(_stroke(u + 0.2, v + 0.86, 0.3, 0.05, -0.06)))


def _nose(canvas: _Canvas, person: Person, expression: Expression) -> None:
    canvas = canvas.window(NOSE)
    au, v, inside = canvas.au, canvas.fv, canvas.inside
    skin = person.skin
    rouge = skin * np.array([1.05, 0.62, 0.6], np.float32)
    canvas.paint(rouge, 1.4 * expression.blush * np.clip(3 * _ellipse(au - 0.45, v - 0.27, 0.24, 0.17), 0, 1))
    fold = 0.5 * np.clip(0.6 * np.maximum(expression.smile, 0) + 0.8 * expression.wrinkle + person.age, 0, 1)
    along = v - 0.42
    canvas.paint(skin * 0.6, fold * inside(_stroke(along, au - 0.3 - 0.6 * along, 0.15, 0.02, 0.03)))
    for height in (-0.06, 0.04):
        slanted = v - height + 0.5 * (au - 0.12)
        canvas.paint(skin * 0.5, 0.9 * expression.wrinkle * inside(_stroke(au - 0.12, slanted, 0.07, 0.022)))
    x = canvas.fu - 0.08 * canvas.view.yaw
    tip = v - 0.2 - person.nose_length + 0.05 * expression.wrinkle
    canvas.paint(skin * 0.58, inside(_stroke(x, tip, person.nose_width, 0.028, 0.06)))
    canvas.paint(np.minimum(skin * 1.12 + 0.03, 1), 0.7 * inside(_ellipse(x + 0.02, tip + 0.04, 0.045, 0.045)))


def _eyes(canvas: _Canvas, person: Person, expression: Expression, view: View) -> None:
    canvas = canvas.window(EYES)
    inside, side = canvas.inside, canvas.side
    x, v = canvas.au - person.eye_gap, canvas.fv + 0.08
    half = 0.135 * person.eye_size
    upper = half * (1 + 0.75 * expression.lid_raise)
    lower = half * (0.8 + 0.25 * np.maximum(expression.lid_raise, 0) - 1.1 * expression.squint)
    y = v - (person.eye_slant + 0.12 * np.maximum(expression.brow_tilt, 0)) * x
    bulge = 1 - np.square(x / (0.23 * person.eye_size))
    middle = 0.5 * (lower - upper) * bulge
    depth = np.maximum(0.5 * (lower + upper), 0.01) * bulge - np.abs(y - middle)
    canvas.paint(person.skin * 0.25, inside(depth + 0.028 - 0.6 * np.maximum(y - middle, 0)))
    canvas.paint(np.full_like(person.skin, 0.97), inside(depth))
    look, down = x - 0.05 * view.gaze * side, y - 0.3 * (lower - upper)
    radius = 0.115 * person.eye_size
    canvas.paint(person.iris, inside(np.minimum(_ellipse(look, down, radius, radius), depth)))
    pupil = np.minimum(_ellipse(look, down, 0.55 * radius, 0.55 * radius), depth)
    canvas.paint(np.full_like(person.skin, 0.05), inside(pupil))
    glint = _ellipse(look * side + 0.04, down + 0.045, 0.034, 0.034)
    canvas.paint(np.full_like(person.skin, 1), inside(np.minimum(glint, depth)))
    brow = v + 0.26 + person.brow_height + 0.16 * expression.brow_raise + 0.16 * expression.brow_odd * side
    arch = -0.05 - 0.04 * np.abs(expression.brow_raise)
    line = _stroke(x, brow - 0.6 * expression.brow_tilt * x, 0.24, person.brow_weight, arch)
    canvas.paint(person.hair * 0.6, inside(line))
    crease = _stroke(v + 0.2, canvas.au - 0.07, 0.1, 0.026)
    canvas.paint(person.skin * 0.5, np.clip(expression.frown, 0, 1) * inside(crease))
    rim = 0.024 - np.abs(_ellipse(x, v, 0.3, 0.27))
    bridge = np.minimum(0.024 - np.abs(v + 0.03), 0.1 - np.abs(canvas.fu))
    canvas.paint(person.clothes * 0.35, person.glasses * inside(np.maximum(rim, bridge)))


def _mouth(canvas: _Canvas, person: Person, expression: Expression) -> None:
    canvas = canvas.window(MOUTH)
    inside = canvas.inside
    width = person.mouth_width * (1 + 0.4 * expression.stretch)
    x = canvas.fu / width
    bulge = 1 - np.square(x)
    corner = np.square(np.clip(x * np.sign(expression.smirk), 0, 1.1)) * np.abs(expression.smirk)
    y = canvas.fv - 0.55 - 0.19 * expression.smile * (bulge - 0.5) + 0.19 * corner
    upper = 0.11 * expression.open + 0.08 * expression.sneer
    lower = 0.22 * expression.open
    boxy = bulge * (1 + np.minimum(np.abs(expression.stretch), 1) * (1 - bulge))
    middle, half = 0.5 * (lower - upper) * boxy, 0.5 * (lower + upper) * boxy
    depth = half - np.abs(y - middle)
    red = person.skin * np.array([0.85, 0.5, 0.5], np.float32)
    canvas.paint(red, inside(depth + person.lips * (0.4 + 0.6 * bulge)))
    canvas.paint(red * 0.3, inside(depth + 0.024 * bulge))
    tongue = np.minimum(depth, _ellipse(canvas.fu, y - middle - half - 0.03, 0.7 * width, 0.14))
    canvas.paint(np.full_like(red, 1) * np.array([0.85, 0.36, 0.36], np.float32), inside(tongue))
    bite = np.minimum(depth, middle - half + 0.16 * expression.teeth - y)
    canvas.paint(np.full_like(red, 0.96), np.clip(4 * expression.teeth, 0, 1) * inside(bite))
