"""Pairs of faces, of the same or different people, for measuring verification.

>>> pairs = load_pairs("lfw:lfw_112.zip")
>>> len(pairs), pairs.images.shape, int(pairs.same.sum()), pairs.folds.max() + 1
(6000, (7701, 112, 112, 3), 3000, 10)

Each fold is measured with a threshold chosen on the other folds. A PairSet is not for training and has no splits.

``draw_pairs`` draws pairs of people outside the training set, to choose a threshold without the test set. Faces of one person come
from one source and share more than the person, so these figures are optimistic: use them to compare models, not as results.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.faceset import FaceSet, hash_of_pixels
from facelet.faces.protocol import Protocol
from facelet.io import pixels

KINDS = ("different", "same")


@dataclass(frozen=True, eq=False)
class PairSet:
    """P pairs among N faces of one size.

    Attributes:
        images: uint8 (N, H, W, C), C is 1 (grey) or 3 (RGB).
        names: str (N,), unique, "Name/Name_0001.jpg".
        pairs: int64 (P, 2), indices into ``images``.
        same: bool (P,), whether both faces are of the same person.
        folds: int64 (P,), 0 to F - 1; every fold has pairs of both kinds.
        source: see Protocol.
        rule: see Protocol.
        notes: see Protocol.
        licence: licence of the data, one line.
        margin: see FaceSet.

    Raises FaceletError when the fields do not fit together.
    """

    images: NDArray[np.uint8]
    names: NDArray[np.str_]
    pairs: NDArray[np.int64]
    same: NDArray[np.bool_]
    folds: NDArray[np.int64]
    source: str
    rule: str = ""
    notes: tuple[str, ...] = ()
    licence: str = "unknown"
    margin: float = 0.0

    def __post_init__(self) -> None:
        count, faces = len(self.pairs), len(self.images)
        if self.images.ndim != 4 or self.images.dtype != np.uint8 or self.images.shape[3] not in (1, 3):
            raise FaceletError(f"images must be uint8 (N, H, W, 1 or 3), not {self.images.dtype} {self.images.shape}")
        if len(self.names) != faces:
            raise FaceletError(f"{self.source}: {len(self.names)} names for {faces} images")
        if self.pairs.shape != (count, 2) or self.same.shape != (count,) or self.folds.shape != (count,):
            raise FaceletError(
                f"{self.source}: pairs {self.pairs.shape}, same {self.same.shape} and folds {self.folds.shape} "
                "should be (P, 2), (P,) and (P,)"
            )
        if count and not 0 <= self.pairs.min() <= self.pairs.max() < faces:
            raise FaceletError(f"{self.source}: a pair has a face index outside 0..{faces - 1}")
        kinds = {(int(fold), bool(same)) for fold, same in zip(self.folds, self.same, strict=True)}
        if kinds != {(fold, same) for fold in range(self.fold_count) for same in (False, True)} or self.fold_count < 2:
            raise FaceletError(
                f"{self.source}: expected two folds or more, numbered from 0, with pairs of both kinds in each"
            )

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pairs)

    @property
    def fold_count(self) -> int:
        return int(self.folds.max()) + 1 if len(self.folds) else 0

    @property
    def size(self) -> int:
        """Side of the (square) faces in pixels."""
        return int(self.images.shape[1])

    @property
    def channels(self) -> int:
        return int(self.images.shape[3])

    @property
    def protocol(self) -> Protocol:
        """The protocol of the pairs; the two kinds are counted as two classes of a test split."""
        names = self.names.tolist()
        lines = sorted(
            f"{fold}/{names[first]}/{names[second]}/{int(same)}"
            for fold, (first, second), same in zip(self.folds, self.pairs, self.same, strict=True)
        )
        split_hash = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
        together = int(self.same.sum())
        counts = {"test": dict(zip(KINDS, (len(self) - together, together), strict=True))}
        return Protocol(self.source, self.rule, KINDS, counts, split_hash, self.notes)

    @cached_property
    def pixels_hash(self) -> str:
        """See ``hash_of_pixels``."""
        return hash_of_pixels(self.images)

    def fitted(self, size: int, channels: int, margin: float | None = None) -> PairSet:
        """The pairs with faces at ``size`` pixels, in ``channels`` (1 grey, 3 RGB), with ``margin``; None keeps their margin."""
        after = self.margin if margin is None else margin
        images = pixels.fitted(self.images, size, channels, self.margin, after)
        return self if images is self.images else replace(self, images=images, margin=after)


PairSource = Callable[..., PairSet]
"""``source(path: str, *, size: int | None, channels: int | None, **options) -> PairSet``; None: the source's own value."""


FOLDS = 10


def draw_pairs(faces: FaceSet, count: int = 3000, seed: int = 0) -> PairSet:
    """Draws up to ``count`` distinct same-person pairs and up to ``count`` different-person pairs, in FOLDS folds.

    All possible pairs of a kind are equally likely. Raises FaceletError when ``faces`` have no identities, or fewer than FOLDS
    pairs of either kind.
    """
    identities = np.full(len(faces), -1) if faces.identities is None else faces.identities
    rng = np.random.default_rng(seed)
    same = _same_pairs(identities, count, rng)
    different = _different_pairs(identities, count, rng)
    if min(len(same), len(different)) < FOLDS:
        raise FaceletError(
            f"{faces.source}: {len(same)} pairs of one person and {len(different)} of two are too few; "
            f"expected at least {FOLDS} of each"
        )
    return PairSet(
        images=faces.images,
        names=faces.names,
        pairs=np.concatenate([same, different]),
        same=np.arange(len(same) + len(different)) < len(same),
        folds=np.concatenate([np.arange(len(same)), np.arange(len(different))]) % FOLDS,
        source=f"pairs of {faces.source}",
        rule=f"{FOLDS} folds, {len(same)} + {len(different)} drawn, seed {seed}",
        notes=faces.notes,
        licence=faces.licence,
        margin=faces.margin,
    )


def _same_pairs(identities: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n, 2) same-person pairs; pair k of a person with m faces is (i, j), i < j, counted row by row."""
    people, sizes = np.unique(identities[identities >= 0], return_counts=True)
    ends = np.cumsum(sizes * (sizes - 1) // 2)
    total = int(ends[-1]) if len(ends) else 0
    chosen = np.sort(rng.choice(total, min(count, total), replace=False))
    person = np.searchsorted(ends, chosen, side="right")
    pairs = []
    for number in np.unique(person):
        members = np.flatnonzero(identities == people[number])
        first, second = np.triu_indices(len(members), 1)
        rows = chosen[person == number] - (ends[number] - len(first))
        pairs.append(np.stack([members[first[rows]], members[second[rows]]], 1))
    return np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64)


def _different_pairs(identities: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n, 2) different-person pairs, drawn repeatedly until there are ``count`` distinct ones, at most 20 times."""
    known = np.flatnonzero(identities >= 0)
    pairs: set[tuple[int, int]] = set()
    for _ in range(20 if len(known) else 0):
        drawn = np.sort(rng.choice(known, (2 * count, 2)), axis=1)
        drawn = drawn[identities[drawn[:, 0]] != identities[drawn[:, 1]]]
        for pair in map(tuple, drawn.tolist()):
            if len(pairs) == count:
                break
            pairs.add(pair)
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)
