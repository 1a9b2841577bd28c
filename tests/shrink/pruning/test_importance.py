"""Scores of channels: each against loops by hand, over the dependency group of a tiny residual net."""

from __future__ import annotations

import pytest
import tiny
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from facelet.nets import NETS, NetSpec
from facelet.nets.layers.multi_scale import MultiScaleConv
from facelet.shrink.pruning.channels import Channels
from facelet.shrink.pruning.importance import KINDS, ChannelImportance

SPEC = NetSpec("residual", classes=3, size=8, channels=1)


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = tiny.Residual()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight)
    return net.eval()


def by_hand(net, kind, layers):
    """Sum over layers of each channel's norm, with loops."""
    totals = []
    for channel in range(layers[0].weight.shape[0]):
        total = 0.0
        for layer in layers:
            if kind == "bn" and not isinstance(layer, nn.BatchNorm2d):
                continue
            numbers = layer.weight[channel].reshape(-1).tolist()
            if kind == "taylor":
                grads = layer.weight.grad[channel].reshape(-1).tolist()
                total += sum(abs(a * b) for a, b in zip(numbers, grads, strict=True))
            elif kind == "l2":
                total += sum(a * a for a in numbers) ** 0.5
            else:
                total += sum(abs(a) for a in numbers)
        totals.append(total)
    return torch.tensor(totals, dtype=torch.float64)


@pytest.mark.parametrize("kind", ["l2", "l1", "bn", "taylor"])
def test_a_channel_counts_in_all_layers_of_its_group(net, kind):
    cross_entropy(net(torch.randn(5, 1, 8, 8)), torch.tensor([0, 1, 2, 0, 1])).backward()
    found = Channels(net, SPEC).scores(ChannelImportance(kind))
    groups = {4: [net.first, net.bn1, net.deep, net.bn2, net.back, net.bn4], 6: [net.wide, net.bn3]}
    assert sorted(len(score) for score in found.values()) == [4, 6]
    for score in found.values():
        torch.testing.assert_close(score, by_hand(net, kind, groups[len(score)]), rtol=1e-5, atol=1e-6)


def test_random_scores_follow_from_the_seed_alone(net):
    one, same, other = (Channels(net, SPEC).scores(ChannelImportance("random", seed)) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) and not torch.equal(one[name], other[name]) for name in one)
    assert KINDS == ("l2", "l1", "bn", "taylor", "random")


def test_layers_without_a_batch_norm_have_their_filters_norm_for_bn():
    net = tiny.Residual(norms=False)
    score = next(score for score in Channels(net, SPEC).scores(ChannelImportance("bn")).values() if len(score) == 6)
    torch.testing.assert_close(score, net.wide.weight.flatten(1).norm(dim=1).double())


def test_a_fine_grained_convolution_has_a_filter_for_each_channel_of_each_part():
    spec = NetSpec("resnet18-finegrained", 3, 16, 1, {"width": 0.0625, "stem_stride": 1})
    net = NETS["resnet18-finegrained"](3, 16, 1, width=0.0625, stem_stride=1)
    for norm in (module for module in net.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.normal_(norm.weight)
    channels = Channels(net, spec)
    found = channels.scores(ChannelImportance("l1"))["stem.conv"]
    part, expected = channels.widths["stem.conv"] // 4, 0.0
    layers = [net.stem.conv, net.stem.bn, *(b.conv1 for b in net.layer1), *(b.bn1 for b in net.layer1)]
    for channel in range(part, 4 * part, part):  # the first channel of each part
        expected += sum(float(layer.weight[channel].detach().abs().sum()) for layer in layers)
    expected += sum(float(layer.weight[0].detach().abs().sum()) for layer in layers)
    for module in (module for module in net.layer1.modules() if isinstance(module, MultiScaleConv)):
        for conv, norm in zip(module.convs, module.norms, strict=True):
            expected += float(conv.weight[0].detach().abs().sum() + norm.weight[0].detach().abs())
    assert found[0].item() == pytest.approx(expected, rel=1e-5)
