"""Toy faces: cartoons with identities, expressions and simulated annotators, without files and identical on every machine.

Own work. A face is a blend between rest and an expression, often with a second expression, on a person whose face at rest may
also differ slightly from neutral. Ten simulated annotators vote by the distance to each expression and the majority is the
label, so weak expressions are ambiguous and soft targets carry information. Classes are imbalanced, as in photos from the web.

>>> faces = load("toy?faces=6000&seed=0&classes=8", size=48, channels=1)

For demos and tests of the whole pipeline; figures on toy faces say nothing about real faces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.cartoon.person import MOVES, PROTOTYPES, Expression, Floats, draw_people, draw_views, rows
from facelet.faces.cartoon.render import render
from facelet.faces.faceset import SPLITS, FaceSet
from facelet.faces.loading import SOURCES
from facelet.models.model_file import NO_PEOPLE

FREQUENCIES = np.array([0.25, 0.21, 0.14, 0.13, 0.11, 0.06, 0.05, 0.05])
SHARES = np.array([0.7, 0.15, 0.15])
ANNOTATORS = 10
DOUBT, LAPSES, RESERVE = 0.4, 0.01, 2.0
"""Simulated annotators: spread of their votes in the space of Expression, share of random votes, and factor for neutral."""
CHUNK = 32


@SOURCES.register("toy")
def toy(
    path: str = "",
    *,
    size: int | None = None,
    channels: int | None = None,
    faces: int = 6000,
    seed: int = 0,
    classes: int = 8,
    identities: int = 0,
    noise: float = 1.0,
) -> FaceSet:
    """A FaceSet of cartoons, by default 48 pixels and grey.

    Args:
        path: must be empty.
        size: side in pixels, 16 to 1024; 48 when None.
        channels: 1 (grey) or 3 (RGB); 1 when None.
        faces: number of faces in all splits.
        seed: random seed; another seed gives another population.
        classes: 8, or 7 without contempt.
        identities: number of people; 0 is one for every 12 faces. Each person is in one split.
        noise: difficulty, 0 (studio portraits), 1 (snapshots) to 3 (bad snapshots).

    Raises FaceletError for options outside their ranges.
    """
    size, channels = size or 48, channels or 1
    identities = identities or max(faces // 12, 3)
    if path:
        raise FaceletError(f"toy faces are generated and have no path: write toy?faces={faces}, not toy:{path}")
    ranges = {
        "size": (size, 16, 1024), "channels": (channels, 1, 3), "faces": (faces, 30, 10_000_000), "classes": (classes, 7, 8),
        "identities": (identities, 3, faces), "noise": (noise, 0, 3), "seed": (seed, 0, 2**63),
    }  # fmt: skip
    if channels == 2:
        raise FaceletError("toy faces have 1 channel (grey) or 3 (RGB), not 2")
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise FaceletError(f"toy faces: {name}={value} should be between {low} and {high}")

    rng = np.random.default_rng([seed, 0])
    person_of, splits = _people(faces, identities, rng)
    intended = np.empty(faces, np.int64)
    for split in range(len(SPLITS)):
        here = np.flatnonzero(splits == split)
        intended[here] = rng.permutation(_quota(len(here), classes))
    expression, votes = _act(intended, person_of, classes, noise, rng)
    labels = (votes + 0.5 * np.eye(classes)[intended]).argmax(axis=1)

    person = rows(draw_people(identities, rng), person_of)
    view = draw_views(faces, rng, noise)
    images = np.empty((faces, size, size, channels), np.uint8)
    for start in range(0, faces, CHUNK):
        chunk = slice(start, start + CHUNK)
        drawn = render(rows(person, chunk), rows(expression, chunk), rows(view, chunk), size, channels)
        images[chunk] = _snap(drawn, noise, np.random.default_rng([seed, 1, start]))
    return FaceSet(
        images=images,
        labels=labels,
        splits=splits,
        names=np.array([f"toy-{seed}-{number:06d}" for number in range(faces)]),
        classes=tuple(PROTOTYPES)[:classes],
        source="toy",
        votes=(votes / ANNOTATORS).astype(np.float32),
        identities=person_of,
        groups=person_of,
        rule=f"majority, seed {seed}, noise {noise:g}",
        notes=(f"cartoons: {NO_PEOPLE}",),
        licence="drawn by facelet, Apache-2.0",
        margin=0.1,
    )


def _people(faces: int, identities: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Identity and split of each face: people differ in their number of faces, and each is in one split."""
    often = 0.3 + rng.random(identities)
    person_of = np.repeat(np.arange(identities), 1 + rng.multinomial(faces - identities, often / often.sum()))
    ends = np.maximum.accumulate(np.rint(np.cumsum(SHARES) * identities).astype(int))
    ends[0], ends[1] = min(ends[0], identities - 2), min(ends[1], identities - 1)
    split_of = np.searchsorted(ends, np.arange(identities), side="right").astype(np.int8)
    order = rng.permutation(faces)
    return person_of[order].astype(np.int64), split_of[person_of[order]]


