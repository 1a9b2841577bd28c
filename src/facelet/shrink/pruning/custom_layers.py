"""How torch-pruning cuts layers that it cannot see through, and sees as one each: ``PRUNERS``, by class.

>>> with hidden(net):
...     graph = torch_pruning.DependencyGraph().build_dependency(net, face, customized_pruners=PRUNERS)

A MultiScaleConv and capsules are divided into blocks (its scales, their numbers) of which the same channels are cut.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
import torch_pruning
from timm.layers.cbam import SpatialAttn
from torch import Tensor, nn
from torch_pruning.ops import DummyPruner
from torch_pruning.pruner.function import BasePruningFunc

from facelet.nets.layers.capsule import LENGTH, ClassCapsules
from facelet.nets.layers.multi_scale import MultiScaleConv


class MultiScalePruner(BasePruningFunc):
    """Like a depthwise convolution: what comes out is what goes in."""

    def prune_out_channels(self, layer: MultiScaleConv, idxs: Sequence[int]) -> nn.Module:
        """``idxs``: the same channels of every part."""
        mine = sorted({index % layer.convs[0].in_channels for index in idxs})  # type: ignore[operator]
        for conv, norm in zip(layer.convs, layer.norms, strict=True):
            torch_pruning.prune_conv_out_channels(conv, mine)
            torch_pruning.prune_conv_in_channels(conv, mine)
            torch_pruning.prune_batchnorm_out_channels(norm, mine)
        return layer

    prune_in_channels = prune_out_channels

    def get_out_channels(self, layer: MultiScaleConv) -> int:
        return sum(conv.in_channels for conv in layer.convs)  # type: ignore[misc]

    get_in_channels = get_out_channels


class CapsulesPruner(BasePruningFunc):
    """Types of capsules can go; the classes stay."""

    def prune_in_channels(self, layer: ClassCapsules, idxs: Sequence[int]) -> nn.Module:
        """``idxs``: all numbers of the same types."""
        types = len(layer.weight)
        gone = {index % types for index in idxs}
        layer.weight = self._prune_parameter_and_grad(
            layer.weight, [type_ for type_ in range(types) if type_ not in gone], pruning_dim=0
        )
        return layer

    def prune_out_channels(self, layer: ClassCapsules, idxs: Sequence[int]) -> nn.Module:
        raise ValueError("the capsules of classes are to stay")

    def get_in_channels(self, layer: ClassCapsules) -> int:
        return layer.dims * len(layer.weight)

    def get_out_channels(self, layer: ClassCapsules) -> int:
        return layer.weight.shape[3]


PRUNERS = {
    MultiScaleConv: MultiScalePruner(),
    ClassCapsules: CapsulesPruner(),
    SpatialAttn: DummyPruner(),  # it looks at the mean and the largest of the channels, however many
}


def blocks(module: nn.Module) -> int:
    """Blocks of a layer's channels that are cut alike; 1 where it is not divided."""
    if isinstance(module, MultiScaleConv):
        return len(module.convs)
    if isinstance(module, ClassCapsules):
        return module.dims
    return module.num_groups if isinstance(module, nn.GroupNorm) else getattr(module, "groups", 1)


@contextlib.contextmanager
def hidden(net: nn.Module) -> Iterator[None]:
    """Hides the inside of these layers from tracing: the graph sees one layer."""
    found = [module for module in net.modules() if type(module) in PRUNERS]
    for module in found:
        opaque = partial(_Opaque.apply, module.classes) if isinstance(module, ClassCapsules) else torch.clone
        module.forward = opaque  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        for module in found:
            del module.forward


class _Opaque(torch.autograd.Function):
    """Maps to as many capsules as there are classes, in one operation of the graph."""

    @staticmethod
    def forward(ctx: Any, classes: int, maps: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(maps)
        return maps.new_ones(len(maps), classes, LENGTH)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:  # type: ignore[override]
        return None, torch.zeros_like(ctx.saved_tensors[0])
