"""MobileFaceNet with squeeze-and-excitation, an embedding net.

Chen et al., https://arxiv.org/abs/1804.07573; SE: Hu et al., https://arxiv.org/abs/1709.01507, timm's module.

It has MobileNetV2's bottlenecks, narrower and with PReLU, and a depthwise convolution over the whole last map instead of a mean. It
is the student of Wei et al. (Modern Computer 2019, no. 643), who put SE into student and teacher. They do not say where; here it is
at the end of every bottleneck, before the residual sum, as in SE-ResNet.

>>> net = facelet.nets.resolve("mobilefacenet-1m", classes=0, size=112, channels=3).build()
>>> net(images)                                     # (N, 128): without classes the net returns its embedding

The runtime has no int8 PReLU: between two int8 convolutions maps are converted to float and back. ``activation="relu"`` avoids it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from timm.layers import SEModule
from torch import Tensor, nn

from facelet.errors import FaceletError
from facelet.nets.base import NETS, Dropout, FaceNet, classifier, initialise
from facelet.nets.layers.embedding_head import DepthwiseHead, Width
from facelet.nets.layers.stem import default_stride, require_size, scaled

Activation = Literal["prelu", "relu"]
FIRST, LAST = 64, 512
STAGES = (((2, 64, 5, 2),), ((4, 128, 1, 2), (2, 128, 6, 1)), ((4, 128, 1, 2), (2, 128, 2, 1)))
"""Bottlenecks of the paper's table 1, grouped by map size: expansion, channels, count, stride of the first."""


def _conv(inputs: int, outputs: int, activation: Activation | None, side: int = 1, stride: int = 1) -> list[nn.Module]:
    """Convolution - BN - activation; depthwise when the kernel is 3x3 and the widths are equal."""
    groups = inputs if side == 3 and inputs == outputs else 1
    conv = nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False)
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(outputs)]
    if activation is not None:
        layers.append(nn.PReLU(outputs) if activation == "prelu" else nn.ReLU(inplace=True))
    return layers


class Bottleneck(nn.Module):
    """1x1 - depthwise 3x3 - 1x1 without activation - SE, plus the input when the shapes allow."""

    def __init__(
        self, inputs: int, outputs: int, expansion: int, stride: int, se: bool, activation: Activation
    ) -> None:
        super().__init__()
        wide = inputs * expansion
        self.body = nn.Sequential(
            *_conv(inputs, wide, activation),
            *_conv(wide, wide, activation, side=3, stride=stride),
            *_conv(wide, outputs, None),
            *([SEModule(outputs)] if se else []),
        )
        self.sums = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.body(maps) if self.sums else self.body(maps)


@NETS.register("mobilefacenet")
class MobileFaceNet(FaceNet):
    """Three stages of bottlenecks of 64, 128, 128 x ``width`` channels, and the embedding.

    Args:
        classes: number of outputs; 0 for an embedding net.
        size: side of the input in pixels.
        channels: channels of the input.
        width: factor of all widths, 0.125 to 4; 1.03 M parameters at 1.0 (the paper's net plus SE).
        embedding: length of the embedding, 64 to 1024, independent of the width.
        se: squeeze-and-excitation at the end of every bottleneck.
        activation: "prelu" as in the paper, or "relu".
        stem_stride: 1 or 2; None is 1 below 40 px, else 2.
        dropout: before the embedding.

    Raises FaceletError when ``size`` is below 8 times the stem's stride.
    """

    scale: ClassVar[float] = 1.0

    def __init__(
        self,
        classes: int,
        size: int,
        channels: int,
        *,
        width: float = 1.0,
        embedding: Width = 128,
        se: bool = True,
        activation: Activation = "prelu",
        stem_stride: Literal[1, 2] | None = None,
        dropout: Dropout = 0.0,
    ) -> None:
        super().__init__()
        if not 0.125 <= width <= 4:
            raise FaceletError(f"width is {width}, expected a factor of 0.125 to 4")
        stride = stem_stride or min(2, default_stride(size))
        require_size(size, stride * 8)
        width = width * self.scale
        inputs, side, stages = scaled(FIRST, width), -(-size // stride), []
        self.stem = nn.Sequential(
            *_conv(channels, inputs, activation, side=3, stride=stride), *_conv(inputs, inputs, activation, side=3)
        )
        for groups in STAGES:
            blocks: list[nn.Module] = []
            for expansion, base, count, first in groups:
                outputs = scaled(base, width)
                for number in range(count):
                    blocks.append(Bottleneck(inputs, outputs, expansion, 1 if number else first, se, activation))
                    inputs = outputs
            stages.append(nn.Sequential(*blocks))
            side = -(-side // 2)
        self.stage1, self.stage2, self.stage3 = stages
        self.stage_widths = tuple(scaled(groups[-1][1], width) for groups in STAGES)
        self.embedding_width = embedding
        last = scaled(LAST, width)
        self.wide = nn.Sequential(*_conv(inputs, last, activation))
        self.head = DepthwiseHead(last, side, embedding, dropout)
        self.fc = classifier(embedding, classes)
        initialise(self)

    def stages(self, images: Tensor) -> list[Tensor]:
        first = self.stage1(self.stem(images))
        second = self.stage2(first)
        return [first, second, self.stage3(second)]

    def embed(self, stages: list[Tensor]) -> Tensor:
        return self.head(self.wide(stages[-1]))

    def classify(self, embedding: Tensor) -> Tensor:
        return self.fc(embedding)

    def uncut(self) -> list[nn.Module]:
        """The classifier, and the layer that produces the embedding, whose length is an option."""
        return [self.fc, self.head.linear]


@NETS.register("mobilefacenet-0.5m")
class HalfMillion(MobileFaceNet):
    """``mobilefacenet`` with 0.51 M parameters (112 px, embedding of 128, no classes); same options."""

    scale = 0.67


@NETS.register("mobilefacenet-1m")
class OneMillion(MobileFaceNet):
    """``mobilefacenet`` with 0.93 M parameters; same options."""

    scale = 0.95


@NETS.register("mobilefacenet-3m")
class ThreeMillion(MobileFaceNet):
    """``mobilefacenet`` with 3.19 M parameters, as many as Wei et al.'s student; same options."""

    scale = 1.83
