"""Embedding heads, for nets whose faces are compared with each other instead of classified.

>>> DepthwiseHead(512, side=7, embedding=128)(maps)   # GDC: (N, 512, 7, 7) to (N, 128)
>>> FlatHead(512, places=49, embedding=512)(maps)      # BN - Dropout - FC - BN: (N, 512, 7, 7) to (N, 512)

The first is MobileFaceNet's global depthwise convolution (Chen et al., https://arxiv.org/abs/1804.07573): every position of the
last map has its own weight, where a mean would weight corners and centre alike. The second is ArcFace's option E (Deng et al.,
https://arxiv.org/abs/1801.07698) with 49 times the parameters, for teachers. Both fix the size of the input.

The embeddings are not normalised to unit length.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

Width = Annotated[int, Field(ge=64, le=1024)]
"""Length of an embedding."""


class DepthwiseHead(nn.Module):
    """Depthwise convolution over the whole map - BN - dropout - 1x1 - BN. (N, width, side, side) to (N, embedding)."""

    def __init__(self, width: int, side: int, embedding: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.whole = nn.Conv2d(width, width, side, groups=width, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Conv2d(
            width, embedding, 1, bias=False
        )  # a convolution, so that the batch norm is folded into it at export
        self.bn2 = nn.BatchNorm2d(embedding)

    def forward(self, maps: Tensor) -> Tensor:
        return self.bn2(self.linear(self.dropout(self.bn1(self.whole(maps))))).flatten(1)


class FlatHead(nn.Module):
    """BN - dropout - FC - BN. (N, channels, H, W), H * W ``places``, to (N, embedding)."""

    def __init__(self, channels: int, places: int, embedding: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(
            channels * places, embedding
        )  # with a bias: a Gemm, into which export folds the batch norm
        self.bn2 = nn.BatchNorm1d(embedding)

    def forward(self, maps: Tensor) -> Tensor:
        return self.bn2(self.linear(self.dropout(self.bn1(maps)).flatten(1)))
