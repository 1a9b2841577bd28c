"""A strided 1x1 convolution that is safe to train on a CPU.

oneDNN's backward pass in channels last with fewer than 16 channels writes out of bounds and crashes or hangs
(https://github.com/uxlfoundation/oneDNN/issues/6035). Dropping the skipped pixels first gives the same result.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d

SAFE = 16
"""Number of channels from which oneDNN's strided convolution is correct."""


class Pointwise(nn.Conv2d):
    """1x1 convolution without bias. (N, inputs, H, W) to (N, outputs, ceil(H / stride), ...); a plain Conv2d without gradients."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 1, stride, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        if self.stride == (1, 1) or self.in_channels >= SAFE or not torch.is_grad_enabled():
            return super().forward(input)
        return conv2d(avg_pool2d(input, 1, self.stride[0]), self.weight)
