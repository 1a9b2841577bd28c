"""kd and dkd against loops and the published formulation."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from facelet.errors import FaceletError
from facelet.losses import dkd, kd


def logits(n=7, classes=8, scale=3.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, classes, generator=generator, dtype=torch.float64) * scale


def softmax(row, temperature):
    top = max(row)
    powers = [math.exp((value - top) / temperature) for value in row]
    return [power / sum(powers) for power in powers]


def test_kd_is_the_divergence_of_softened_answers():
    student, teacher, temperature = logits(seed=1), logits(seed=2), 4.0
    expected = []
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        p, q = softmax(t, temperature), softmax(s, temperature)
        expected.append(temperature**2 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    assert torch.allclose(kd(student, teacher, temperature), torch.tensor(expected, dtype=torch.float64))


def test_kd_mean_is_torchs_kl_div():
    student, teacher = logits(seed=1), logits(seed=2)
    log_s, t = F.log_softmax(student / 3, 1), F.softmax(teacher / 3, 1)
    assert torch.allclose(kd(student, teacher, 3.0).mean(), 9 * F.kl_div(log_s, t, reduction="batchmean"))


def test_kd_of_equal_answers_is_zero_with_zero_gradient():
    student = logits().requires_grad_()
    loss = kd(student, student.detach() + 5).sum()
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert student.grad.abs().max() < 1e-12


@pytest.mark.parametrize(("alpha", "beta", "temperature"), [(1.0, 8.0, 4.0), (0.5, 2.0, 1.0)])
def test_dkd_by_hand(alpha, beta, temperature):
    student, teacher, labels = logits(seed=1), logits(seed=2), torch.arange(7)
    expected = []
    for s, t, label in zip(student.tolist(), teacher.tolist(), labels.tolist(), strict=True):
        p, q = softmax(t, temperature), softmax(s, temperature)
        target = p[label] * math.log(p[label] / q[label])
        target += (1 - p[label]) * math.log((1 - p[label]) / (1 - q[label]))
        rest = 0.0
        for k in range(8):
            if k != label:
                a, b = p[k] / (1 - p[label]), q[k] / (1 - q[label])
                rest += a * math.log(a / b)
        expected.append(temperature**2 * (alpha * target + beta * rest))
    found = dkd(student, teacher, labels, alpha=alpha, beta=beta, temperature=temperature)
    assert torch.allclose(found, torch.tensor(expected, dtype=torch.float64))


def test_dkd_weighted_by_the_teacher_is_kd():
    student, teacher, labels = logits(seed=3), logits(seed=4), torch.arange(7) % 8
    rest = 1 - F.softmax(teacher / 4, 1).gather(1, labels[:, None])[:, 0]
    one = dkd(student, teacher, labels, alpha=1.0, beta=0.0)
    other = dkd(student, teacher, labels, alpha=0.0, beta=1.0)
    assert torch.allclose(one + rest * other, kd(student, teacher, 4.0))


def test_dkd_stays_finite_when_the_target_is_certain():
    student = torch.tensor([[200.0, 0.0, -3.0], [-200.0, 0.0, 4.0]], requires_grad=True)
    teacher = torch.tensor([[300.0, 0.0, 1.0], [300.0, 0.0, 1.0]])
    loss = dkd(student, teacher, torch.tensor([0, 0]), beta=8.0, temperature=1.0)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert student.grad.isfinite().all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(FaceletError, match="differ"):
        kd(logits(classes=8), logits(classes=7))
    with pytest.raises(FaceletError, match="at least 2"):
        dkd(logits(classes=1), logits(classes=1), torch.zeros(7, dtype=torch.long))
