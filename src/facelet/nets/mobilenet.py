"""MobileNet for faces, as in OpenCV's SFace: PReLU after every batch norm, and stride 1 in the first convolution.

Howard et al., https://arxiv.org/abs/1704.04861; SFace: Zhong et al., https://arxiv.org/abs/2205.12010

>>> net = facelet.nets.resolve("mobilenet", classes=8, size=112, channels=3).build()

A teacher: 568 M MACs at 112 px. reproduce/sface_weights.py converts SFace's file, trained on millions of faces, to a checkpoint;
with ``embedding=128`` the net's outputs equal SFace's.
"""

from __future__ import annotations

from torch import Tensor, nn

from facelet.errors import FaceletError
from facelet.nets.base import NETS, Dropout, FaceNet, classifier, initialise
from facelet.nets.layers.embedding_head import FlatHead, Width
from facelet.nets.layers.stem import require_size, scaled

FIRST = 32
STEM = 64
STAGES = ((128, 2), (256, 2), (512, 6), (1024, 2))
"""Channels and number of blocks of each stage; the first block halves the maps."""


class MobileNetBlock(nn.Sequential):
    """Depthwise 3x3 - BN - PReLU - 1x1 - BN - PReLU. (N, inputs, H, W) to (N, outputs, ceil(H / stride), ...)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.PReLU(inputs),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.PReLU(outputs),
        )


@NETS.register("mobilenet")
class MobileNet(FaceNet):
    """A convolution and a block at full resolution, then four stages of 128, 256, 512, 1024 x ``width`` channels.

    Args:
        classes: number of outputs; 0 for an embedding net.
        size: side of the input in pixels.
        channels: channels of the input.
        width: factor of all widths, 0.125 to 2; 3.2 M parameters at 1.0 without ``embedding``.
        embedding: length, 64 to 1024, of an embedding from every position of the last map (6.4 M parameters for 128 at 112 px);
            None uses the last map's mean.
        dropout: before the classifier, or before the embedding if there is one.

    Raises FaceletError when ``size`` is below 16.
    """

    def __init__(
        self,
        classes: int,
        size: int,
        channels: int,
        *,
        width: float = 1.0,
        embedding: Width | None = None,
        dropout: Dropout = 0.0,
    ) -> None:
        super().__init__()
        if not 0.125 <= width <= 2:
            raise FaceletError(f"width is {width}, expected a factor of 0.125 to 2")
        require_size(size, 16)
        first, inputs, side, stages = scaled(FIRST, width), scaled(STEM, width), size, []
        conv = nn.Conv2d(channels, first, 3, 1, 1, bias=False)
        self.stem = nn.Sequential(conv, nn.BatchNorm2d(first), nn.PReLU(first), MobileNetBlock(first, inputs, 1))
        for base, count in STAGES:
            outputs = scaled(base, width)
            blocks = (
                MobileNetBlock(outputs if number else inputs, outputs, 1 if number else 2) for number in range(count)
            )
            stages.append(nn.Sequential(*blocks))
            inputs, side = outputs, -(-side // 2)
        self.stage1, self.stage2, self.stage3, self.stage4 = stages
        self.stage_widths = tuple(scaled(base, width) for base, _ in STAGES)
        self.embedding_width = embedding or inputs
        self.head = None if embedding is None else FlatHead(inputs, side * side, embedding, dropout)
        self.dropout = nn.Dropout(dropout if embedding is None else 0.0)
        self.fc = classifier(self.embedding_width, classes)
        initialise(self)

    def stages(self, images: Tensor) -> list[Tensor]:
        maps = [self.stage1(self.stem(images))]
        for stage in (self.stage2, self.stage3, self.stage4):
            maps.append(stage(maps[-1]))
        return maps

    def embed(self, stages: list[Tensor]) -> Tensor:
        return super().embed(stages) if self.head is None else self.head(stages[-1])

    def uncut(self) -> list[nn.Module]:
        return [self.fc] if self.head is None else [self.fc, self.head.linear]
