"""Robustness: accuracy on faces that are blurred, dark, rotated, covered, small or compressed.

>>> trials = on_faces(model, faces, evaluate_model(model, faces))
>>> trials[0].condition, trials[1].condition, trials[1].strength, trials[1].change.measurable
('original', 'blur', '1 % of the side', False)

Only the second image of a pair is corrupted: a clear photo was enrolled, and a poor photo is compared with it. The threshold
stays the same. The corruptions are in ``corruptions``; real conditions are mixed, and the detector may miss the face.
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

PLAIN = "original"
Say = Callable[[str], object]


@dataclass(frozen=True)
class CorruptionResult:
    """Result of a model under one corruption.

    Attributes:
        condition, strength: see ``corruptions.Level``; PLAIN and "" for the original faces.
        n: number of faces or pairs. accuracy: with its 95 % interval (low, high).
        change: difference of accuracy to the original faces; None for the original faces themselves.
        confidence: mean of the highest probability; None for pairs.
        tar, far: true and false accept rate; None for faces.
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
    """Measures an expression model on corrupted faces, on the same split of ``faces`` as ``plain``.

    ``plain``: results on the original faces; they are the first item of the list. ``say``: callback for progress messages.
    """
    subset = faces.split(plain.split)
    results = [_trial(PLAIN, "", plain.correct, None, confidence=_confidence(plain))]
    for level in levels(model.info.input.cut_size, model.info.input.channels):
        _report(say, level)

        def predict(images: NDArray[np.uint8], level: Level = level) -> NDArray[np.float32]:
            return model.probabilities(level.change(images))

        result = evaluate(predict, subset, model.info.labels, protocol=plain.protocol)
        results.append(
            _trial(
                level.condition,
                level.strength,
                result.correct,
                result.against(plain),
                confidence=_confidence(result),
            )
        )
    return results


def on_pairs(
    model: Model, pairs: PairSet, embeddings: NDArray[np.float32], threshold: float, say: Say | None = None
) -> list[CorruptionResult]:
    """Measures an identity model on ``pairs`` (at its input size) whose second images are corrupted, at a ``threshold``.

    ``embeddings`` (N, D): of all original faces of ``pairs``; their result is the first item of the list. ``say``: callback for
    progress messages. A pair counts as correct when it is accepted and shows the same person, or neither.
    """
    second, place = np.unique(pairs.pairs[:, 1], return_inverse=True)
    places = np.stack([pairs.pairs[:, 0], len(embeddings) + place], 1)
    scores = cosines(embeddings, pairs.pairs)
    plain, point = (scores >= threshold) == pairs.same, operating_point(scores, pairs.same, threshold)
    results = [_trial(PLAIN, "", plain, None, tar=point.tar, far=point.far)]
    for level in levels(model.info.input.cut_size, model.info.input.channels):
        _report(say, level)

        def embed(images: NDArray[np.uint8], level: Level = level) -> NDArray[np.float32]:
            return model.logits(level.change(images))

        worse = embedded(embed, pairs.images[second])
        scores = cosines(np.concatenate([embeddings, worse]), places)
        correct, point = (scores >= threshold) == pairs.same, operating_point(scores, pairs.same, threshold)
        change = paired_difference(correct, plain)
        results.append(_trial(level.condition, level.strength, correct, change, tar=point.tar, far=point.far))
    return results


def _trial(
    condition: str, strength: str, correct: NDArray[np.bool_], change: Difference | None, **more: float
) -> CorruptionResult:
    n, count = len(correct), int(correct.sum())
    return CorruptionResult(condition, strength, n, count / n, *wilson(count, n), change, **more)


def _confidence(result: Classification) -> float:
    return float(result.probabilities.max(1).mean(dtype=np.float64))


def _report(say: Say | None, level: Level) -> None:
    if say:
        say(f"measuring: {level}")