def _quota(faces: int, classes: int) -> NDArray[np.int64]:
    """Class of each face (N,), in proportion to FREQUENCIES, rounded."""
    ends = np.rint(np.cumsum(FREQUENCIES[:classes]) / FREQUENCIES[:classes].sum() * faces)
    return np.searchsorted(ends, np.arange(faces), side="right")


def _act(
    intended: NDArray[np.int64], person_of: NDArray[np.int64], classes: int, noise: float, rng: np.random.Generator
) -> tuple[Expression, NDArray[np.int64]]:
    """The expression of each face, and the votes (N, K) of its annotators."""
    n = len(intended)
    strength = 0.35 + 0.75 * rng.random(n) ** 0.7
    second = np.where(rng.random(n) < 0.25, rng.integers(0, classes, n), 0)
    blend = 0.5 * strength * rng.random(n)
    meant = strength[:, None] * MOVES[intended] + blend[:, None] * MOVES[second]
    votes = rng.multinomial(ANNOTATORS, _opinion(meant, classes))
    shown = meant + 0.06 * noise * rng.standard_normal(meant.shape)
    shown += (0.08 * noise * rng.standard_normal((person_of.max() + 1, meant.shape[1])) * _RESTING)[person_of]
    closed = rng.random(n) < 0.35
    for name in ("open", "teeth"):
        column = Expression._fields.index(name)
        shown[:, column] = np.maximum(shown[:, column] * np.where(closed, 0.25, 1), 0)
    for name in ("frown", "wrinkle", "sneer", "blush"):
        column = Expression._fields.index(name)
        shown[:, column] = np.maximum(shown[:, column], 0)
    mirrored = rng.random(n) < 0.5
    for name in ("smirk", "brow_odd"):
        shown[mirrored, Expression._fields.index(name)] *= -1
    return Expression(*shown.T.astype(np.float32)), votes


_RESTING = np.array(
    [name in ("brow_raise", "brow_tilt", "lid_raise", "smile", "squint") for name in Expression._fields]
)
"""Mask of the fields in which people at rest differ."""


def _opinion(meant: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """Probability (N, K) that an annotator votes for each expression, by its distance at half to full strength."""
    moves = MOVES[:classes].astype(np.float64)
    done = np.clip(meant @ moves.T / np.maximum((moves**2).sum(axis=1), 1e-9), 0.45, 1)
    distance = ((meant[:, None, :] - done[:, :, None] * moves) ** 2).sum(axis=2)
    likely = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / (2 * DOUBT**2)) + LAPSES
    likely[:, 0] *= RESERVE
    return likely / likely.sum(axis=1, keepdims=True)


def _snap(drawn: Floats, noise: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Simulates a cheap camera: blur of up to a pixel, grain, conversion to uint8."""
    n = len(drawn)
    blur = (noise * 0.06 * rng.random((n, 1, 1, 1))).astype(np.float32)
    for axis in (1, 2):
        before, after = (np.roll(drawn, step, axis) for step in (1, -1))
        drawn = drawn + blur * (before + after - 2 * drawn)
    grain = rng.integers(0, 65536, drawn.shape, dtype=np.uint16)
    grain = (grain >> 8).astype(np.float32) + (grain & 255) - 255
    weight = (noise * 0.06 * rng.random((n, 1, 1, 1))).astype(np.float32)
    return np.clip(255 * drawn + weight * grain + 0.5, 0, 255).astype(np.uint8)
