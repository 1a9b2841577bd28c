"""Adjusted logits against the papers' formulas, written out with loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from facelet.errors import FaceletError
from facelet.losses.adjustment import adjusted

COUNTS = [900, 90, 10]
SHARES = torch.tensor(COUNTS, dtype=torch.float64) / 1000


def logits(n=6):
    return torch.randn(n, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_with_tau_1_it_is_balanced_softmax():
    """Ren et al., equation 3: -log(n_y e^f_y / sum of n_k e^f_k), with numbers of faces and not shares."""
    labels = torch.arange(6) % 3
    found = cross_entropy(adjusted(logits(), SHARES), labels, reduction="none")
    for row, label, loss in zip(logits().tolist(), labels.tolist(), found.tolist(), strict=True):
        whole = sum(count * math.exp(value) for count, value in zip(COUNTS, row, strict=True))
        assert loss == pytest.approx(-math.log(COUNTS[label] * math.exp(row[label]) / whole))


@pytest.mark.parametrize("tau", [0.5, 1.0, 1.7])
def test_it_is_logit_adjustment(tau):
    """Menon et al., equation 10: log(1 + sum over the others of (p_k / p_y)^tau e^(f_k - f_y))."""
    labels = torch.arange(6) % 3
    found = cross_entropy(adjusted(logits(), SHARES, tau), labels, reduction="none")
    for row, label, loss in zip(logits().tolist(), labels.tolist(), found.tolist(), strict=True):
        others = [k for k in range(3) if k != label]
        whole = sum((COUNTS[k] / COUNTS[label]) ** tau * math.exp(row[k] - row[label]) for k in others)
        assert loss == pytest.approx(math.log(1 + whole))


def test_even_classes_and_tau_0_change_nothing():
    labels = torch.arange(6) % 3
    plain = cross_entropy(logits(), labels)
    assert cross_entropy(
        adjusted(logits(), torch.full((3,), 1 / 3, dtype=torch.float64)), labels
    ).item() == pytest.approx(plain)
    assert torch.equal(adjusted(logits(), SHARES, 0.0), logits())


def test_its_minimum_is_the_balanced_classifier():
    """One feature value, classes drawn 9 to 1: cross-entropy learns the odds, the adjusted one that they are even."""
    labels = torch.tensor([0] * 90 + [1] * 10)
    shares = torch.tensor([0.9, 0.1], dtype=torch.float64)
    learned = {}
    for tau in (0.0, 1.0):
        weights = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

        def loss(weights=weights, tau=tau, optimizer=optimizer):
            optimizer.zero_grad()
            value = cross_entropy(adjusted(weights.expand(100, 2), shares, tau), labels)
            value.backward()
            return value

        optimizer.step(loss)
        learned[tau] = weights.detach().softmax(1)[0].tolist()
    assert learned[0.0] == pytest.approx([0.9, 0.1], abs=1e-3)
    assert learned[1.0] == pytest.approx([0.5, 0.5], abs=1e-3)


def test_other_numbers_of_classes_are_refused():
    with pytest.raises(FaceletError, match=r"shares of 3 classes do not fit logits \(2, 4\)"):
        adjusted(torch.zeros(2, 4), SHARES)
