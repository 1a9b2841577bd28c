"""ShuffleNetV2 for small faces.

Ma et al., https://arxiv.org/abs/1807.11164

Half of the channels pass through a small branch, the other half are copied, then the two halves are shuffled. The shuffle splits
and joins whole quarters instead of interleaving single channels as in the paper: a new channel enters the next block's branch or is
copied by two blocks, once on average as in the paper. Nothing is transposed, so it trains faster on a CPU in channels_last and
exports to Split and Concat. Layers and shapes are torchvision's, but its ImageNet weights do not fit this order of channels.
torch-pruning can cut the inner widths of the branches (see ``uncut``).

>>> net = facelet.nets.resolve("shufflenet-v2", classes=8, size=48).build()

Small in parameters and MACs; its depthwise layers lose more accuracy in int8 than a ResNet's layers (1-3 points without
countermeasures).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facelet.errors import FaceletError
from facelet.nets.base import NETS, Dropout, FaceNet, classifier, initialise
from facelet.nets.layers.stem import Stem, Stride, default_stride, require_size

# Channels of the stem, the three stages and the head, from the paper's table 5; other widths are scaled from x1.0.
WIDTHS = {
    0.5: (24, 48, 96, 192, 1024),
    1.0: (24, 116, 232, 464, 1024),
    1.5: (24, 176, 352, 704, 1024),
    2.0: (24, 244, 488, 976, 2048),
}
DEPTHS = (4, 8, 4)

Halves = tuple[Tensor, Tensor]


def _pointwise(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _depthwise(width: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False), nn.BatchNorm2d(width)]


def shuffle(resting: Tensor, worked: Tensor) -> Halves:
    """Mixes two halves (N, C/2, H, W) into the next block's copied and processed half; each gets a half of both inputs."""
    old_first, old_last = resting.chunk(2, 1)
    new_first, new_last = worked.chunk(2, 1)
    return torch.cat((new_first, old_first), 1), torch.cat((old_last, new_last), 1)


class ShuffleNetUnit(nn.Module):
    """Copies one half and passes the other through 1x1 - depthwise 3x3 - 1x1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.branch = nn.Sequential(*_pointwise(half, half), *_depthwise(half, 1), *_pointwise(half, half))

    def forward(self, halves: Halves) -> Halves:
        resting, working = halves
        return shuffle(resting, self.branch(working))


class Downsample(nn.Module):
    """(N, inputs, H, W) to two halves of (N, width, H / 2, W / 2); the input of both branches is all channels."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        half = width // 2
        self.side = nn.Sequential(*_depthwise(inputs, 2), *_pointwise(inputs, half))
        self.branch = nn.Sequential(*_pointwise(inputs, half), *_depthwise(half, 2), *_pointwise(half, half))

    def forward(self, maps: Tensor) -> Halves:
        return shuffle(self.side(maps), self.branch(maps))


@NETS.register("shufflenet-v2")
class ShuffleNetV2(FaceNet):
    """Stem, three stages, a 1x1 head to the embedding, a classifier.

    Args:
        classes: number of outputs; 0 for an embedding net.
        size: side of the input in pixels.
        channels: channels of the input.
        width: 0.5, 1.0, 1.5, 2.0 as in the paper, or any factor of 0.125 to 4.
        stem_stride: 1, 2 or 4; None chooses by size.
        dropout: before the classifier.

    Raises FaceletError when ``size`` is below the total stride (8 times the stem's).
    """

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
        if not 0.125 <= width <= 4:
            raise FaceletError(f"width is {width}, expected a factor of 0.125 to 4 (the paper's: 0.5, 1.0, 1.5, 2.0)")
        stride = stem_stride or default_stride(size)
        require_size(size, stride * 8)
        first, *stages, self.embedding_width = _widths(width)
        self.stage_widths = tuple(stages)
        self.stem = Stem(channels, first, stride)
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(Downsample(inputs, outputs), *(ShuffleNetUnit(outputs) for _ in range(depth - 1)))
            for inputs, outputs, depth in zip((first, *stages), stages, DEPTHS, strict=False)
        )
        self.head = nn.Sequential(*_pointwise(stages[-1], self.embedding_width))
        self.dropout = nn.Dropout(dropout)
        self.fc = classifier(self.embedding_width, classes)
        initialise(self)

    def stages(self, images: Tensor) -> list[Tensor]:
        maps, stages = self.stem(images), []
        for stage in (self.stage2, self.stage3, self.stage4):
            maps = torch.cat(stage(maps), 1)
            stages.append(maps)
        return stages

    def embed(self, stages: list[Tensor]) -> Tensor:
        return self.head(stages[-1]).mean((2, 3))

    def uncut(self) -> list[nn.Module]:
        """The classifier and every layer whose output is split into quarters; the inner widths of the branches are free."""
        layers: list[nn.Module] = [self.fc, self.stem.conv]
        for stage in (self.stage2, self.stage3, self.stage4):
            for unit in stage:
                if isinstance(unit, Downsample):
                    layers += [unit.side[0], unit.side[2], unit.branch[5]]
                elif isinstance(unit, ShuffleNetUnit):
                    layers.append(unit.branch[5])
        return layers


def _widths(width: float) -> tuple[int, ...]:
    if width in WIDTHS:
        return WIDTHS[width]
    stem, *stages, head = WIDTHS[1.0]
    # Multiples of 4, because the shuffle splits a stage into quarters.
    return (stem, *(4 * max(2, round(stage * width / 4)) for stage in stages), round(head * max(1.0, width)))


@NETS.register("shufflenet-v2-x0.5")
def shufflenet_v2_half(
    classes: int, size: int, channels: int, *, stem_stride: Stride | None = None, dropout: Dropout = 0.0
) -> ShuffleNetV2:
    """``shufflenet-v2`` at width 0.5: 0.35 M parameters."""
    return ShuffleNetV2(classes, size, channels, width=0.5, stem_stride=stem_stride, dropout=dropout)
