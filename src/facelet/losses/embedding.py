"""Distillation between embeddings that are compared by their angle: only the direction counts, so both are normalised first.
The face loss of Wei et al. (Modern Computer 2019, no. 643) is said to distil deep features; how, is our reading.

>>> loss = cosine(projector(student_embedding), teacher_embedding).mean()
>>> loss = relational(student_embedding, teacher_embedding).mean()       # lengths of their own, no projector

``similarity`` compares the two by what is near to them among many remembered embeddings, which tells more of a face than its own
alone: Fang et al., SEED, https://arxiv.org/abs/2101.04731

``squared`` is twice ``cosine``, for |a - b|^2 = 2 - 2 cos(a, b): choosing between them chooses a weight. None asks for labels, so
that any face will do; a student cannot get nearer to its teacher than its number of dimensions lets it.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cosine_similarity, kl_div, normalize

from facelet.errors import FaceletError
from facelet.losses.hints import rkd_angle, rkd_distance

SHARPNESS = 0.05
"""Temperature of ``similarity``: a cosine higher by this much weighs e times as much."""


def cosine(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - cos of two embeddings (N, D) of one length; (N,), 0 to 2."""
    _require_same(student, teacher)
    return 1 - cosine_similarity(student, teacher)


def squared(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of two normalised embeddings (N, D) of one length; (N,), 0 to 4."""
    _require_same(student, teacher)
    return (normalize(student) - normalize(teacher)).square().sum(1)


def relational(student: Tensor, teacher: Tensor) -> Tensor:
    """RKD (see losses.hints) of normalised embeddings: distances + 2 x angles, the paper's proportion.

    Args:
        student, teacher: (N, D), (N, E); N at least 3.

    Returns (N,). Costs N^3 memory.
    """
    student, teacher = normalize(student), normalize(teacher)
    return rkd_distance(student, teacher) + 2 * rkd_angle(student, teacher)


def similarity(student: Tensor, teacher: Tensor, memory: Tensor) -> Tensor:
    """KL divergence between how near the teacher and the student say that a face is to each of ``memory``.

    Args:
        student, teacher: (N, D) of one length.
        memory: (M, D) embeddings of the teacher, of unit length, those of these faces best among them.

    Returns (N,), at least 0; 0 where the two agree.
    """
    _require_same(student, teacher)
    said, told = ((normalize(one) @ memory.T / SHARPNESS).log_softmax(1) for one in (student, teacher))
    return kl_div(said, told, reduction="none", log_target=True).sum(1)


def _require_same(student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        raise FaceletError(
            f"embeddings of student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ in shape; "
            "a projector makes them one, or take the relational loss"
        )
