"""Distillation losses between embeddings that are compared by angle, so both are normalised first.

The face loss of Wei et al. (Modern Computer 2019, no. 643) distils deep features; the paper does not give the formula, and these
are our interpretation.

>>> loss = cosine(projector(student_embedding), teacher_embedding).mean()
>>> loss = relational(student_embedding, teacher_embedding).mean()       # lengths may differ, no projector

``similarity`` compares the similarities of student and teacher embeddings to a memory of many embeddings: Fang et al., SEED,
https://arxiv.org/abs/2101.04731

``squared`` is twice ``cosine``, since |a - b|^2 = 2 - 2 cos(a, b), so the choice between them is a choice of weight. No loss needs
labels, so any face can be used. The number of dimensions limits how well a student can match its teacher.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cosine_similarity, kl_div, normalize

from facelet.errors import FaceletError
from facelet.losses.hints import rkd_angle, rkd_distance

SHARPNESS = 0.05
"""Temperature of ``similarity``: an increase of the cosine by this value multiplies its weight by e."""


def cosine(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - cos of two embeddings, both (N, D). Returns (N,), 0 to 2."""
    _require_same(student, teacher)
    return 1 - cosine_similarity(student, teacher)


def squared(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of two embeddings after normalisation, both (N, D). Returns (N,), 0 to 4."""
    _require_same(student, teacher)
    return (normalize(student) - normalize(teacher)).square().sum(1)


def relational(student: Tensor, teacher: Tensor) -> Tensor:
    """RKD (see losses.hints) of normalised embeddings: distances + 2 x angles, weighted as in the paper.

    Args:
        student: (N, D), N at least 3.
        teacher: (N, E).

    Returns (N,). Uses O(N^3) memory.
    """
    student, teacher = normalize(student), normalize(teacher)
    return rkd_distance(student, teacher) + 2 * rkd_angle(student, teacher)


def similarity(student: Tensor, teacher: Tensor, memory: Tensor) -> Tensor:
    """KL divergence of the student's from the teacher's distribution of similarities to ``memory``.

    Args:
        student: (N, D).
        teacher: (N, D).
        memory: (M, D), teacher embeddings of unit length, preferably including those of these faces.

    Returns (N,), at least 0; 0 where the two agree.
    """
    _require_same(student, teacher)
    log_s, log_t = ((normalize(vectors) @ memory.T / SHARPNESS).log_softmax(1) for vectors in (student, teacher))
    return kl_div(log_s, log_t, reduction="none", log_target=True).sum(1)


def _require_same(student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        raise FaceletError(
            f"embeddings of student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ in shape; "
            "a projector or the relational loss is needed"
        )
