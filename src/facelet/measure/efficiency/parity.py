"""Parity check: a model file must compute the same outputs as its net, including preprocessing.

>>> check(lambda faces: torch_logits(net, spec, faces), "student.onnx", faces.images[:16])
1.2e-06

The check compares two implementations on the given faces. It does not show that either is correct.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facelet.errors import FaceletError
from facelet.runtime.model import Model

BATCHES = (1, 3, 16)
"""Batch sizes to check: an export with a fixed batch size fails at least one of them."""


def check(
    reference: Callable[[NDArray[np.uint8]], ArrayLike],
    path: str | Path,
    faces: NDArray[np.uint8],
    tolerance: float = 1e-4,
    batches: tuple[int, ...] = BATCHES,
    speed: float | None = None,
) -> float:
    """Returns the largest difference between the model file's outputs and a reference implementation.

    The difference is relative to the largest logit if that is above 1; for embeddings, whose scale has no meaning, it is always
    relative to the largest value.

    Args:
        reference: function from uint8 faces (N, H, W, C) to logits (N, K), independent of the runtime.
        path: model file, run by ``facelet.runtime``.
        faces: uint8 (N, H, W, C), repeated for batches larger than N.
        tolerance: largest accepted difference.
        batches: batch sizes to check.
        speed: for early-exit models, see ``Model.load``.

    Raises FaceletError when the difference exceeds ``tolerance``, shapes differ or an output is NaN.
    """
    if not len(faces):
        raise FaceletError(f"no faces to check {path} with")
    model = Model.load(path, threads=1, speed=speed)
    worst, least = 0.0, 1.0 if model.info.task == "expression" else 1e-30
    for batch in batches:
        images = faces[np.arange(batch) % len(faces)]
        actual, expected = np.asarray(model.logits(images), np.float64), np.asarray(reference(images), np.float64)
        if actual.shape != expected.shape:
            raise FaceletError(f"{path} returns shape {actual.shape} for {batch} faces, its net {expected.shape}")
        difference = np.abs(actual - expected).max() / max(least, float(np.abs(expected).max()))
        if not difference <= tolerance:  # written this way, NaN fails too
            raise FaceletError(
                f"{path} does not match its net: logits differ by {difference:.2g} on {batch} faces, "
                f"the tolerance is {tolerance:.2g}"
            )
        worst = max(worst, float(difference))
    return worst
