"""Depthwise-separable convolution: space first, channel by channel, then channels. https://arxiv.org/abs/1704.04861

>>> Separable(64, 128, stride=2)(maps)
>>> SeparableConv(64, 128, groups=2)(maps)  # its 1x1 in two groups of channels, shuffled: https://arxiv.org/abs/1707.01083

Few parameters and MACs; on a GPU its depthwise half is bound by memory and gains less time than the MACs promise.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SeparableConv(nn.Module):
    """Depthwise 3x3 - BN - 1x1, in the place of a dense 3x3. (N, inputs, H, W) to (N, outputs, ceil(H / stride), ...).

    ``groups`` of the 1x1, whose channels are shuffled after it when there are several; its square divides ``outputs``.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, groups=groups, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        if maps.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            # A CPU's bfloat16 depthwise gradient is so slow that four would cost a quarter of a ResNet18's step.
            with torch.autocast("cpu", enabled=False):
                maps = self.depthwise(maps.float())
        else:
            maps = self.depthwise(maps)
        return shuffled(self.pointwise(self.bn1(maps)), self.pointwise.groups)


class Separable(SeparableConv):
    """``SeparableConv`` - BN - ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        return self.relu(self.bn2(super().forward(maps)))


def shuffled(maps: Tensor, groups: int) -> Tensor:
    """(N, C, H, W) with the channels of each of ``groups`` spread over all of them: piece j of group i becomes piece i of
    group j. Whole pieces move, so that it exports to one Split and one Concat; a 1x1 sees no more or less than with the
    paper's one-by-one interleaving.
    """
    if groups == 1:
        return maps
    pieces = maps.chunk(groups * groups, 1)
    return torch.cat([pieces[i * groups + j] for j in range(groups) for i in range(groups)], 1)
