from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import net_cost


@pytest.mark.parametrize("name", ["resnet18", "vgg11"])
def test_at_most_a_fifth_of_the_parameters(name):
    original, light = (nets.resolve(one, classes=8, size=48) for one in (name, f"{name}-light"))
    before, after = (net_cost(spec.skeleton(), spec) for spec in (original, light))
    assert after.params * 5 <= before.params
    assert after.macs * 5 <= before.macs


def test_parameters_by_hand():
    """Of each 3x3 from a to b channels: 9 a, the norm's 2 a, and a b / groups."""
    light = nets.resolve("vgg11-light", classes=8, size=48).skeleton()
    widths = [64, 128, 256, 256, 512, 512, 512, 512]
    expected = 9 * 64 + 2 * sum(widths) + 512 * 8 + 8
    expected += sum(11 * a + a * b // 2 for a, b in itertools.pairwise(widths))
    assert sum(parameter.numel() for parameter in light.parameters()) == expected


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("name", ["resnet18-light", "vgg11-light"])
def test_contract(name, groups, faces):
    net = nets.resolve(name, classes=8, size=48, width=0.25, groups=groups).build().eval()
    stages = net.stages(faces)
    assert tuple(each.shape[1] for each in stages) == net.stage_widths
    torch.testing.assert_close(net(faces), net.classify(net.embed(stages)))
    dense = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) and m.groups == 1]
    assert [module.in_channels for module in dense] == [1]


def test_every_weight_learns(faces):
    net = nets.resolve("resnet18-light", classes=8, size=48, width=0.25).build()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):  # the zero-initialised norms let gradients through from the second step on
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(faces), torch.tensor([1, 2])).backward()
        optimizer.step()
    assert [name for name, value in net.named_parameters() if not value.grad.abs().sum() > 0] == []


def test_other_groups_are_named():
    with pytest.raises(FaceletError, match="'groups'"):
        nets.resolve("vgg11-light", classes=8, size=48, groups=3)
