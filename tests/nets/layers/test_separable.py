from __future__ import annotations

import pytest
import torch

from facelet.nets.layers.separable import SeparableConv, shuffled


@pytest.mark.parametrize("groups", [2, 4])
def test_the_shuffle_lets_every_group_see_all_others(groups):
    maps = torch.arange(32.0).view(1, 32, 1, 1)
    mixed = shuffled(maps, groups).flatten().tolist()
    assert sorted(mixed) == maps.flatten().tolist()
    size = 32 // groups
    for start in range(0, 32, size):
        came_from = {int(channel) // size for channel in mixed[start : start + size]}
        assert came_from == set(range(groups))


def test_a_separable_is_its_convolutions_by_hand():
    layer, maps = SeparableConv(8, 16, stride=2, groups=2).eval(), torch.randn(2, 8, 6, 6)
    spread = torch.nn.functional.conv2d(maps, layer.depthwise.weight, stride=2, padding=1, groups=8) / (1 + 1e-5) ** 0.5
    weight = layer.pointwise.weight[:, :, 0, 0]
    halves = [torch.einsum("oi,nihw->nohw", weight[8 * g : 8 * g + 8], spread[:, 4 * g : 4 * g + 4]) for g in range(2)]
    (a, b), (c, d) = (half.split(4, 1) for half in halves)
    torch.testing.assert_close(layer(maps), torch.cat((a, c, b, d), 1))
