"""ResCaps: ResNet18-CBAM in front of capsules. Liu, master's thesis, 2024, says that ResNet18's convolutions with CBAM take the
place of a capsule network's one convolution, and that primary capsules learn and class capsules classify.

>>> net = facelet.nets.resolve("rescaps", classes=8, size=48).build()      # in a recipe with ``loss: margin``
>>> net(images).sigmoid()                                                  # lengths of the class capsules, (N, 8)

Our reading: 32 types of 8-D capsules at each of 6 x 6 places (at 48 px), 16-D class capsules, three iterations. A capsule's length
l says whether its class is there; the logit is log(l / (1 - l)), which is the logarithm of its squared length before squashing, and
the softmax over these is each class's share of all squared lengths. So the rest of the house reads it as any net's.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from facelet.errors import FaceletError
from facelet.nets.base import NETS
from facelet.nets.layers.capsule import EPSILON, LENGTH, ClassCapsules, PrimaryCapsules
from facelet.nets.layers.stem import Stride, default_stride
from facelet.nets.resnet import CbamResNet18

LARGEST = 8
"""A map of a larger side is halved by the primary capsules."""


@NETS.register("rescaps")
class ResCaps(CbamResNet18):
    """``resnet18-cbam`` whose head is capsules; its embedding is the class capsules before squashing, (N, K * 16).

    Args:
        width, stem_stride: as ``resnet18``.
        types: of primary capsules.
        dims: numbers in each.
        routing: iterations.

    Raises FaceletError when ``size`` is below the total stride (4 times the stem's), or there are no classes.
    """

    def __init__(
        self,
        classes: int,
        size: int,
        channels: int,
        *,
        width: float = 1.0,
        stem_stride: Stride | None = None,
        types: Annotated[int, Field(ge=1, le=1024)] = 32,
        dims: Annotated[int, Field(ge=2, le=64)] = 8,
        routing: Annotated[int, Field(ge=1, le=10)] = 3,
    ) -> None:
        if not classes:
            raise FaceletError("rescaps needs classes: its embedding is made of their capsules")
        super().__init__(classes, size, channels, width=width, stem_stride=stem_stride)
        del self.dropout, self.fc
        self.embedding_width = classes * LENGTH
        side, halvings = size, {1: 2, 2: 3, 4: 4}[stem_stride or default_stride(size)]
        for _ in range(halvings):
            side = -(-side // 2)
        stride = 2 if side > LARGEST else 1
        side = -(-side // stride)
        self.primary = PrimaryCapsules(self.stage_widths[-1], types, dims, stride)
        self.capsules = ClassCapsules(classes, types, dims, side * side, routing)

    def embed(self, stages: list[Tensor]) -> Tensor:
        return self.capsules(self.primary(stages[-1])).flatten(1)

    def classify(self, embedding: Tensor) -> Tensor:
        sums = embedding.float().unflatten(1, (-1, LENGTH))
        return (sums.square().sum(2) + EPSILON).log()

    def uncut(self) -> list[nn.Module]:
        return [self.capsules]
