from __future__ import annotations

import pytest
import torch
from torch import nn

from facelet.nets.layers.capsule import LENGTH, ClassCapsules
from facelet.nets.layers.multi_scale import MultiScaleConv
from facelet.shrink.pruning.custom_layers import CapsulesPruner, MultiScalePruner, blocks, hidden


def test_the_same_channels_go_from_every_part():
    torch.manual_seed(0)
    layer, pruner = MultiScaleConv(16).eval(), MultiScalePruner()
    assert pruner.get_in_channels(layer) == pruner.get_out_channels(layer) == 16
    first = layer.convs[2].weight.detach().clone()
    pruner.prune_out_channels(layer, [1, 5, 9, 13])
    assert pruner.get_out_channels(layer) == 12
    kept = [0, 2, 3]
    assert torch.equal(layer.convs[2].weight, first[kept][:, kept])
    assert all(norm.num_features == 3 for norm in layer.norms)
    assert layer(torch.randn(2, 12, 6, 6)).shape == (2, 12, 6, 6)


def test_types_of_capsules_go_and_classes_stay():
    torch.manual_seed(0)
    layer, pruner = ClassCapsules(classes=3, types=4, dims=2, places=9).eval(), CapsulesPruner()
    assert (pruner.get_in_channels(layer), pruner.get_out_channels(layer)) == (8, 3 * LENGTH)
    first = layer.weight.detach().clone()
    pruner.prune_in_channels(layer, [1, 5])  # both numbers of the second type
    assert torch.equal(layer.weight, first[[0, 2, 3]])
    assert pruner.get_in_channels(layer) == 6
    assert layer(torch.randn(2, 6, 3, 3)).shape == (2, 3, LENGTH)
    with pytest.raises(ValueError, match="cannot be pruned"):
        pruner.prune_out_channels(layer, [0])


def test_blocks_of_channels_that_are_cut_alike():
    layers = (MultiScaleConv(8), ClassCapsules(3, 4, 2, 9), nn.GroupNorm(2, 8), nn.Conv2d(8, 8, 3, groups=8), nn.ReLU())
    assert [blocks(layer) for layer in layers] == [4, 2, 2, 8, 1]


def test_the_inside_is_hidden_for_a_while():
    torch.manual_seed(0)
    net = nn.Sequential(MultiScaleConv(8), ClassCapsules(3, 4, 2, 9)).eval()
    maps = torch.randn(2, 8, 3, 3, requires_grad=True)
    before = net(maps)
    with hidden(net):
        assert torch.equal(net[0](maps), maps)
        assert (net(maps) == 1).all()
        net(maps).sum().backward()
    assert torch.equal(net(maps), before)
