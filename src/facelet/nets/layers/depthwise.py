"""Depthwise convolution that trains fast on CPUs.

Under autocast to bfloat16 on a CPU it computes in float32: oneDNN's depthwise gradients in bfloat16 are slow.

>>> Depthwise(64, 3, stride=2, padding=1)(maps)   # (N, 64, H, W) to (N, 64, ceil(H / 2), ceil(W / 2))
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Depthwise(nn.Conv2d):
    """Convolution of each channel by itself, without bias: ``nn.Conv2d(channels, channels, kernel, groups=channels)``."""

    def __init__(self, channels: int, kernel: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__(channels, channels, kernel, stride, padding, groups=channels, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        if maps.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return super().forward(maps.float())
        return super().forward(maps)
