from __future__ import annotations

import torch
from torch.nn import functional

from facelet.nets.layers.multi_scale import FineGrainedBlock, MultiScaleConv


def test_multi_scale_by_hand():
    layer = MultiScaleConv(8).eval()
    for norm in layer.norms:
        torch.nn.init.uniform_(norm.weight)
    maps = torch.randn(2, 8, 5, 5)
    before, found = torch.zeros(2, 2, 5, 5), []
    for i in range(4):
        before = layer.norms[i](
            functional.conv2d(maps[:, 2 * i : 2 * i + 2] + before.clamp(min=0), layer.convs[i].weight, padding=1)
        )
        found.append(before)
    torch.testing.assert_close(layer(maps), torch.cat(found, 1))


def test_receptive_field_grows_with_the_part():
    layer = MultiScaleConv(8).eval()
    for conv in layer.convs:
        torch.nn.init.ones_(conv.weight)
    maps = torch.zeros(1, 8, 11, 11)
    maps[:, :, 5, 5] = 1
    reach = [int((part.abs().sum(1)[0] > 0).any(0).sum()) for part in layer(maps).chunk(4, 1)]
    assert reach == [3, 5, 7, 9]


def test_block_has_fewer_weights_than_the_plain_one():
    convs = sum(weight.numel() for weight in FineGrainedBlock(64, 64).parameters() if weight.ndim == 4)
    assert convs == 9 * 64 * 64 + 4 * 9 * 16 * 16
