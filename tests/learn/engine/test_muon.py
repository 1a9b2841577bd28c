"""Muon for convolutions: which weights it takes, its memory formats, its state, and torch's own figures."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from facelet.errors import FaceletError
from facelet.learn.engine.muon import ADAMW_SCALE, MuonWithAdamW
from facelet.learn.engine.optimizer import Optimization, make_optimizer, set_lr


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Conv2d(8, 4, 1),
        nn.Flatten(),
        nn.Linear(64, 2),
    )


def train(net: nn.Module, optimizer, steps: int = 4) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        images = torch.randn(16, 3, 6, 6, generator=generator)
        optimizer.zero_grad(set_to_none=True)
        net(images).square().mean().backward()
        optimizer.step()
    return net


def test_dense_convolutions_are_muons_and_the_rest_is_adamws():
    net = small_net()
    optimizer = make_optimizer([net], Optimization("muon", 0.006, 0.05))
    muon, *adamw = optimizer.param_groups
    assert [tuple(p.shape) for p in muon["params"]] == [(8, 27), (4, 8)]
    assert sum(p.numel() for group in optimizer.param_groups for p in group["params"]) == sum(
        p.numel() for p in net.parameters()
    )
    assert {p.ndim for group in adamw if not group["weight_decay"] for p in group["params"]} == {1}
    set_lr(optimizer, 0.3)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(
        [0.3, 0.3 * ADAMW_SCALE, 0.3 * ADAMW_SCALE]
    )


def test_it_updates_as_torchs_muon_does():
    net, conv = small_net(), small_net()[0]
    images = torch.randn(4, 3, 6, 6)
    matrix = nn.Parameter(conv.weight.detach().flatten(1).clone())
    theirs = torch.optim.Muon([matrix], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    ours = MuonWithAdamW(list(net.parameters()), 0.01, 0.1)
    for _ in range(3):
        ours.zero_grad()
        net[0](images).square().mean().backward()
        matrix.grad = net[0].weight.grad.flatten(1).clone()
        ours.step()
        theirs.step()
    assert torch.equal(net[0].weight.detach().flatten(1), matrix.detach())


def test_channels_last_gives_the_same_weights():
    plain = small_net()
    last = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    for net in (plain, last):
        train(net, MuonWithAdamW(list(net.parameters()), 0.006, 0.05), steps=1)
    assert not last[0].weight.is_contiguous()
    for ours, theirs in ((plain[0], last[0]), (plain[3], last[3])):
        assert torch.allclose(ours.weight, theirs.weight, atol=1e-4), "Muon computes in bfloat16"


def test_a_restored_state_goes_on_alike():
    net = small_net()
    optimizer = MuonWithAdamW(list(net.parameters()), 0.006, 0.05)
    train(net, optimizer)
    again = copy.deepcopy(net)
    restored = MuonWithAdamW(list(again.parameters()), 0.006, 0.05)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(net, optimizer)
    train(again, restored)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(net.parameters(), again.parameters(), strict=True))


def test_gradients_are_dropped_or_zeroed():
    net = small_net()
    optimizer = MuonWithAdamW(list(net.parameters()), 0.006, 0.05)
    net(torch.randn(2, 3, 6, 6)).sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert all(p.grad is not None and not p.grad.any() for p in net.parameters())
    optimizer.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_a_net_without_dense_convolutions():
    with pytest.raises(FaceletError, match="no dense convolution is trained here; use adamw"):
        make_optimizer([nn.Linear(3, 2)], Optimization("muon", 0.006, 0.05))
