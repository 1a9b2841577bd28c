"""SqueezeNet 1.1 for small faces. Iandola et al., https://arxiv.org/abs/1602.07360

torchvision's fire modules behind a stem that suits the size of the faces. Where the paper pools the rectified scores of a last 1x1
convolution, here one linear layer reads the pooled maps: the same parameters, but scores may be negative.

>>> net = facelet.nets.resolve("squeezenet", classes=8, size=48).build()

Few parameters, many MACs for them; without batch norms it learns more slowly than its peers.
"""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.squeezenet import Fire

from facelet.nets.base import NETS, Dropout, FaceNet, initialise
from facelet.nets.stem import Stride, default_stride, require_size

STAGES = (((16, 64), (16, 64)), ((32, 128), (32, 128)), ((48, 192), (48, 192), (64, 256), (64, 256)))
"""Per stage, of each fire module: channels squeezed to, and expanded to by each of its two convolutions."""
STEM = 64


@NETS.register("squeezenet")
class SqueezeNet(FaceNet):
    """A convolution, then three stages of fire modules, each behind a max pool that halves the maps.

    Args:
        stem_stride: 1, 2 or 4; by size when None.
        dropout: before the classifier (the paper's is 0.5).

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
        self.stem = nn.Sequential(nn.Conv2d(channels, STEM, 3, stride, padding=1), nn.ReLU(inplace=True))
        inputs, stages = STEM, []
        for stage in STAGES:
            layers: list[nn.Module] = [nn.MaxPool2d(3, 2, padding=1)]
            for squeezed, expanded in stage:
                layers.append(Fire(inputs, squeezed, expanded, expanded))
                inputs = 2 * expanded
            stages.append(nn.Sequential(*layers))
        self.stage1, self.stage2, self.stage3 = stages
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.embedding_width, classes)
        initialise(self)

    def stages(self, images: Tensor) -> list[Tensor]:
        first = self.stage1(self.stem(images))
        second = self.stage2(first)
        return [first, second, self.stage3(second)]

    def embed(self, stages: list[Tensor]) -> Tensor:
        return stages[-1].mean((2, 3))

    def classify(self, embedding: Tensor) -> Tensor:
        return self.fc(self.dropout(embedding))

    def uncut(self) -> list[nn.Module]:
        return [self.fc]
