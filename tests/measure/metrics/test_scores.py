"""Scores against scikit-learn's definitions, torchmetrics and loops."""

from __future__ import annotations

import numpy as np
import pytest

from facelet.measure.metrics.scores import reliability, score

CLASSES = ("neutral", "happiness", "anger")


@pytest.fixture
def answers():
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    logits = rng.normal(size=(200, 3)) + 1.5 * np.eye(3)[labels]
    return labels, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_ece_is_torchmetrics_and_a_loops(answers):
    torch = pytest.importorskip("torch")
    from torchmetrics.functional.classification import multiclass_calibration_error

    labels, probabilities = answers
    ours = score(probabilities, labels, CLASSES, CLASSES).ece
    theirs = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(labels), 3, n_bins=15, norm="l1")
    assert ours == pytest.approx(float(theirs), abs=1e-6)
    total = 0.0
    for k in range(15):
        inside = [i for i, p in enumerate(probabilities) if k / 15 < max(p) <= (k + 1) / 15]
        if inside:
            sure = sum(max(probabilities[i]) for i in inside) / len(inside)
            right = sum(probabilities[i].argmax() == labels[i] for i in inside) / len(inside)
            total += len(inside) / len(labels) * abs(sure - right)
    assert ours == pytest.approx(total)


def test_reliability_keeps_every_face_even_at_the_ends():
    bins = reliability(np.array([0.0, 1.0, 1.0]), np.array([False, True, False]))
    assert (bins[0].n, bins[-1].n, bins[-1].accuracy) == (1, 2, 0.5)
