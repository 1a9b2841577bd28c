"""Light ResNet18 and VGG11: a depthwise 3x3 and a shuffled group 1x1 replace each dense 3x3 convolution.

Ni & Ma, J. BUPT 2023(6), compress ResNet and VGG11 with group and depthwise-separable convolutions without giving the layout; this
one is our interpretation.

>>> net = facelet.nets.resolve("resnet18-light", classes=8, size=48).build()

The first convolution and the 1x1 shortcuts are unchanged. On a CPU the time shrinks less than parameters and MACs, because
depthwise convolutions are memory-bound.
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
"""Groups of the 1x1 convolutions. With more groups they are lighter, and each output depends on fewer inputs."""
Net = TypeVar("Net", bound=FaceNet)


def lighten(net: Net, groups: int) -> Net:
    """Replaces every dense 3x3 convolution of ``net`` except the first, in place; the new layers have fresh weights."""
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
    """``resnet18`` after ``lighten``; ``groups``: groups of the 1x1 convolutions."""
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
    """``vgg11`` after ``lighten``; ``groups``: groups of the 1x1 convolutions."""
    return lighten(VGG11(classes, size, channels, width=width, stem_stride=stem_stride, dropout=dropout), groups)
