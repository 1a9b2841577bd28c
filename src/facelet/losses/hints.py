"""Distillation losses between features.

Hint (FitNets, https://arxiv.org/abs/1412.6550), attention maps (Zagoruyko & Komodakis, https://arxiv.org/abs/1612.03928) and
relations between faces (RKD, Park et al., https://arxiv.org/abs/1904.05068).

>>> loss = hint(regressor(student_embedding), teacher_embedding).mean()

Hints on intermediate maps can reduce accuracy when the two architectures differ; the pooled feature is the safe choice.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize, smooth_l1_loss

from facelet.errors import FaceletError


def hint(student: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of features (N, ...) of equal shape; returns (N,)."""
    if student.shape != target.shape:
        raise FaceletError(f"hint compares features of one shape, not {tuple(student.shape)} and {tuple(target.shape)}")
    return (student - target).square().flatten(1).mean(1)


def attention(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the normalised maps mean_c(F^2).

    Args:
        student: (N, C, H, W); channels and sizes may differ from the teacher's, the larger map is pooled to the smaller.
        teacher: (N, C, H, W).

    Returns (N,).
    """
    size = (min(student.shape[2], teacher.shape[2]), min(student.shape[3], teacher.shape[3]))
    student_map, teacher_map = (
        normalize(adaptive_avg_pool2d(maps.square().mean(1, keepdim=True), size).flatten(1))
        for maps in (student, teacher)
    )
    return (student_map - teacher_map).square().mean(1)


def rkd_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Huber loss between the two nets' distances of every pair of faces, each divided by the net's mean distance.

    Args:
        student: embeddings (N, D), N at least 2.
        teacher: embeddings (N, E).

    Returns (N,): the mean over pairs with face i.
    """
    _require_several(student, 2, "rkd's distances")
    return smooth_l1_loss(_distances(student), _distances(teacher), reduction="none").mean(1)


def rkd_angle(student: Tensor, teacher: Tensor) -> Tensor:
    """Huber loss between the two nets' cosines of the angle at face i between faces j and k.

    Uses O(N^3) memory. Arguments and return value as ``rkd_distance``, with N at least 3.
    """
    _require_several(student, 3, "rkd's angles")
    return smooth_l1_loss(_angles(student), _angles(teacher), reduction="none").mean((1, 2))


def _distances(embedding: Tensor) -> Tensor:
    """(N, N) distances divided by their mean over distinct pairs; masked to 0 on the diagonal, where a root has no gradient."""
    n = len(embedding)
    squares = embedding.square().sum(1)
    apart = ~torch.eye(n, dtype=torch.bool, device=embedding.device)
    distances = (squares[:, None] + squares - 2 * embedding @ embedding.T).clamp(min=1e-12).sqrt() * apart
    return distances / (distances.sum() / (n * (n - 1))).clamp(min=1e-6)


def _angles(embedding: Tensor) -> Tensor:
    """(N, N, N): cosine at i between j - i and k - i; 0 where j or k equals i."""
    directions = normalize(embedding[None, :, :] - embedding[:, None, :], dim=2)
    return directions @ directions.transpose(1, 2)


def _require_several(embedding: Tensor, least: int, what: str) -> None:
    if len(embedding) < least:
        raise FaceletError(f"{what} need a batch of at least {least} faces, got {len(embedding)}")
