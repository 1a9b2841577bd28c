"""ResNet18 with CBAM: attention over channels, then over places, at the end of every residual block. Woo et al.,
https://arxiv.org/abs/1807.06521; the module is timm's.

The front of Liu's capsule network (master's thesis, 2024), which adjusts the four residual stages; how is our reading: the last
stage neither halves the maps nor widens them, so that 48 px faces end in 256 maps of 6 x 6, and capsules have places to be in.

>>> net = facelet.nets.resolve("resnet18-cbam", classes=8, size=48).build()

With its linear head it is the control of ``rescaps``.
"""

from __future__ import annotations

from typing import Any

from timm.layers.cbam import CbamModule
from torch import Tensor
from torchvision.models.resnet import BasicBlock

from facelet.nets.base import NETS
from facelet.nets.resnet import ResNet18


class CbamBlock(BasicBlock):
    """torchvision's BasicBlock with a CBAM before the sum."""

    def __init__(self, inplanes: int, planes: int, *more: Any) -> None:
        super().__init__(inplanes, planes, *more)
        self.cbam = CbamModule(planes)

    def forward(self, x: Tensor) -> Tensor:
        found = self.relu(self.bn1(self.conv1(x)))
        found = self.cbam(self.bn2(self.conv2(found)))
        return self.relu(found + (x if self.downsample is None else self.downsample(x)))


@NETS.register("resnet18-cbam")
class CbamResNet18(ResNet18):
    """``resnet18`` of CbamBlock, its stages adjusted; the same options."""

    block = CbamBlock
    widths = (64, 128, 256, 256)
    strides = (1, 2, 2, 1)
