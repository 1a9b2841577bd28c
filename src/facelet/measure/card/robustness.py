"""Robustness: what a model still answers rightly when faces are blurred, dark, turned, covered, small or compressed.

>>> trials = on_faces(model, faces, evaluate_model(model, faces))
>>> trials[0].condition, trials[1].condition, trials[1].strength, trials[1].change.measurable
('as they are', 'blur', '1 % of the side', False)

Of a pair only the second picture is made worse: a clear photo was enrolled, a poor one is compared with it. The threshold stays
what it is with clear ones. How the conditions are made is in ``conditions``; real ones come mixed, and with faces not found at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelet.faces import FaceSet, PairSet
from facelet.measure.card.corruptions import Level, levels
from facelet.measure.classification import Classification, evaluate
from facelet.measure.metrics.intervals import Difference, paired_difference, wilson
from facelet.measure.metrics.roc import operating_point
from facelet.measure.verification import cosines, embedded
from facelet.runtime.model import Model

PLAIN = "as they are"
Say = Callable[[str], object]


@dataclass(frozen=True)
class CorruptionResult:
    """A model under one condition.

    Attributes:
        n: faces or pairs. accuracy: share that is answered rightly, with its 95 % interval.
        change: of accuracy against the faces as they are, the same ones; None for those.
        confidence: mean of the highest probability; None for pairs.
        tar, far: share of the pairs of one person, and of two, that is accepted; None for faces.
    """

    condition: str
    strength: str
    n: int
    accuracy: float
    low: float
    high: float
    change: Difference | None
    confidence: float | None = None
    tar: float | None = None
    far: float | None = None


def on_faces(model: Model, faces: FaceSet, plain: Classification, say: Say | None = None) -> list[CorruptionResult]:
    """An expression model on the split of ``faces`` that ``plain``, its answers about them as they are, is of.

    The first trial is of ``plain`` itself. ``say`` is told each condition before it is tried.
    """
    some = faces.split(plain.split)
    found = [_trial(PLAIN, "", plain.correct, None, confidence=_confidence(plain))]
    for level in levels(model.info.input.cut_size):
        _told(say, level)

        def predict(images: NDArray[np.uint8], level: Level = level) -> NDArray[np.float32]:
            return model.probabilities(level.change(images))

        result = evaluate(predict, some, model.info.labels, protocol=plain.protocol)
        found.append(
            _trial(
                level.condition,
                level.strength,
                result.correct,
                result.against(plain),
                confidence=_confidence(result),
            )
        )
    return found


def on_pairs(
    model: Model, pairs: PairSet, embeddings: NDArray[np.float32], threshold: float, say: Say | None = None
) -> list[CorruptionResult]:
    """An identity model on ``pairs`` (of its size) at a ``threshold``, their second pictures made worse.

    ``embeddings`` (N, D): of all faces of ``pairs`` as they are, of which the first trial is. A pair is right when it is accepted
    and of one person, or neither.
    """
    second, place = np.unique(pairs.pairs[:, 1], return_inverse=True)
    places = np.stack([pairs.pairs[:, 0], len(embeddings) + place], 1)
    scores = cosines(embeddings, pairs.pairs)
    plain, point = (scores >= threshold) == pairs.same, operating_point(scores, pairs.same, threshold)
    found = [_trial(PLAIN, "", plain, None, tar=point.tar, far=point.far)]
    for level in levels(model.info.input.cut_size):
        _told(say, level)

        def embed(images: NDArray[np.uint8], level: Level = level) -> NDArray[np.float32]:
            return model.logits(level.change(images))

        worse = embedded(embed, pairs.images[second])
        scores = cosines(np.concatenate([embeddings, worse]), places)
        right, point = (scores >= threshold) == pairs.same, operating_point(scores, pairs.same, threshold)
        change = paired_difference(right, plain)
        found.append(_trial(level.condition, level.strength, right, change, tar=point.tar, far=point.far))
    return found


def _trial(
    condition: str, strength: str, right: NDArray[np.bool_], change: Difference | None, **more: float
) -> CorruptionResult:
    n, count = len(right), int(right.sum())
    return CorruptionResult(condition, strength, n, count / n, *wilson(count, n), change, **more)


def _confidence(result: Classification) -> float:
    return float(result.probabilities.max(1).mean(dtype=np.float64))


def _told(say: Say | None, level: Level) -> None:
    if say:
        say(f"measuring: {level}")
