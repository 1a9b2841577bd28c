"""The loss on labels and votes: cross-entropy and other losses against loops."""

from __future__ import annotations

import pytest
import torch

from facelet import losses, nets
from facelet.learn.data.batches import Batch
from facelet.learn.tasks.task import ClassificationTask
from facelet.nets import NetSpec


def test_class_weights_and_votes_are_torchs_cross_entropy():
    logits, labels = torch.randn(5, 3), torch.tensor([0, 2, 1, -1, 2])
    votes = torch.softmax(torch.randn(5, 3), 1)
    votes[4] = 0
    weights = [0.5, 1.0, 2.0]
    batch = Batch(torch.rand(5, 1, 8, 8), labels, torch.arange(5), torch.zeros(5).bool(), votes)
    spec = NetSpec("resnet18", 3)
    log = torch.log_softmax(logits, 1)
    hard = ClassificationTask(spec, smoothing=0.3, weights=weights).hard(logits, batch)
    soft = ClassificationTask(spec, votes=True, weights=weights).hard(logits, batch)
    assert ClassificationTask(spec, votes=True, smoothing=0.3).hard(logits, batch)[4] == 0
    for i in range(5):
        target = [0.1 + 0.7 * (k == labels[i]) for k in range(3)]
        expected = -sum(target[k] * weights[k] * log[i, k] for k in range(3)) if labels[i] >= 0 else 0
        assert hard[i].item() == pytest.approx(float(expected), abs=1e-5)
        assert soft[i].item() == pytest.approx(float(-sum(votes[i, k] * weights[k] * log[i, k] for k in range(3))))


def batch(labels, votes=None):
    rows, mirrored = torch.arange(len(labels)), torch.zeros(len(labels), dtype=torch.bool)
    return Batch(torch.rand(len(labels), 1, 16, 16), torch.tensor(labels), rows, mirrored, votes)


def test_labels_votes_weights_and_smoothing_of_another_loss():
    spec, logits = nets.resolve("rescaps", classes=3, size=16, width=0.0625, types=2), torch.randn(3, 3)
    weights, eye = torch.tensor([0.5, 1.0, 2.0]), torch.eye(3)
    hard = ClassificationTask(spec, loss="margin", smoothing=0.3, weights=weights.tolist()).hard(
        logits, batch([2, 0, -1])
    )
    smooth = 0.7 * eye + 0.1
    expected = [
        2 * losses.capsule.margin(logits[:1], smooth[[2]]),
        0.5 * losses.capsule.margin(logits[1:2], smooth[[0]]),
    ]
    torch.testing.assert_close(hard, torch.cat([*expected, torch.zeros(1)]))
    votes = torch.tensor([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    soft = ClassificationTask(spec, loss="margin", votes=True, weights=weights.tolist()).hard(
        logits, batch([1, 0, 1], votes=votes)
    )
    torch.testing.assert_close(soft, losses.capsule.margin(logits, votes) * torch.tensor([0.9, 0.5, 1.5]))


def test_shares_adjust_the_cross_entropy_of_labels_and_votes():
    logits, shares = torch.randn(3, 3), torch.tensor([0.7, 0.2, 0.1])
    votes = torch.tensor([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    spec = NetSpec("resnet18", 3)
    for tau in (0.5, 1.0):
        moved = logits + tau * shares.log()
        given = {"shares": shares.tolist(), "tau": tau}
        hard = ClassificationTask(spec, **given).hard(logits, batch([2, 0, -1]))
        torch.testing.assert_close(hard, ClassificationTask(spec).hard(moved, batch([2, 0, -1])))
        soft = ClassificationTask(spec, votes=True, **given).hard(logits, batch([1, 0, 1], votes=votes))
        torch.testing.assert_close(soft, -(votes * moved.log_softmax(1)).sum(1))
