"""Depthwise-separable convolution: a depthwise 3x3 followed by a 1x1.

https://arxiv.org/abs/1704.04861

>>> Separable(64, 128, stride=2)(maps)
>>> SeparableConv(64, 128, groups=2)(maps)  # the 1x1 in two groups of channels, shuffled: https://arxiv.org/abs/1707.01083

Few parameters and MACs; on a GPU the depthwise half is memory-bound, so time shrinks less than MACs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SeparableConv(nn.Module):
    """Depthwise 3x3 - BN - 1x1, a replacement for a dense 3x3. (N, inputs, H, W) to (N, outputs, ceil(H / stride), ...).

    ``groups``: groups of the 1x1; with more than one its output channels are shuffled. ``groups ** 2`` must divide ``outputs``.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, groups=groups, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        return shuffled(self.pointwise(self.bn1(self.depthwise(maps))), self.pointwise.groups)


class Separable(SeparableConv):
    """``SeparableConv`` - BN - ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        return self.relu(self.bn2(super().forward(maps)))


def shuffled(maps: Tensor, groups: int) -> Tensor:
    """Shuffles the channels of (N, C, H, W) across ``groups``: piece j of group i becomes piece i of group j.

    Whole pieces move, so that it exports to one Split and one Concat. For a following 1x1 this is equivalent to the paper's
    interleaving of single channels.
    """
    if groups == 1:
        return maps
    pieces = maps.chunk(groups * groups, 1)
    return torch.cat([pieces[i * groups + j] for j in range(groups) for i in range(groups)], 1)
