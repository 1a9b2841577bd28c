"""What a net is asked on validation faces while it is trained: their labels, or who of them are one person.

>>> exam = ClassificationMetric(Faces.of(val))
>>> exam = VerificationMetric(draw_pairs(val), width=128)
>>> exam.grade(sums)  # (loss, accuracy)

Answers are added up, so that several processes can each ask about some of the faces.
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
    """``faces``: who it is about."""

    faces: Faces

    def blank(self, device: torch.device) -> Tensor:
        """Float64, what ``add`` adds to."""

    def add(self, sums: Tensor, rows: Tensor, answers: Tensor) -> None:
        """Adds what the net answered, float32 (B, K), about the faces ``rows`` (B,)."""

    def grade(self, sums: Tensor) -> tuple[float, float]:
        """A loss, lower is better, and an accuracy, of the sums of all processes."""


class ClassificationMetric:
    """Cross-entropy, and the share of right answers."""

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
        loss, right, faces = sums.tolist()
        return loss / faces, right / faces


class VerificationMetric:
    """Equal error rate, and accuracy at the other folds' thresholds, of embeddings of ``width`` numbers on drawn pairs."""

    def __init__(self, pairs: PairSet, width: int) -> None:
        self.faces, self.pairs, self.width = Faces.of_images(pairs.images), pairs, width

    def blank(self, device: torch.device) -> Tensor:
        return torch.zeros(len(self.faces), self.width, dtype=torch.float64, device=device)

    def add(self, sums: Tensor, rows: Tensor, answers: Tensor) -> None:
        sums[rows] = answers.double()

    def grade(self, sums: Tensor) -> tuple[float, float]:
        result = verified(sums.cpu().numpy(), self.pairs)
        return result.eer, result.accuracy
