"""Faces in memory: pixels, labels, votes, identities, groups and splits, with their protocol.

>>> faces = load("toy?faces=200", size=48)
>>> faces.images.shape, faces.split("test").images.dtype
((200, 48, 48, 1), dtype('uint8'))
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.protocol import FACES, Protocol
from facelet.io import pixels

SPLITS = ("train", "val", "test")
PER_FACE = ("images", "labels", "splits", "names", "votes", "identities", "groups", "agreement", "synthetic")
"""The fields of a FaceSet with one entry per face."""
HASHED = 1024
"""Number of faces hashed at once."""
KEPT = 4
"""Number of cached selections of a set: training, validation and test faces, and one more."""


@dataclass
class FaceSet:
    """N faces of one size.

    Attributes:
        images: uint8 (N, H, W, C), C is 1 (grey) or 3 (RGB); may be a memory map.
        labels: int64 (N,), index into ``classes``; -1 where a face has no label.
        splits: int8 (N,), index into SPLITS.
        names: str (N,), unique, stable between machines: a relative path or a row id.
        classes: label names in label order; () for faces without labels.
        source: name of the source.
        votes: float32 (N, K), annotators' votes as shares that sum to 1, zeros for faces without votes; or None.
        agreement: float32 (N,), share of all annotators of a face who chose its label, or None. It counts votes for no
            class ("unknown"), ``votes`` does not.
        identities: int64 (N,), number of the person, -1 unknown, or None.
        groups: int64 (N,), number of the group (subject, clip), or None. Faces of one group must be in the same split.
        synthetic: bool (N,), which faces were generated, or None if none. Only training faces may be synthetic.
        rule: see Protocol.
        notes: see Protocol.
        licence: licence of the data, one line, copied to model files.
        margin: share of YuNet's box, or of ArcFace's square for aligned faces, added on each side. A model trained on these
            faces crops photos with the same margin.

    Raises FaceletError when the fields do not fit together.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    splits: NDArray[np.int8]
    names: NDArray[np.str_]
    classes: tuple[str, ...]
    source: str
    votes: NDArray[np.float32] | None = None
    identities: NDArray[np.int64] | None = None
    groups: NDArray[np.int64] | None = None
    agreement: NDArray[np.float32] | None = None
    synthetic: NDArray[np.bool_] | None = None
    rule: str = ""
    notes: tuple[str, ...] = ()
    licence: str = "unknown"
    margin: float = 0.0
    _selections: dict[bytes, FaceSet] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        n = len(self.images)
        if self.images.ndim != 4 or self.images.dtype != np.uint8 or self.images.shape[3] not in (1, 3):
            raise FaceletError(f"images must be uint8 (N, H, W, 1 or 3), not {self.images.dtype} {self.images.shape}")
        for name in PER_FACE[1:]:
            value = getattr(self, name)
            if value is not None and len(value) != n:
                raise FaceletError(f"{self.source}: {len(value)} {name} for {n} images")
        if self.votes is not None and self.votes.shape != (n, len(self.classes)):
            raise FaceletError(f"{self.source}: votes are {self.votes.shape}, expected {(n, len(self.classes))}")
        if n and (self.labels.min() < -1 or self.labels.max() >= max(len(self.classes), 1)):
            raise FaceletError(f"{self.source}: a label is outside 0..{len(self.classes) - 1}")
        if n and not 0 <= self.splits.min() <= self.splits.max() < len(SPLITS):
            raise FaceletError(f"{self.source}: a split is outside 0..{len(SPLITS) - 1}")
        if self.synthetic is not None and self.splits[self.synthetic].any():
            raise FaceletError(
                f"{self.source}: synthetic faces are in val or test; only training faces may be synthetic"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side of the (square) faces in pixels."""
        return int(self.images.shape[1])

    @property
    def channels(self) -> int:
        return int(self.images.shape[3])

    def take(self, index: NDArray[Any]) -> FaceSet:
        """The faces selected by ``index`` (integers or a mask), in its order.

        A contiguous range is a view, so a split of a memory-mapped set stays on disk. Other selections are copies; the last KEPT
        of them are cached, because every step of a run selects the same faces.
        """
        chosen = np.flatnonzero(index) if index.dtype == bool else index
        together = len(chosen) > 0 and chosen[0] >= 0 and bool((np.diff(chosen) == 1).all())
        if together and chosen[-1] < len(self):
            return self._at(slice(int(chosen[0]), int(chosen[-1]) + 1))
        key = hashlib.blake2b(np.ascontiguousarray(chosen, np.int64).data, digest_size=16).digest()
        taken = self._selections.pop(key, None) or self._at(chosen)
        self._selections[key] = taken  # most recent last
        while len(self._selections) > KEPT:
            del self._selections[next(iter(self._selections))]
        return taken

    def _at(self, rows: slice | NDArray[Any]) -> FaceSet:
        values = {name: getattr(self, name) for name in PER_FACE}
        selected: dict[str, Any] = {name: None if value is None else value[rows] for name, value in values.items()}
        return replace(self, **selected)

    def split(self, name: str) -> FaceSet:
        """The faces of one split. Raises FaceletError when the split is empty."""
        index = np.flatnonzero(self.splits == SPLITS.index(name))
        if not len(index):
            here = [split for split in SPLITS if self.has(split)]
            raise FaceletError(f"{self.source} has no {name} faces; it has {' and '.join(here) or 'none at all'}")
        return self.take(index)

    def labelled(self, split: str) -> FaceSet:
        """The faces of one split that have a label. Raises FaceletError when there are none."""
        known = (self.splits == SPLITS.index(split)) & (self.labels >= 0)
        if not known.any():
            raise FaceletError(f"{self.source} has no labelled {split} faces")
        return self.take(known)

    def has(self, split: str) -> bool:
        return bool((self.splits == SPLITS.index(split)).any())

    @cached_property
    def pixels_hash(self) -> str:
        """See ``hash_of_pixels``."""
        return hash_of_pixels(self.images)

    @property
    def protocol(self) -> Protocol:
        counts: dict[str, dict[str, int]] = {}
        for number, split in enumerate(SPLITS):
            if not self.classes:
                counts |= {split: {FACES: int((self.splits == number).sum())}} if self.has(split) else {}
                continue
            labels = self.labels[(self.splits == number) & (self.labels >= 0)]
            if len(labels):
                totals = np.bincount(labels, minlength=len(self.classes))
                counts[split] = dict(zip(self.classes, map(int, totals), strict=True))
        lines = sorted(
            f"{SPLITS[s]}/{n}/{k}" for s, n, k in zip(self.splits, self.names.tolist(), self.labels, strict=True)
        )
        split_hash = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
        return Protocol(self.source, self.rule, self.classes, counts, split_hash, self.notes)

    def fitted(self, size: int, channels: int, margin: float | None = None) -> FaceSet:
        """The faces at ``size`` pixels, in ``channels`` (1 grey, 3 RGB), with ``margin``; None keeps their margin."""
        after = self.margin if margin is None else margin
        images = pixels.fitted(self.images, size, channels, self.margin, after)
        return self if images is self.images else replace(self, images=images, margin=after)


def hash_of_pixels(images: NDArray[np.uint8]) -> str:
    """BLAKE2b of shape and pixels of images (N, H, W, C), 16 hex digits; read in parts, so that a memory map stays on disk."""
    digest = hashlib.blake2b(str(images.shape).encode(), digest_size=8)
    for start in range(0, len(images), HASHED):
        digest.update(np.ascontiguousarray(images[start : start + HASHED]).data)
    return digest.hexdigest()


def annotator_agreement(faces: FaceSet) -> float | None:
    """Mean share of annotators who agree with the label, a reference value for accuracies; None if the set has none.

    0.785 on FERPlus's test faces under the majority rule.
    """
    return float(faces.agreement.mean(dtype=np.float64)) if faces.agreement is not None and len(faces) else None


Source = Callable[..., FaceSet]
"""``source(path: str, *, size: int | None, channels: int | None, **options) -> FaceSet``; None: the source's own value."""
