"""Toy faces: cartoons with identities, expressions and simulated annotators; no files, no network, the same on every machine.

Own work. A face lies somewhere between rest and an expression, often with a little of another, on a person whose face at rest
may look a bit cross or amused. Ten annotators vote by how near each expression lies and the majority names the face, so weak
faces are honestly ambiguous and soft targets have something to say. Classes are uneven, as in photos from the web.

>>> faces = load("toy?faces=6000&seed=0&classes=8", size=48, channels=1)

Good for demos and for tests of the whole pipeline; figures made with it say nothing about faces of people.
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
"""Annotators: spread of an opinion in the space of Expression, share of random answers, and how much rather they say neutral."""
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
        faces: how many, over all splits.
        seed: of everything; another seed is another population.
        classes: 8, or 7 for those without contempt.
        identities: how many people; 0 is one for every 12 faces. No person is in two splits.
        noise: how hard it is: 0 for portraits in a studio, 1 for snapshots, 3 for bad ones.

    Raises FaceletError for options out of their ranges.
    """
    size, channels = size or 48, channels or 1
    identities = identities or max(faces // 12, 3)
    if path:
        raise FaceletError(f"toy faces are drawn, not read: toy?faces={faces}, not toy:{path}")
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
    who, splits = _meet(faces, identities, rng)
    intended = np.empty(faces, np.int64)
    for split in range(len(SPLITS)):
        here = np.flatnonzero(splits == split)
        intended[here] = rng.permutation(_quota(len(here), classes))
    expression, votes = _act(intended, who, classes, noise, rng)
    labels = (votes + 0.5 * np.eye(classes)[intended]).argmax(axis=1)

    person = rows(draw_people(identities, rng), who)
    view = draw_views(faces, rng, noise)
    images = np.empty((faces, size, size, channels), np.uint8)
    for start in range(0, faces, CHUNK):
        some = slice(start, start + CHUNK)
        drawn = render(rows(person, some), rows(expression, some), rows(view, some), size, channels)
        images[some] = _snap(drawn, noise, np.random.default_rng([seed, 1, start]))
    return FaceSet(
        images=images,
        labels=labels,
        splits=splits,
        names=np.array([f"toy-{seed}-{number:06d}" for number in range(faces)]),
        classes=tuple(PROTOTYPES)[:classes],
        source="toy",
        votes=(votes / ANNOTATORS).astype(np.float32),
        identities=who,
        groups=who,
        rule=f"majority, seed {seed}, noise {noise:g}",
        notes=(f"cartoons: {NO_PEOPLE}",),
        licence="drawn by facelet, Apache-2.0",
        margin=0.1,
    )


def _meet(faces: int, identities: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Who is on each face, and each face's split: people differ in how often they are seen, and each has one split."""
    often = 0.3 + rng.random(identities)
    who = np.repeat(np.arange(identities), 1 + rng.multinomial(faces - identities, often / often.sum()))
    ends = np.maximum.accumulate(np.rint(np.cumsum(SHARES) * identities).astype(int))
    ends[0], ends[1] = min(ends[0], identities - 2), min(ends[1], identities - 1)
    of_person = np.searchsorted(ends, np.arange(identities), side="right").astype(np.int8)
    order = rng.permutation(faces)
    return who[order].astype(np.int64), of_person[who[order]]


def _quota(faces: int, classes: int) -> NDArray[np.int64]:
    """Classes for so many faces, as often as FREQUENCIES says, rounded."""
    ends = np.rint(np.cumsum(FREQUENCIES[:classes]) / FREQUENCIES[:classes].sum() * faces)
    return np.searchsorted(ends, np.arange(faces), side="right")


def _act(
    intended: NDArray[np.int64], who: NDArray[np.int64], classes: int, noise: float, rng: np.random.Generator
) -> tuple[Expression, NDArray[np.int64]]:
    """What each face does, and the votes (N, K) of those who look at it."""
    n = len(intended)
    strength = 0.35 + 0.75 * rng.random(n) ** 0.7
    second = np.where(rng.random(n) < 0.25, rng.integers(0, classes, n), 0)
    blend = 0.5 * strength * rng.random(n)
    meant = strength[:, None] * MOVES[intended] + blend[:, None] * MOVES[second]
    votes = rng.multinomial(ANNOTATORS, _opinion(meant, classes))
    shown = meant + 0.06 * noise * rng.standard_normal(meant.shape)
    shown += (0.08 * noise * rng.standard_normal((who.max() + 1, meant.shape[1])) * _RESTING)[who]
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
"""Where the faces of two people at rest differ."""


def _opinion(meant: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """How likely (N, K) an annotator names each expression: by its distance to a face half done to fully done, and to rest."""
    moves = MOVES[:classes].astype(np.float64)
    done = np.clip(meant @ moves.T / np.maximum((moves**2).sum(axis=1), 1e-9), 0.45, 1)
    distance = ((meant[:, None, :] - done[:, :, None] * moves) ** 2).sum(axis=2)
    likely = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / (2 * DOUBT**2)) + LAPSES
    likely[:, 0] *= RESERVE
    return likely / likely.sum(axis=1, keepdims=True)


def _snap(drawn: Floats, noise: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """What a cheap camera makes of a drawing: blur of up to a pixel, grain, eight bits."""
    n = len(drawn)
    blur = (noise * 0.06 * rng.random((n, 1, 1, 1))).astype(np.float32)
    for axis in (1, 2):
        before, after = (np.roll(drawn, step, axis) for step in (1, -1))
        drawn = drawn + blur * (before + after - 2 * drawn)
    grain = rng.integers(0, 65536, drawn.shape, dtype=np.uint16)
    grain = (grain >> 8).astype(np.float32) + (grain & 255) - 255
    weight = (noise * 0.06 * rng.random((n, 1, 1, 1))).astype(np.float32)
    return np.clip(255 * drawn + weight * grain + 0.5, 0, 255).astype(np.uint8)
