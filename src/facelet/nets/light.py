"""Light ResNet18 and VGG11: each dense 3x3 convolution becomes a depthwise 3x3 and a 1x1 in groups, shuffled. Ni & Ma, J. BUPT
2023(6), say that ResNet and VGG11 are compressed with group and depthwise-separable convolutions; how is our reading.

>>> net = facelet.nets.resolve("resnet18-light", classes=8, size=48).build()

The first convolution, which sees the pixels, and the 1x1 shortcuts stay as they are. A CPU gains less time than parameters and
MACs promise, since depthwise convolutions wait for memory.
"""

from __future__ import annotations

from typing import Literal, TypeVar

from torch import nn

from facelet.nets.base import NETS, Dropout, FaceNet, initialise
from facelet.nets.layers.separable import SeparableConv
from facelet.nets.layers.stem import Stride
from facelet.nets.resnet import ResNet18
from facelet.nets.vgg import VGG11

Groups = Literal[1, 2, 4]
"""Of the 1x1 convolutions: more are lighter, and each output sees fewer inputs."""
Net = TypeVar("Net", bound=FaceNet)


def lighten(net: Net, groups: int) -> Net:
    """Exchanges every dense 3x3 convolution of ``net`` but the first, in place; the new ones have fresh weights."""
    dense = [
        (name, module)
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) and module.groups == 1
    ]
    for name, old in dense[1:]:
        new = SeparableConv(old.in_channels, old.out_channels, old.stride[0], groups)
        initialise(new)
        net.set_submodule(name, new)
    return net


@NETS.register("resnet18-light")
def resnet18_light(
    classes: int,
    size: int,
    channels: int,
    *,
    width: float = 1.0,
    stem_stride: Stride | None = None,
    groups: Groups = 2,
    dropout: Dropout = 0.0,
) -> ResNet18:
    """``resnet18``, lightened; ``groups``: of the 1x1 convolutions."""
    return lighten(ResNet18(classes, size, channels, width=width, stem_stride=stem_stride, dropout=dropout), groups)


@NETS.register("vgg11-light")
def vgg11_light(
    classes: int,
    size: int,
    channels: int,
    *,
    width: float = 1.0,
    stem_stride: Stride | None = None,
    groups: Groups = 2,
    dropout: Dropout = 0.0,
) -> VGG11:
    """``vgg11``, lightened; ``groups``: of the 1x1 convolutions."""
    return lighten(VGG11(classes, size, channels, width=width, stem_stride=stem_stride, dropout=dropout), groups)
