"""The running mean against a loop, and batch statistics against those of the data."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from facelet.learn.engine.ema import Ema, settle


def test_the_mean_by_loops():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    ema = Ema(net, decay=0.5)
    expected = net[0].weight.detach().clone()
    for step in range(1, 7):
        with torch.no_grad():
            net[0].weight.add_(torch.randn(2, 3))
        net(torch.randn(8, 3))
        ema.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * net[0].weight.detach()
    assert torch.allclose(ema.net[0].weight, expected)
    assert ema.net[1].num_batches_tracked == 6
    assert not ema.net.training
    assert not any(weight.requires_grad for weight in ema.net.parameters())


def test_without_decay_it_is_the_net():
    net = nn.Linear(3, 2)
    ema = Ema(net, decay=0.0)
    with torch.no_grad():
        net.weight.add_(1)
    ema.update(1)
    assert torch.equal(ema.net.weight, net.weight)


def test_settled_statistics_are_the_datas():
    torch.manual_seed(0)
    net = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5))
    batches = [torch.randn(64, 4) * 3 + 2 for _ in range(5)]
    settle(net, batches)
    assert torch.allclose(net[0].running_mean, torch.stack([batch.mean(0) for batch in batches]).mean(0), atol=1e-5)
    assert torch.allclose(net[0].running_var, torch.stack([batch.var(0) for batch in batches]).mean(0), atol=1e-4)
    assert net[0].momentum == pytest.approx(0.1)
    assert not net.training


def test_a_net_without_batch_norm_sees_nothing():
    settle(nn.Linear(3, 2), iter(lambda: pytest.fail("a batch was drawn"), None))
