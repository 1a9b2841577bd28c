"""Classification metrics: accuracy with its interval, balanced accuracy, metrics per class, confusion matrix, calibration.

Expected calibration error after Guo et al. 2017 (https://arxiv.org/abs/1706.04599): 15 bins of equal width over the
highest probability.

>>> import numpy as np
>>> scores = score(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]), ("sad", "happy"), ("sad", "happy"))
>>> scores.accuracy, scores.balanced_accuracy, round(scores.ece, 3)
(0.5, 0.5, 0.35)

ECE depends on the bins and is not resolved by class; see the reliability diagram for details.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.measure.metrics.intervals import Estimate, mean_of_shares, wilson
from facelet.measure.metrics.labels import match_labels

BINS = 15


@dataclass(frozen=True)
class ClassScore:
    """Metrics of one class: number of faces, recall with interval, precision (None when it was never predicted), F1."""

    name: str
    n: int
    recall: float
    recall_low: float
    recall_high: float
    precision: float | None
    f1: float


@dataclass(frozen=True)
class Bin:
    """Calibration bin: number of faces, mean confidence, accuracy."""

    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Scores:
    """Metrics over a selection of faces; all shares in [0, 1].

    Attributes:
        classes: rows of ``confusion``. labels: its columns: the classes, then labels that only the model has.
        confusion: int64 (classes, labels), rows truth, columns predictions.
        balanced_accuracy: mean recall over the classes that have faces; recall_spread: its standard deviation over them.
        ece: expected calibration error over 15 equally wide bins of confidence. bins: those bins.
    """

    n: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    balanced_accuracy: float
    recall_spread: float
    ece: float
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    per_class: tuple[ClassScore, ...]
    confusion: NDArray[np.int64]
    bins: tuple[Bin, ...]

    @property
    def balanced(self) -> Estimate:
        """Balanced accuracy with its 95 % interval."""
        rows = [row for row in self.per_class if row.n]
        ends = mean_of_shares([round(row.recall * row.n) for row in rows], [row.n for row in rows])
        return Estimate(self.balanced_accuracy, *ends)

    @property
    def largest(self) -> ClassScore:
        """The class with the most faces."""
        return max(self.per_class, key=lambda row: row.n)

    @property
    def baseline(self) -> float:
        """Accuracy of always predicting the largest class."""
        return self.largest.n / self.n

    @property
    def beats_baseline(self) -> bool:
        """Whether the whole interval of the accuracy lies above the baseline."""
        return self.accuracy_low > self.baseline

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in ("n", "accuracy", "accuracy_low", "accuracy_high")},
            "baseline": {"always": self.largest.name, "accuracy": self.baseline, "beaten": self.beats_baseline},
            "balanced_accuracy": self.balanced_accuracy,
            "recall_spread": self.recall_spread,
            "ece": self.ece,
            "per_class": [vars(row) for row in self.per_class],
            "confusion": {"rows": self.classes, "columns": self.labels, "counts": self.confusion.tolist()},
        }


def score(
    probabilities: NDArray[Any], truth: NDArray[np.int64], classes: tuple[str, ...], labels: tuple[str, ...]
) -> Scores:
    """Returns the metrics of ``probabilities`` (N, len(labels)); ``truth`` (N,): index into ``classes``.

    Labels and classes are matched by name.
    """
    columns = match_labels(classes, labels)
    extra = [number for number in range(len(labels)) if number not in columns]
    place = np.empty(len(labels), np.int64)  # column of each model label in the confusion matrix
    place[columns[columns >= 0]] = np.flatnonzero(columns >= 0)
    place[extra] = len(classes) + np.arange(len(extra))
    predicted = place[probabilities.argmax(1)]
    confusion = np.zeros((len(classes), len(classes) + len(extra)), np.int64)
    np.add.at(confusion, (truth, predicted), 1)

    right, of_class, as_class = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    rows = []
    for k, name in enumerate(classes):
        low, high = wilson(int(right[k]), int(of_class[k]))
        recall = right[k] / of_class[k] if of_class[k] else 0.0
        precision = float(right[k] / as_class[k]) if as_class[k] else None
        f1 = 2 * right[k] / (of_class[k] + as_class[k]) if of_class[k] + as_class[k] else 0.0
        rows.append(ClassScore(name, int(of_class[k]), float(recall), low, high, precision, float(f1)))
    recalls = [row.recall for row in rows if row.n]
    n, correct = len(truth), int(right.sum())
    low, high = wilson(correct, n)
    bins = reliability(probabilities.max(1), predicted == truth)
    return Scores(
        n=n,
        accuracy=correct / n,
        accuracy_low=low,
        accuracy_high=high,
        balanced_accuracy=float(np.mean(recalls)),
        recall_spread=float(np.std(recalls)),
        ece=sum(b.n / n * abs(b.confidence - b.accuracy) for b in bins),
        classes=classes,
        labels=(*classes, *(labels[e] for e in extra)),
        per_class=tuple(rows),
        confusion=confusion,
        bins=bins,
    )


def reliability(confidence: NDArray[Any], correct: NDArray[np.bool_], bins: int = BINS) -> tuple[Bin, ...]:
    """Returns ``bins`` ranges of equal width of ``confidence`` (N,) in [0, 1], each with mean confidence and accuracy."""
    number = np.clip(np.ceil(np.asarray(confidence, np.float64) * bins).astype(int) - 1, 0, bins - 1)
    n = np.bincount(number, minlength=bins)
    at_least = np.maximum(n, 1)
    mean = np.bincount(number, confidence, bins) / at_least
    accuracy = np.bincount(number, correct, bins) / at_least
    return tuple(Bin(*row) for row in zip(n.tolist(), mean.tolist(), accuracy.tolist(), strict=True))
