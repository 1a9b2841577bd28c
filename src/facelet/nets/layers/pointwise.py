"""A strided 1x1 convolution that a CPU can learn with.

Its backward pass in channels last, of less than 16 channels, writes past its memory (https://github.com/uxlfoundation/oneDNN/issues/6035):
some batches crash, others hang. Leaving the pixels out first is the same sum.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d

SAFE = 16
"""Channels from which on the strided convolution itself is sound."""


class Pointwise(nn.Conv2d):
    """1x1 convolution without bias. (N, inputs, H, W) to (N, outputs, ceil(H / stride), ...); as any other where nothing learns."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 1, stride, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        if self.stride == (1, 1) or self.in_channels >= SAFE or not torch.is_grad_enabled():
            return super().forward(input)
        return conv2d(avg_pool2d(input, 1, self.stride[0]), self.weight)
