"""The stem: a first convolution whose stride depends on the input size.

ImageNet's stems reduce the input by 4, which leaves 48 px faces with maps of 2 x 2. Small faces get a plain 3x3 convolution;
stride 1, which costs four times the compute of stride 2, is an option.

>>> stem = Stem(channels=1, width=64, stride=default_stride(48))
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from facelet.errors import FaceletError

Stride = Literal[1, 2, 4]


def default_stride(size: int) -> Stride:
    """1 below 40 px (as in CIFAR nets), 2 below 112 px, else 4 (the ImageNet stem)."""
    return 1 if size < 40 else 2 if size < 112 else 4


def require_size(size: int, stride: int) -> None:
    """Raises FaceletError when an input is smaller than the net's total stride."""
    if size < stride:
        raise FaceletError(f"{size} px faces are too small for this net: its strides need at least {stride} px")


def scaled(base: int, width: float) -> int:
    """``base`` channels times ``width``, rounded to a multiple of 8, at least 8."""
    return max(8, round(base * width / 8) * 8)


class Stem(nn.Module):
    """Conv - BN - ReLU, and a max pool at stride 4. (N, channels, H, W) to (N, width, H / stride, W / stride).

    ``wide`` is the side of the convolution at stride 4: 7 in ResNet, 3 in ShuffleNetV2.
    """

    def __init__(self, channels: int, width: int, stride: int, wide: int = 3) -> None:
        super().__init__()
        side = wide if stride == 4 else 3
        self.conv = nn.Conv2d(channels, width, side, min(stride, 2), side // 2, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, 2, 1) if stride == 4 else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.pool(self.relu(self.bn(self.conv(images))))
