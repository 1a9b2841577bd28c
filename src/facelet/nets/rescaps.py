"""ResCaps: a capsule network behind ResNet18-CBAM.

In Liu, master's thesis, 2024, ResNet18's convolutions with CBAM replace the single convolution of a capsule network; primary
capsules and class capsules follow.

>>> net = facelet.nets.resolve("rescaps", classes=8, size=48).build()      # in a recipe with ``loss: margin``
>>> net(images).sigmoid()                                                  # lengths of the class capsules, (N, 8)

Our interpretation: 32 types of 8-D capsules at each of 6 x 6 positions (at 48 px), 16-D class capsules, three routing iterations.
The length l of a class capsule is the evidence for its class. The logit is log(l / (1 - l)), the logarithm of the squared length
before squashing, so softmax gives each class's share of all squared lengths and the logits can be used like any net's.
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
"""The primary capsules halve maps with a larger side."""


@NETS.register("rescaps")
class ResCaps(CbamResNet18):
    """``resnet18-cbam`` with a capsule head; its embedding is the class capsules before squashing, (N, K * 16).

    Args:
        classes: number of outputs, at least 1.
        size: side of the input in pixels.
        channels: channels of the input.
        width: as ``resnet18``.
        stem_stride: as ``resnet18``.
        types: number of types of primary capsules.
        dims: length of a primary capsule.
        routing: routing iterations.

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
            raise FaceletError("rescaps needs classes: its embedding consists of the class capsules")
        super().__init__(classes, size, channels, width=width, stem_stride=stem_stride)
        del self.dropout, self.fc
        self.embedding_width = classes * LENGTH
        side, halvings = size, {1: 2, 2: 3, 4: 4}[stem_stride or default_stride(size)]
        for _ in range(halvings):
            side = -(-side // 2)
        stride = 2 if side > LARGEST else 1
        side = -(-side // stride)
        self.primary = PrimaryCapsules(self.stage_widths[-1], types, dims, stride)
        self.capsules = ClassCapsules(classes, types, dims, side * side, iterations=routing)

    def embed(self, stages: list[Tensor]) -> Tensor:
        return self.capsules(self.primary(stages[-1])).flatten(1)

    def classify(self, embedding: Tensor) -> Tensor:
        sums = embedding.float().unflatten(1, (-1, LENGTH))
        return (sums.square().sum(2) + EPSILON).log()

    def uncut(self) -> list[nn.Module]:
        return [self.capsules]
