"""Validation metrics of a training: cross-entropy and accuracy on labels, or equal error rate and accuracy on pairs.

>>> exam = ClassificationMetric(Faces.of(val))
>>> exam = VerificationMetric(draw_pairs(val), width=128)
>>> exam.grade(sums)  # (loss, accuracy)

Metrics are computed from sums, so that several processes can each evaluate a part of the faces.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from facelet.faces import PairSet
from facelet.learn.data.batches import Faces
from facelet.measure.verification import verified


class ValidationMetric(Protocol):
    """A metric on ``faces``, the validation faces."""

    faces: Faces

    def blank(self, device: torch.device) -> Tensor:
        """Zeros in float64, for ``add``."""

    def add(self, sums: Tensor, rows: Tensor, answers: Tensor) -> None:
        """Adds the net's outputs ``answers``, float32 (B, K), on the faces ``rows`` (B,) to ``sums``, in place."""

    def grade(self, sums: Tensor) -> tuple[float, float]:
        """Loss (lower is better) and accuracy from the sums of all processes."""


class ClassificationMetric:
    """Cross-entropy and accuracy."""

    def __init__(self, faces: Faces) -> None:
        self.faces = faces

    def blank(self, device: torch.device) -> Tensor:
        return torch.zeros(3, dtype=torch.float64, device=device)

    def add(self, sums: Tensor, rows: Tensor, answers: Tensor) -> None:
        labels = self.faces.labels[rows]
        sums[0] += cross_entropy(answers, labels, reduction="sum")
        sums[1] += (answers.argmax(1) == labels).sum()
        sums[2] += len(rows)

    def grade(self, sums: Tensor) -> tuple[float, float]:
        loss, correct, faces = sums.tolist()
        return loss / faces, correct / faces


class VerificationMetric:
    """Equal error rate, and accuracy at the other folds' thresholds, of embeddings of length ``width`` on pairs."""

    def __init__(self, pairs: PairSet, width: int) -> None:
        self.faces, self.pairs, self.width = Faces.of_images(pairs.images), pairs, width

    def blank(self, device: torch.device) -> Tensor:
        return torch.zeros(len(self.faces), self.width, dtype=torch.float64, device=device)

    def add(self, sums: Tensor, rows: Tensor, answers: Tensor) -> None:
        sums[rows] = answers.double()

    def grade(self, sums: Tensor) -> tuple[float, float]:
        result = verified(sums.cpu().numpy(), self.pairs)
        return result.eer, result.accuracy
