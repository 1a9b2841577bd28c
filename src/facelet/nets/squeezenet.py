"""SqueezeNet 1.1 for small faces.

Iandola et al., https://arxiv.org/abs/1602.07360

Fire modules after a stem that fits the size of the faces. Two differences from the paper: every convolution has a batch norm, which
is folded into it at export, and a linear layer follows the pooled maps, where the paper pools rectified scores.

>>> net = facelet.nets.resolve("squeezenet", classes=8, size=48).build()

Few parameters, but many MACs per parameter.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facelet.nets.base import NETS, Dropout, FaceNet, classifier, initialise
from facelet.nets.layers.stem import Stem, Stride, default_stride, require_size

STAGES = (((16, 64), (16, 64)), ((32, 128), (32, 128)), ((48, 192), (48, 192), (64, 256), (64, 256)))
"""For each fire module of a stage: squeezed channels, and output channels of each of its two expanding convolutions."""
STEM = 64


def _conv(inputs: int, outputs: int, side: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Fire(nn.Module):
    """1x1 to ``squeezed`` channels, then a 1x1 and a 3x3 side by side. (N, inputs, H, W) to (N, 2 x expanded, H, W)."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = _conv(inputs, squeezed, 1)
        self.expand1, self.expand3 = _conv(squeezed, expanded, 1), _conv(squeezed, expanded, 3)

    def forward(self, maps: Tensor) -> Tensor:
        squeezed = self.squeeze(maps)
        return torch.cat((self.expand1(squeezed), self.expand3(squeezed)), 1)


@NETS.register("squeezenet")
class SqueezeNet(FaceNet):
    """A convolution, then three stages of fire modules, each after a max pool that halves the maps.

    Args:
        classes: number of outputs; 0 for an embedding net.
        size: side of the input in pixels.
        channels: channels of the input.
        stem_stride: 1, 2 or 4; None chooses by size.
        dropout: before the classifier; 0.5 in the paper.

    Raises FaceletError when ``size`` is below the total stride (8 times the stem's).
    """

    def __init__(
        self, classes: int, size: int, channels: int, *, stem_stride: Stride | None = None, dropout: Dropout = 0.0
    ) -> None:
        super().__init__()
        stride = stem_stride or default_stride(size)
        require_size(size, stride * 8)
        self.stage_widths = tuple(2 * stage[-1][1] for stage in STAGES)
        self.embedding_width = self.stage_widths[-1]
        self.stem = Stem(channels, STEM, stride)
        inputs, stages = STEM, []
        for stage in STAGES:
            layers: list[nn.Module] = [nn.MaxPool2d(3, 2, padding=1)]
            for squeezed, expanded in stage:
                layers.append(Fire(inputs, squeezed, expanded))
                inputs = 2 * expanded
            stages.append(nn.Sequential(*layers))
        self.stage1, self.stage2, self.stage3 = stages
        self.dropout = nn.Dropout(dropout)
        self.fc = classifier(self.embedding_width, classes)
        initialise(self)

    def stages(self, images: Tensor) -> list[Tensor]:
        first = self.stage1(self.stem(images))
        second = self.stage2(first)
        return [first, second, self.stage3(second)]
