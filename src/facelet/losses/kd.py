"""Distillation losses between logits: kd and decoupled kd.

kd: Hinton et al., https://arxiv.org/abs/1503.02531; dkd: Zhao et al., https://arxiv.org/abs/2203.08679

>>> loss = kd(student_logits, teacher_logits, temperature=4.0).mean()

With few classes an accurate teacher adds little information to the label: expect smaller gains than on 100 classes, and sweep dkd's
beta from 0.5 to 8, because the paper's 8 was tuned on 100 classes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from facelet.errors import FaceletError


def kd(student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    """T^2 KL(softmax(teacher / T) || softmax(student / T)) of logits (N, K); returns (N,), in nats."""
    _require_same(student, teacher)
    log_s, log_t = log_softmax(student / temperature, 1), log_softmax(teacher / temperature, 1)
    return temperature**2 * _divergence(log_t, log_s)


def dkd(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    temperature: float = 4.0,
) -> Tensor:
    """T^2 (alpha TCKD + beta NCKD): the target class against the rest, and the rest among themselves.

    Args:
        student: logits (N, K), K at least 2.
        teacher: logits (N, K).
        labels: int64 (N,), index of the target class.
        alpha: weight of TCKD.
        beta: weight of NCKD.
        temperature: T.

    Returns (N,), in nats. log(1 - p_target) is a difference of logsumexps, finite even where p_target rounds to 1.
    """
    _require_same(student, teacher)
    if student.shape[1] < 2:
        raise FaceletError("dkd separates one class from the others and needs at least 2")
    (pair_s, rest_s), (pair_t, rest_t) = (_decoupled(logits / temperature, labels) for logits in (student, teacher))
    return temperature**2 * (alpha * _divergence(pair_t, pair_s) + beta * _divergence(rest_t, rest_s))


def _decoupled(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Log probabilities of (target, all others), (N, 2), and log softmax over the others only, (N, K - 1)."""
    classes = logits.shape[1]
    # Gathered, not masked: a boolean index would synchronise the GPU to count its elements.
    others = logits.gather(1, (labels[:, None] + torch.arange(1, classes, device=labels.device)) % classes)
    both = torch.cat([logits.gather(1, labels[:, None]), torch.logsumexp(others, 1, keepdim=True)], dim=1)
    return log_softmax(both, 1), log_softmax(others, 1)


def _divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    return (log_p.exp() * (log_p - log_q)).sum(1)


def _require_same(student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape or student.ndim != 2:
        raise FaceletError(f"logits of student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ")
