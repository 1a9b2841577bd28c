"""Verification of faces that are small or without colour in the photo.

>>> for result in pair_conditions(model, load_pairs("lfw:lfw_112.zip")):
...     print(result.name, result.scores.at_far(1e-2).tar)

Both faces of a pair are changed, before they are resized for the model. The size of a face is the distance between its eyes in the
photo, which ArcFace's template fixes as a share of the crop; a size that the faces themselves do not have cannot be measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from facelet.faces import PairSet
from facelet.measure.card.corruptions import greyed, shrunk
from facelet.measure.pair_evaluation import framed
from facelet.measure.progress import faces_bar
from facelet.measure.verification import PairScores, cosines, embedded
from facelet.runtime.align import ARCFACE
from facelet.runtime.model import Model

EYES = (70, 50, 30, 20, 15, 10)
"""Distances between the eyes, in pixels."""
BETWEEN = float(np.linalg.norm(ARCFACE[1] - ARCFACE[0])) / 112
"""Distance between the eyes, as a share of ArcFace's square."""

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class ConditionResult:
    """Scores of all pairs under one condition."""

    name: str
    scores: PairScores


def eye_distance(pairs: PairSet) -> float:
    """Returns the distance between the eyes in the faces of ``pairs``, in pixels; they must be aligned to ArcFace's template."""
    return BETWEEN * pairs.size / (1 + 2 * pairs.margin)


def measurable(pairs: PairSet) -> list[int]:
    """Returns the distances of EYES that are smaller than that of the faces, by a pixel at least."""
    return [pixels for pixels in EYES if pixels < round(eye_distance(pairs))]


def pair_conditions(model: Model, pairs: PairSet, console: Console | None = None) -> list[ConditionResult]:
    """Measures an identity model on ``pairs``, at their own size, under each condition; the first is without a change.

    ``console``: where a progress bar is drawn.
    """
    passes = 1 + len(measurable(pairs)) + (pairs.channels == 3)
    with faces_bar(f"{model.path.stem}, conditions", passes * len(pairs.images), console) as advance:
        return _conditions(replace(model, after_batch=advance), pairs)


def _conditions(model: Model, pairs: PairSet) -> list[ConditionResult]:
    own = eye_distance(pairs)
    given = _embedded(model, pairs)
    results = [ConditionResult(f"as given, {own:.0f} px between the eyes", _scored(given, pairs.pairs, pairs))]
    for eyes in measurable(pairs):
        small = partial(shrunk, side=max(1, round(pairs.size * eyes / own)))
        results.append(
            ConditionResult(f"{eyes} px between the eyes", _scored(_embedded(model, pairs, small), pairs.pairs, pairs))
        )
    if pairs.channels == 3:
        grey = _embedded(model, pairs, greyed)
        mixed = pairs.pairs + np.array([0, len(given)])
        results.append(ConditionResult("both grey", _scored(grey, pairs.pairs, pairs)))
        results.append(ConditionResult("the second grey", _scored(np.concatenate([given, grey]), mixed, pairs)))
    return results


def _embedded(model: Model, pairs: PairSet, change: Callable[[Images], Images] | None = None) -> NDArray[np.float32]:
    changed = replace(pairs, images=change(pairs.images)) if change else pairs
    return embedded(model.logits, framed(changed, model.info).images)


def _scored(embeddings: NDArray[np.float32], places: NDArray[np.int64], pairs: PairSet) -> PairScores:
    return PairScores(cosines(embeddings, places), pairs.same, pairs.folds, pairs.protocol.hash)
