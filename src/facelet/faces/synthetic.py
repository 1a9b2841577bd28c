"""Synthetic faces: made by a net from training faces, for training alone.

>>> made = synthetic_faces(images, labels, sources, like=train, rule="CycleGAN from happiness")
>>> made.names[0]
'synthetic/sadness/fer0012345.png'
>>> more = joined(train, made)

A FaceSet refuses them in val and test, and a pack remembers which they are: nothing can be measured with faces that a net drew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.faceset import FaceSet


def synthetic_faces(
    images: NDArray[np.uint8], labels: NDArray[np.int64], sources: Sequence[str], *, like: FaceSet, rule: str
) -> FaceSet:
    """Training faces (N, H, W, C) of the classes and licence of ``like``, named for the faces they were made from.

    All votes, where ``like`` has them, are for the label.
    """
    count, classes = len(images), like.classes
    return FaceSet(
        images=images,
        labels=np.asarray(labels, np.int64),
        splits=np.zeros(count, np.int8),
        names=np.array([f"synthetic/{classes[k]}/{name}" for k, name in zip(labels, sources, strict=True)], np.str_),
        classes=classes,
        source="synthetic",
        votes=None if like.votes is None else np.eye(len(like.classes), dtype=np.float32)[labels],
        synthetic=np.ones(count, bool),
        rule=rule,
        licence=like.licence,
        margin=like.margin,
    )


def joined(train: FaceSet, made: FaceSet) -> FaceSet:
    """Training faces and, behind them, synthetic ones. Who these are, and of which group, is not known.

    All pixels are brought into memory. Raises FaceletError when ``made`` is of another kind, or has faces that are not synthetic.
    """
    kinds = [(faces.images.shape[1:], faces.classes) for faces in (train, made)]
    if kinds[0] != kinds[1]:
        raise FaceletError(
            f"{made.source}: its faces are of another size, colour or classes than those of {train.source}"
        )
    if made.synthetic is None or not made.synthetic.all():
        raise FaceletError(
            f"{made.source} holds faces that are not synthetic; give those by a face source of their own"
        )
    if train.splits.any():
        raise FaceletError(
            f"synthetic faces join training faces alone, and those of {train.source} have others among them"
        )
    count = len(made)
    both: dict[str, Any] = {
        name: np.concatenate([getattr(train, name), getattr(made, name)])
        for name in ("images", "labels", "splits", "names")
    }
    before = np.zeros(len(train), bool) if train.synthetic is None else train.synthetic
    both["synthetic"] = np.concatenate([before, np.ones(count, bool)])
    if train.votes is not None:
        assert made.votes is not None
        both["votes"] = np.concatenate([train.votes, made.votes])
    for name in ("identities", "groups"):
        if (known := getattr(train, name)) is not None:
            both[name] = np.concatenate([known, np.full(count, -1, np.int64)])
    return replace(train, agreement=None, **both)
