"""ResNet18 for small faces.

He et al., Deep Residual Learning, https://arxiv.org/abs/1512.03385

torchvision's residual blocks after a stem that fits the size of the faces; ``resnet18-finegrained`` uses other blocks
(nets.layers.multi_scale), ``local=True`` adds a branch on four patches (nets.layers.local_patches).

>>> net = facelet.nets.resolve("resnet18", classes=8, size=48).build()

A strong, simple teacher. Most of its 11 M parameters are in the last stage, whose maps have only 3 x 3 positions at 48 px.

``resnet18-cbam`` adds attention over channels, then over positions, at the end of every residual block (Woo et al.,
https://arxiv.org/abs/1807.06521; timm's module). It is the front of Liu's capsule network (master's thesis, 2024), and with a
linear head the control of the recipe ``rescaps``. The thesis does not specify the four stages; here the last stage neither halves
nor widens the maps, so 48 px faces end in 256 maps of 6 x 6.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from timm.layers.cbam import CbamModule
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from facelet.errors import FaceletError
from facelet.nets.base import NETS, Dropout, FaceNet, classifier, initialise
from facelet.nets.layers.local_patches import LocalPatches
from facelet.nets.layers.multi_scale import FineGrainedBlock
from facelet.nets.layers.pointwise import Pointwise
from facelet.nets.layers.stem import Stem, Stride, default_stride, require_size


@NETS.register("resnet18")
class ResNet18(FaceNet):
    """Four stages of two residual blocks, of 64, 128, 256, 512 x ``width`` channels.

    Args:
        classes: number of outputs; 0 for an embedding net.
        size: side of the input in pixels.
        channels: channels of the input.
        width: factor of all widths, 0.0625 to 4.
        stem_stride: 1, 2 or 4; None chooses by size.
        local: adds a branch on four patches.
        dropout: before the classifier.

    Raises FaceletError when ``size`` is below the total stride (8 times the stem's).
    """

    block: type[BasicBlock] = BasicBlock
    widths: ClassVar[tuple[int, ...]] = (64, 128, 256, 512)
    strides: ClassVar[tuple[int, ...]] = (1, 2, 2, 2)

    def __init__(
        self,
        classes: int,
        size: int,
        channels: int,
        *,
        width: float = 1.0,
        stem_stride: Stride | None = None,
        local: bool = False,
        dropout: Dropout = 0.0,
    ) -> None:
        super().__init__()
        if not 0.0625 <= width <= 4:
            raise FaceletError(f"width is {width}, expected a factor of 0.0625 to 4")
        stride = stem_stride or default_stride(size)
        require_size(size, stride * math.prod(self.strides))
        self.stage_widths = tuple(max(8, round(base * width / 8) * 8) for base in self.widths)
        self.embedding_width = self.stage_widths[-1]
        self.stem = Stem(channels, self.stage_widths[0], stride, wide=7)
        inputs = (self.stage_widths[0], *self.stage_widths[:-1])
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            self._stage(inputs[i], self.stage_widths[i], self.strides[i]) for i in range(4)
        )
        self.local = LocalPatches(self.stage_widths[0], self.stage_widths[1]) if local else None
        self.dropout = nn.Dropout(dropout)
        self.fc = classifier(self.embedding_width, classes)
        initialise(self)
        for module in self.modules():
            if isinstance(module, BasicBlock):
                # Every block starts as the identity, which stabilises the first steps (https://arxiv.org/abs/1706.02677).
                last: Any = module.conv2.norms if isinstance(module, FineGrainedBlock) else [module.bn2]
                for norm in last:
                    nn.init.zeros_(norm.weight)

    def stages(self, images: Tensor) -> list[Tensor]:
        first = self.layer1(self.stem(images))
        second = self.layer2(first)
        if self.local is not None:
            second = second + self.local(first)
        third = self.layer3(second)
        return [first, second, third, self.layer4(third)]

    def _stage(self, inputs: int, width: int, stride: int) -> nn.Sequential:
        shortcut = None
        if stride != 1 or inputs != width:
            shortcut = nn.Sequential(Pointwise(inputs, width, stride), nn.BatchNorm2d(width))
        return nn.Sequential(self.block(inputs, width, stride, shortcut), self.block(width, width))


@NETS.register("resnet18-finegrained")
class FineGrainedResNet18(ResNet18):
    """``resnet18`` with FineGrainedBlock; same options."""

    block = FineGrainedBlock


class CbamBlock(BasicBlock):
    """torchvision's BasicBlock with a CBAM before the sum."""

    def __init__(self, inplanes: int, planes: int, *more: Any) -> None:
        super().__init__(inplanes, planes, *more)
        self.cbam = CbamModule(planes)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.relu(self.bn1(self.conv1(x)))
        maps = self.cbam(self.bn2(self.conv2(maps)))
        return self.relu(maps + (x if self.downsample is None else self.downsample(x)))


@NETS.register("resnet18-cbam")
class CbamResNet18(ResNet18):
    """``resnet18`` with CbamBlock and other stage widths and strides; same options."""

    block = CbamBlock
    widths = (64, 128, 256, 256)
    strides = (1, 2, 2, 1)
