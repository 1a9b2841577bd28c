"""Generator and discriminator of CycleGAN for small faces.

Zhu et al., https://arxiv.org/abs/1703.10593

>>> generator = Generator(channels=1, width=32, blocks=6)
>>> generator(faces)                                        # (N, 1, 48, 48) in -1..1, to the same
>>> Discriminator(channels=1)(faces)                        # (N, 1, 12, 12): is this patch real?

Up-sampling is nearest-neighbour and a convolution, because transposed convolutions cause checkerboard patterns, which are large
on a small face. A translation may change fine details and the identity of a face.
"""

from __future__ import annotations

from torch import Tensor, nn

STRIDE = 4
"""The side of a face must be a multiple of this."""
SPREAD = 0.02
"""Standard deviation of fresh weights."""


class Residual(nn.Module):
    """Two 3x3 convolutions whose result is added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_convolved(width, width), nn.ReLU(inplace=True), *_convolved(width, width))

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.body(maps)


class Generator(nn.Module):
    """Translates faces of one class to another. (N, C, S, S) in -1..1 to the same; S is a multiple of STRIDE.

    Args:
        channels: channels of a face.
        width: channels of the maps at full size; the residual blocks have four times as many, at a quarter of the size.
        blocks: number of residual blocks.
    """

    def __init__(self, channels: int, width: int = 32, blocks: int = 6) -> None:
        super().__init__()
        deep = 4 * width
        self.body = nn.Sequential(
            *_convolved(channels, width, 7),
            nn.ReLU(inplace=True),
            *_convolved(width, 2 * width, stride=2),
            nn.ReLU(inplace=True),
            *_convolved(2 * width, deep, stride=2),
            nn.ReLU(inplace=True),
            *(Residual(deep) for _ in range(blocks)),
            nn.Upsample(scale_factor=2),
            *_convolved(deep, 2 * width),
            nn.ReLU(inplace=True),
            nn.Upsample(scale_factor=2),
            *_convolved(2 * width, width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, channels, 7, padding=3, padding_mode="reflect"),
            nn.Tanh(),
        )
        _initialise(self)

    def forward(self, faces: Tensor) -> Tensor:
        return self.body(faces)


class Discriminator(nn.Module):
    """Scores overlapping patches, near 1 for real ones. (N, C, S, S) in -1..1 to (N, 1, about S / 2**layers, ...)."""

    def __init__(self, channels: int, width: int = 32, layers: int = 2) -> None:
        super().__init__()
        steps: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for _ in range(layers - 1):
            steps += [nn.Conv2d(width, 2 * width, 4, 2, 1), _norm(2 * width), nn.LeakyReLU(0.2, inplace=True)]
            width *= 2
        self.body = nn.Sequential(*steps, nn.Conv2d(width, 1, 3, 1, 1))
        _initialise(self)

    def forward(self, faces: Tensor) -> Tensor:
        return self.body(faces)


def _convolved(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    padding = kernel // 2
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False, padding_mode="reflect"), _norm(outputs)


def _norm(width: int) -> nn.Module:
    return nn.InstanceNorm2d(width, affine=True)


def _initialise(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0, SPREAD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
