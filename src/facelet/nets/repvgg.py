"""RepVGG for small faces: trained with parallel branches, fused to a plain chain of 3x3 convolutions for inference.

Ding et al., https://arxiv.org/abs/2101.03697. MobileOne's additional 3x3 branches (https://arxiv.org/abs/2206.04040) are left out:
each would add the training cost of another 3x3 convolution.

Widths and depths are our own: narrow where maps are large, most parameters where a 48 px face has maps of 6 x 6 or 3 x 3, and
widths that are multiples of 16, the block size of CPU kernels.

>>> net = facelet.nets.resolve("repvgg", classes=8, size=48).build()
>>> facelet.nets.layers.fusable.fused(net)                  # as counted and exported: 11 convolutions with ReLU

Designed for int8 on a CPU. Batch norms in the branches, as in the paper, can produce such uneven ranges that int8 costs accuracy;
``norms="sum"`` is Chu et al.'s remedy, https://arxiv.org/abs/2212.01593. The sums include the input, so pruning cuts all layers of
a stage alike.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from facelet.errors import FaceletError
from facelet.nets.base import NETS, Dropout, FaceNet, classifier, initialise
from facelet.nets.layers.embedding_head import DepthwiseHead, Width
from facelet.nets.layers.fusable import Fusable
from facelet.nets.layers.pointwise import Pointwise
from facelet.nets.layers.stem import default_stride, require_size, scaled

Norms = Literal["branches", "sum", "single"]
FIRST, WIDTHS = 32, (64, 128, 192)


class RepVGGBlock(Fusable):
    """ReLU of the sum of a 3x3, a 1x1 and, when the shapes allow, the input. (N, inputs, H, W) to (N, width, H / stride, ...).

    ``norms``: "branches" has a batch norm in each of the three branches; "sum" has one after the 3x3 and one after the sum;
    "single" has only the 3x3 and its batch norm, for training a fused block.
    """

    def __init__(self, inputs: int, width: int, stride: int, norms: Norms) -> None:
        super().__init__()

        def norm(place: Norms) -> nn.Module:
            return nn.BatchNorm2d(width) if place == norms else nn.Identity()

        self.conv = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        branches = norms != "single"
        self.pointwise = Pointwise(inputs, width, stride) if branches else None
        self.pointwise_bn = norm("branches")
        self.identity = norm("branches") if branches and inputs == width and stride == 1 else None
        self.sum_bn = norm("sum")
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        total = self.bn(self.conv(maps))
        if self.pointwise is not None:
            total = total + self.pointwise_bn(self.pointwise(maps))
        if self.identity is not None:
            total = total + self.identity(maps)
        return self.relu(self.sum_bn(total))

    @torch.no_grad()
    def fused(self) -> nn.Module:
        """One 3x3 convolution with bias and ReLU; its centre weights include the 1x1 and the identity branch."""
        weight, bias = _folded(self.conv.weight, self.bn)
        middle, shift = weight.new_zeros(*weight.shape[:2], 1, 1), torch.zeros_like(bias)
        if self.pointwise is not None:
            middle, shift = _folded(self.pointwise.weight, self.pointwise_bn)
        if self.identity is not None:
            same = torch.eye(len(weight), dtype=weight.dtype, device=weight.device)[:, :, None, None]
            same, more = _folded(same, self.identity)
            middle, shift = middle + same, shift + more
        weight, bias = _folded(weight + nn.functional.pad(middle, (1, 1, 1, 1)), self.sum_bn, bias + shift)
        conv = nn.utils.skip_init(
            nn.Conv2d, weight.shape[1], len(weight), 3, self.conv.stride, 1, device=weight.device, dtype=weight.dtype
        )
        conv.weight.copy_(weight)
        conv.bias.copy_(bias)
        return nn.Sequential(conv, nn.ReLU(inplace=True))


def _folded(weight: Tensor, norm: nn.Module, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the batch norm after it folded in; other norms change nothing."""
    if isinstance(norm, nn.BatchNorm2d):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        return fuse_conv_bn_weights(weight, bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    return weight, weight.new_zeros(len(weight)) if bias is None else bias


@NETS.register("repvgg")
class RepVGG(FaceNet):
    """A block of 32 x ``width`` channels, then three stages of 64, 128, 192 x ``width``, each halving the maps.

    Args:
        classes: number of outputs; 0 for an embedding net.
        size: side of the input in pixels.
        channels: channels of the input.
        width: factor of all widths, 0.125 to 4; 1.02 M parameters and 44.6 M MACs at 1.0, fused, for 48 px.
        blocks: number of blocks of the three stages; None is 4, 5 and 1.
        embedding: length, 64 to 1024, of an embedding by MobileFaceNet's head; None uses the last map's mean.
        norms: "branches" as in the paper, "sum", or "single": no branches, to continue training from a fused net's weights.
        stem_stride: 1 or 2; None is 1 below 40 px, else 2.
        dropout: before the classifier, or before the embedding if there is one.

    Raises FaceletError when ``size`` is below 8 times the stem's stride.
    """

    scale: ClassVar[float] = 1.0
    depths: ClassVar[tuple[int, ...]] = (4, 5, 1)

    def __init__(
        self,
        classes: int,
        size: int,
        channels: int,
        *,
        width: float = 1.0,
        blocks: Annotated[list[Annotated[int, Field(ge=1, le=32)]], Field(min_length=3, max_length=3)] | None = None,
        embedding: Width | None = None,
        norms: Norms = "branches",
        stem_stride: Literal[1, 2] | None = None,
        dropout: Dropout = 0.0,
    ) -> None:
        super().__init__()
        if not 0.125 <= width <= 4:
            raise FaceletError(f"width is {width}, expected a factor of 0.125 to 4")
        stride = stem_stride or min(2, default_stride(size))
        require_size(size, stride * 8)
        inputs, *outputs = (scaled(base, width * self.scale) for base in (FIRST, *WIDTHS))
        self.stage_widths = tuple(outputs)
        self.stem, side, stages = RepVGGBlock(channels, inputs, stride, norms), -(-size // stride), []
        for wide, depth in zip(outputs, blocks or self.depths, strict=True):
            stages.append(
                nn.Sequential(
                    RepVGGBlock(inputs, wide, 2, norms), *(RepVGGBlock(wide, wide, 1, norms) for _ in range(1, depth))
                )
            )
            inputs, side = wide, -(-side // 2)
        self.stage1, self.stage2, self.stage3 = stages
        self.embedding_width = embedding or inputs
        self.head = None if embedding is None else DepthwiseHead(inputs, side, embedding, dropout)
        self.dropout = nn.Dropout(dropout if embedding is None else 0.0)
        self.fc = classifier(self.embedding_width, classes)
        initialise(self)

    def stages(self, images: Tensor) -> list[Tensor]:
        first = self.stage1(self.stem(images))
        second = self.stage2(first)
        return [first, second, self.stage3(second)]

    def embed(self, stages: list[Tensor]) -> Tensor:
        return super().embed(stages) if self.head is None else self.head(stages[-1])

    def uncut(self) -> list[nn.Module]:
        """The classifier, and the layer that produces the embedding, whose length is an option."""
        return [self.fc] if self.head is None else [self.fc, self.head.linear]


@NETS.register("repvgg-x0.5")
class HalfRepVGG(RepVGG):
    """``repvgg`` at half the width: 0.25 M parameters, 11.2 M MACs, an int8 file of 0.28 MB; same options."""

    scale = 0.5
