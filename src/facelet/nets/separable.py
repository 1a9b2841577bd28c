"""Depthwise-separable convolution: space first, channel by channel, then channels. https://arxiv.org/abs/1704.04861

>>> Separable(64, 128, stride=2)(maps)

Few parameters and MACs; on a GPU its depthwise half is bound by memory and gains less time than the MACs promise.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Separable(nn.Module):
    """Depthwise 3x3 - BN - 1x1 - BN - ReLU. (N, inputs, H, W) to (N, outputs, ceil(H / stride), ceil(W / stride))."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        if maps.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            # A CPU's bfloat16 depthwise gradient is so slow that four would cost a quarter of a ResNet18's step.
            with torch.autocast("cpu", enabled=False):
                maps = self.depthwise(maps.float())
        else:
            maps = self.depthwise(maps)
        return self.relu(self.bn2(self.pointwise(self.bn1(maps))))
