"""VGG for small faces, plain and residual.

Simonyan & Zisserman, https://arxiv.org/abs/1409.1556; the residual VGG19 is that of Xu, Yin & Yang,
https://doi.org/10.1109/TOCS50858.2020.9339739

Five blocks of 3x3 convolutions with batch norms, separated by max pools. In ``resvgg19`` every block adds its input to its output,
through a 1x1 convolution where their widths differ (the paper does not say how). Global pooling and one linear layer replace VGG's
three wide linear layers, which would have 120 M of 140 M parameters.

>>> net = facelet.nets.resolve("resvgg19", classes=8, size=48).build()

Wide and slow, so it gains much from pruning and int8.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from facelet.errors import FaceletError
from facelet.nets.base import NETS, Dropout, FaceNet, classifier, initialise
from facelet.nets.layers.pointwise import Pointwise
from facelet.nets.layers.stem import Stride, default_stride, require_size

WIDTHS = (64, 128, 256, 512, 512)
SMALLEST = 3
"""Maps of this side or less are not halved: 3x3 convolutions on a single pixel would waste eight of nine weights."""


class VGGBlock(nn.Module):
    """3x3 convolutions, each with batch norm and ReLU, the first of stride ``stride``. (N, inputs, H, W) to (N, width, ...)."""

    def __init__(self, inputs: int, width: int, depth: int, stride: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(depth):
            layers += [
                nn.Conv2d(inputs if number == 0 else width, width, 3, stride if number == 0 else 1, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
        self.body = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        return self.body(maps)


class ResidualBlock(VGGBlock):
    """``relu(body(maps) + shortcut(maps))``: the body's last ReLU is moved after the sum."""

    def __init__(self, inputs: int, width: int, depth: int, stride: int) -> None:
        super().__init__(inputs, width, depth, stride)
        self.body, self.relu = self.body[:-1], self.body[-1]
        self.shortcut: nn.Module = nn.Identity()
        if inputs != width or stride != 1:
            self.shortcut = nn.Sequential(Pointwise(inputs, width, stride), nn.BatchNorm2d(width))

    def forward(self, maps: Tensor) -> Tensor:
        return self.relu(self.body(maps) + self.shortcut(maps))


@NETS.register("vgg11")
class VGG11(FaceNet):
    """Five blocks of 64, 128, 256, 512, 512 x ``width`` channels.

    Args:
        classes: number of outputs; 0 for an embedding net.
        size: side of the input in pixels.
        channels: channels of the input.
        width: factor of all widths, 0.0625 to 4.
        stem_stride: stride of the first convolution: 1, 2 or 4; None chooses by size.
        dropout: before the classifier.

    Raises FaceletError when ``size`` is below 8 times the stem's stride.
    """

    depths: ClassVar[tuple[int, ...]] = (1, 1, 2, 2, 2)
    block: type[VGGBlock] = VGGBlock

    def __init__(
        self,
        classes: int,
        size: int,
        channels: int,
        *,
        width: float = 1.0,
        stem_stride: Stride | None = None,
        dropout: Dropout = 0.0,
    ) -> None:
        super().__init__()
        if not 0.0625 <= width <= 4:
            raise FaceletError(f"width is {width}, expected a factor of 0.0625 to 4")
        stride = stem_stride or default_stride(size)
        require_size(size, stride * 8)
        self.stage_widths = tuple(max(8, round(base * width / 8) * 8) for base in WIDTHS)
        self.embedding_width = self.stage_widths[-1]
        side, inputs, blocks = -(-size // stride), channels, []
        for number, (outputs, depth) in enumerate(zip(self.stage_widths, self.depths, strict=True)):
            block: nn.Module = self.block(inputs, outputs, depth, stride if number == 0 else 1)
            if number and side > SMALLEST:
                block, side = nn.Sequential(nn.MaxPool2d(2), block), side // 2
            blocks.append(block)
            inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(dropout)
        self.fc = classifier(self.embedding_width, classes)
        initialise(self)

    def stages(self, images: Tensor) -> list[Tensor]:
        maps, stages = images, []
        for block in self.blocks:
            maps = block(maps)
            stages.append(maps)
        return stages


@NETS.register("vgg19")
class VGG19(VGG11):
    """``vgg11`` with 2, 2, 4, 4, 4 convolutions per block; same options."""

    depths = (2, 2, 4, 4, 4)


@NETS.register("resvgg19")
class ResVGG19(VGG19):
    """``vgg19`` with residual blocks; same options."""

    block = ResidualBlock
