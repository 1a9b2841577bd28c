"""The parity gate: a model file must answer as the net it was made from, preprocessing included.

>>> check(lambda faces: torch_logits(net, spec, faces), "student.onnx", faces.images[:16])
1.2e-06

It holds two ways of computing against each other on the given faces. It does not say that either is right.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facelet.errors import FaceletError
from facelet.runtime.model import Model

BATCHES = (1, 3, 16)
"""Alone, an odd few, many: an export that has frozen its batch fails one of them."""


def check(
    reference: Callable[[NDArray[np.uint8]], ArrayLike],
    path: str | Path,
    faces: NDArray[np.uint8],
    tolerance: float = 1e-4,
    batches: tuple[int, ...] = BATCHES,
    speed: float | None = None,
) -> float:
    """The largest difference between two ways to logits, as a share of the largest logit where that is above 1; to embeddings
    of an identity model, whose length means nothing, as a share of the largest number in any case.

    Args:
        reference: uint8 (N, H, W, C) faces to logits (N, K), by other code than the runtime's.
        path: model file, run by ``facelet.runtime``.
        faces: uint8 (N, H, W, C), repeated where a batch is larger than N.
        speed: of a model that stops early, see ``Model.load``.

    Raises FaceletError when a difference is above ``tolerance``, shapes differ or an answer is not a number.
    """
    if not len(faces):
        raise FaceletError(f"no faces to check {path} with")
    model = Model.load(path, threads=1, speed=speed)
    worst, least = 0.0, 1.0 if model.info.task == "expression" else 1e-30
    for batch in batches:
        some = faces[np.arange(batch) % len(faces)]
        ours, theirs = np.asarray(model.logits(some), np.float64), np.asarray(reference(some), np.float64)
        if ours.shape != theirs.shape:
            raise FaceletError(f"{path} answers {batch} faces with {ours.shape}, its net with {theirs.shape}")
        difference = np.abs(ours - theirs).max() / max(least, float(np.abs(theirs).max()))
        if not difference <= tolerance:  # so written, NaN fails too
            raise FaceletError(
                f"{path} does not answer as its net does: logits differ by {difference:.2g} on {batch} faces, "
                f"allowed is {tolerance:.2g}"
            )
        worst = max(worst, float(difference))
    return worst
