from __future__ import annotations

import pytest
from torch import nn

from facelet.learn.engine.optimizer import Optimization, make_optimizer


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_norms_and_biases_are_not_decayed(kind):
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    net[0].bias.requires_grad_(False)
    groups = make_optimizer([net, nn.Linear(2, 2)], Optimization(kind, 0.1, 0.5)).param_groups
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    others = {id(p) for group in groups if not group["weight_decay"] for p in group["params"]}
    assert id(net[0].weight) in decayed
    assert {id(net[1].weight), id(net[1].bias)} <= others
    assert id(net[0].bias) not in decayed | others
