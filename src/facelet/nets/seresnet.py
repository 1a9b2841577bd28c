"""Residual embedding nets with squeeze-and-excitation (ArcFace's "IR-SE"), for teachers.

Deng et al., https://arxiv.org/abs/1801.07698 (network settings); SE: Hu et al., https://arxiv.org/abs/1709.01507, timm's module.

The residual block is BN - conv - BN - PReLU - strided conv - BN - SE, without a ReLU after the sum. The first convolution has
stride 1, so 112 px faces end in maps of 7 x 7; the embedding uses every position.

>>> net = facelet.nets.resolve("seresnet18", classes=0, size=112, channels=3, embedding=512).build()

Too large for students: a face costs 12 (18 layers) to 29 (50 layers) times MobileFaceNet's MACs, and the batch norms before the
convolutions remain in the exported file.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from timm.layers import SEModule
from torch import Tensor, nn

from facelet.errors import FaceletError
from facelet.nets.base import NETS, Dropout, FaceNet, classifier, initialise
from facelet.nets.layers.embedding_head import DepthwiseHead, FlatHead, Width
from facelet.nets.layers.pointwise import Pointwise
from facelet.nets.layers.stem import require_size

WIDTHS = (64, 128, 256, 512)


class SEResNetBlock(nn.Module):
    """``shortcut(maps) + se(body(maps))``. (N, inputs, H, W) to (N, width, ceil(H / stride), ...)."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            SEModule(width),
        )
        self.shortcut: nn.Module = nn.Identity()
        if inputs != width or stride != 1:
            self.shortcut = nn.Sequential(Pointwise(inputs, width, stride), nn.BatchNorm2d(width))

    def forward(self, maps: Tensor) -> Tensor:
        return self.shortcut(maps) + self.body(maps)


@NETS.register("seresnet18")
class SEResNet18(FaceNet):
    """Four stages of two blocks, of 64, 128, 256, 512 x ``width`` channels, each halving the maps, and the embedding.

    Args:
        classes: number of outputs; 0 for an embedding net.
        size: side of the input in pixels.
        channels: channels of the input.
        width: factor of all widths, 0.0625 to 4.
        embedding: length of the embedding, 64 to 1024.
        head: "flat" (ArcFace's BN - dropout - FC - BN) or "gdc" (MobileFaceNet's, with far fewer parameters).
        stem_stride: 1, or 2 for a quarter of the compute.
        dropout: before the embedding; 0.4 in ArcFace.

    Raises FaceletError when ``size`` is below 16 times the stem's stride.
    """

    depths: ClassVar[tuple[int, ...]] = (2, 2, 2, 2)

    def __init__(
        self,
        classes: int,
        size: int,
        channels: int,
        *,
        width: float = 1.0,
        embedding: Width = 512,
        head: Literal["flat", "gdc"] = "flat",
        stem_stride: Literal[1, 2] = 1,
        dropout: Dropout = 0.0,
    ) -> None:
        super().__init__()
        if not 0.0625 <= width <= 4:
            raise FaceletError(f"width is {width}, expected a factor of 0.0625 to 4")
        require_size(size, 16 * stem_stride)
        self.stage_widths = tuple(max(8, round(base * width / 8) * 8) for base in WIDTHS)
        self.embedding_width = embedding
        inputs, side, stages = self.stage_widths[0], -(-size // stem_stride), []
        self.stem = nn.Sequential(
            nn.Conv2d(channels, inputs, 3, stem_stride, 1, bias=False), nn.BatchNorm2d(inputs), nn.PReLU(inputs)
        )
        for outputs, depth in zip(self.stage_widths, self.depths, strict=True):
            stages.append(
                nn.Sequential(
                    SEResNetBlock(inputs, outputs, 2), *(SEResNetBlock(outputs, outputs, 1) for _ in range(1, depth))
                )
            )
            inputs, side = outputs, -(-side // 2)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.head = (
            FlatHead(inputs, side * side, embedding, dropout)
            if head == "flat"
            else DepthwiseHead(inputs, side, embedding, dropout)
        )
        self.fc = classifier(embedding, classes)
        initialise(self)

    def stages(self, images: Tensor) -> list[Tensor]:
        first = self.layer1(self.stem(images))
        second = self.layer2(first)
        third = self.layer3(second)
        return [first, second, third, self.layer4(third)]

    def embed(self, stages: list[Tensor]) -> Tensor:
        return self.head(stages[-1])

    def classify(self, embedding: Tensor) -> Tensor:
        return self.fc(embedding)

    def uncut(self) -> list[nn.Module]:
        """The classifier, and the layer that produces the embedding, whose length is an option."""
        return [self.fc, self.head.linear]


@NETS.register("seresnet34")
class SEResNet34(SEResNet18):
    """``seresnet18`` with 3, 4, 6, 3 blocks; same options."""

    depths = (3, 4, 6, 3)


@NETS.register("seresnet50")
class SEResNet50(SEResNet18):
    """``seresnet18`` with 3, 4, 14, 3 blocks (ArcFace's "IR-SE-50"); same options."""

    depths = (3, 4, 14, 3)
