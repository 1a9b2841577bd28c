"""Registry of the distillation losses: ce, kd, dkd, hint, attention, rkd.

>>> losses = {"ce": 0.1, "kd": 0.9, "hint": 1.0}  # in a recipe

A new loss is a function in ``facelet.losses`` and a class here. Only losses with parameters (a regressor) have a state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from facelet import losses
from facelet.errors import FaceletError
from facelet.learn.teachers.outputs import ModelOutputs
from facelet.registry import Registry


@dataclass(frozen=True)
class Pair:
    """Widths of student and teacher, and the settings of the losses.

    Attributes:
        student_widths: channels of the student's stages.
        student_embedding: length of the student's embedding.
        teacher_embedding: length of the teacher's embedding, or None when it provides none.
        temperature, alpha, beta, mix: see Distill's fields.
    """

    student_widths: tuple[int, ...]
    student_embedding: int
    teacher_embedding: int | None
    temperature: float
    alpha: float
    beta: float
    mix: float


class DistillationLoss(nn.Module):
    """Base class. ``needs``: fields of the teacher's ModelOutputs that the loss reads; ``repeats``: see TrainingTask."""

    needs: ClassVar[tuple[str, ...]] = ()
    repeats: ClassVar[bool] = False

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.pair = pair

    def forward(self, student: ModelOutputs, teacher: ModelOutputs, labels: Tensor, hard: Tensor) -> Tensor:
        """The loss of each face (N,). ``labels``: int64 (N,), -1 unknown; ``hard``: (N,) cross-entropy with labels or votes."""
        raise NotImplementedError


TERMS: Registry[type[DistillationLoss]] = Registry("distillation loss")


@TERMS.register("ce")
class Ce(DistillationLoss):
    """Cross-entropy with the labels or votes, as without a teacher."""

    repeats = True

    def forward(self, student: ModelOutputs, teacher: ModelOutputs, labels: Tensor, hard: Tensor) -> Tensor:
        return hard


@TERMS.register("kd")
class Kd(DistillationLoss):
    """See losses.kd."""

    repeats = True
    needs = ("logits",)

    def forward(self, student: ModelOutputs, teacher: ModelOutputs, labels: Tensor, hard: Tensor) -> Tensor:
        assert student.logits is not None
        assert teacher.logits is not None
        return losses.kd(student.logits, teacher.logits, self.pair.temperature)


@TERMS.register("dkd")
class Dkd(DistillationLoss):
    """See losses.dkd; 0 for faces without a label."""

    repeats = True
    needs = ("logits",)

    def forward(self, student: ModelOutputs, teacher: ModelOutputs, labels: Tensor, hard: Tensor) -> Tensor:
        assert student.logits is not None
        assert teacher.logits is not None
        value = losses.dkd(
            student.logits,
            teacher.logits,
            labels.clamp(min=0),
            alpha=self.pair.alpha,
            beta=self.pair.beta,
            temperature=self.pair.temperature,
        )
        return value * (labels >= 0)


@TERMS.register("hint")
class Hint(DistillationLoss):
    """Squared difference between the student's pooled feature, through a linear + BN regressor, and the teacher's.

    On pooled features the regressor is equal to a 1x1 convolution. With ``mix`` m above 0 (Facelet's reading of T-SNet's second
    stage) the second-last stage also learns, through its own regressor, the target (1 - m) teacher + m student's deep feature,
    which is easier for the student to reach. The teacher's feature is standardised over the batch, like the regressor's output by
    its BN, so that the loss has the same scale for every teacher: 2 for uncorrelated features, 0 for a perfect match.
    """

    repeats = True
    needs = ("embedding",)

    def __init__(self, pair: Pair) -> None:
        super().__init__(pair)
        assert pair.teacher_embedding is not None
        self.deep = regressor(pair.student_embedding, pair.teacher_embedding)
        self.middle = None
        if pair.mix:
            if len(pair.student_widths) < 2:
                raise FaceletError("hint with mix needs a student of two stages or more")
            self.middle = regressor(pair.student_widths[-2], pair.teacher_embedding)

    def forward(self, student: ModelOutputs, teacher: ModelOutputs, labels: Tensor, hard: Tensor) -> Tensor:
        assert student.embedding is not None
        assert student.stages is not None
        assert teacher.embedding is not None
        deep = self.deep(student.embedding)
        goal = standardised(teacher.embedding)
        value = losses.hint(deep, goal)
        if self.middle is not None:
            middle = self.middle(student.stages[-2].float().mean((2, 3)))
            target = torch.lerp(goal, deep.detach(), self.pair.mix)
            value = 0.5 * (value + losses.hint(middle, target))
        return value


@TERMS.register("attention")
class Attention(DistillationLoss):
    """See losses.attention; mean over the last three stages of both nets. Needs a live teacher, not stored predictions."""

    repeats = True
    needs = ("stages",)

    def forward(self, student: ModelOutputs, teacher: ModelOutputs, labels: Tensor, hard: Tensor) -> Tensor:
        assert student.stages is not None
        assert teacher.stages is not None
        depth = min(3, len(student.stages), len(teacher.stages))
        pairs = zip(student.stages[-depth:], teacher.stages[-depth:], strict=True)
        return torch.stack([losses.attention(a.float(), b.float()) for a, b in pairs]).mean(0)


@TERMS.register("rkd")
class Rkd(DistillationLoss):
    """25 losses.rkd_distance + 50 losses.rkd_angle on the pooled features; relations within one process's share of a batch."""

    repeats = True
    needs = ("embedding",)

    def forward(self, student: ModelOutputs, teacher: ModelOutputs, labels: Tensor, hard: Tensor) -> Tensor:
        assert student.embedding is not None
        assert teacher.embedding is not None
        distance = losses.rkd_distance(student.embedding, teacher.embedding)
        return 25 * distance + 50 * losses.rkd_angle(student.embedding, teacher.embedding)


def regressor(inputs: int, outputs: int) -> nn.Module:
    """Linear + BN without scale: trained with the student, and not saved with it."""
    return nn.Sequential(nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs, affine=False))


def standardised(feature: Tensor) -> Tensor:
    """(N, D) with mean 0 and variance 1 over the batch; nearly constant features stay near 0 instead of amplifying noise."""
    variance = feature.var(0, correction=0)
    return (feature - feature.mean(0)) / (variance + 0.01 * variance.mean()).clamp(min=1e-12).sqrt()
