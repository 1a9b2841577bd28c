"""The margin loss against loops, and its gradient."""

from __future__ import annotations

import math

import pytest
import torch

from facelet.losses.capsule import margin


def by_hand(logits: list[float], targets: list[float]) -> float:
    loss = 0.0
    for logit, target in zip(logits, targets, strict=True):
        length = 1 / (1 + math.exp(-logit))
        loss += target * max(0.0, 0.9 - length) ** 2 + 0.5 * (1 - target) * max(0.0, length - 0.1) ** 2
    return loss


def test_margin_is_the_papers_sum():
    logits = 3 * torch.randn(6, 8, dtype=torch.float64)
    for targets in (torch.eye(8, dtype=torch.float64)[:6], torch.rand(6, 8, dtype=torch.float64).softmax(1)):
        expected = [by_hand(*pair) for pair in zip(logits.tolist(), targets.tolist(), strict=True)]
        assert margin(logits, targets).tolist() == pytest.approx(expected)


def test_sure_and_right_costs_nothing():
    logits = torch.full((1, 4), math.log(0.09 / 0.91))
    logits[0, 2] = math.log(0.91 / 0.09)
    assert margin(logits, torch.eye(4)[[2]]).item() == 0
    assert margin(-logits, torch.eye(4)[[2]]).item() > 1


def test_its_gradient_is_that_of_differences():
    logits = (2 * torch.randn(3, 5, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda each: margin(each, torch.eye(5, dtype=torch.float64)[:3]), (logits,))
