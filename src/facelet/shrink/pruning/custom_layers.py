"""Pruners for custom layers that torch-pruning cannot trace: ``PRUNERS``, by class.

>>> with hidden(net):
...     graph = torch_pruning.DependencyGraph().build_dependency(net, face, customized_pruners=PRUNERS)

MultiScaleConv and capsules are divided into blocks (scales, capsule dimensions); the same channels of all blocks are removed.
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
    """Pruner of MultiScaleConv: output channels equal input channels, as in a depthwise convolution."""

    def prune_out_channels(self, layer: MultiScaleConv, idxs: Sequence[int]) -> nn.Module:
        """Prunes ``idxs``, which are the same channels of every scale."""
        channels = sorted({index % layer.convs[0].in_channels for index in idxs})  # type: ignore[operator]
        for conv, norm in zip(layer.convs, layer.norms, strict=True):
            torch_pruning.prune_conv_out_channels(conv, channels)
            torch_pruning.prune_conv_in_channels(conv, channels)
            torch_pruning.prune_batchnorm_out_channels(norm, channels)
        return layer

    prune_in_channels = prune_out_channels

    def get_out_channels(self, layer: MultiScaleConv) -> int:
        return sum(conv.in_channels for conv in layer.convs)  # type: ignore[misc]

    get_in_channels = get_out_channels


class CapsulesPruner(BasePruningFunc):
    """Pruner of ClassCapsules: removes types of capsules, never classes."""

    def prune_in_channels(self, layer: ClassCapsules, idxs: Sequence[int]) -> nn.Module:
        """Prunes ``idxs``, which are all dimensions of the same types."""
        types = len(layer.weight)
        gone = {index % types for index in idxs}
        layer.weight = self._prune_parameter_and_grad(
            layer.weight, [type_ for type_ in range(types) if type_ not in gone], pruning_dim=0
        )
        return layer

    def prune_out_channels(self, layer: ClassCapsules, idxs: Sequence[int]) -> nn.Module:
        raise ValueError("the capsules of classes cannot be pruned")

    def get_in_channels(self, layer: ClassCapsules) -> int:
        return layer.dims * len(layer.weight)

    def get_out_channels(self, layer: ClassCapsules) -> int:
        return layer.weight.shape[3]


PRUNERS = {
    MultiScaleConv: MultiScalePruner(),
    ClassCapsules: CapsulesPruner(),
    SpatialAttn: DummyPruner(),  # mean and maximum over any number of channels
}


def blocks(module: nn.Module) -> int:
    """Returns the number of blocks of a layer's channels that are pruned alike; 1 if it is not divided."""
    if isinstance(module, MultiScaleConv):
        return len(module.convs)
    if isinstance(module, ClassCapsules):
        return module.dims
    return module.num_groups if isinstance(module, nn.GroupNorm) else getattr(module, "groups", 1)


@contextlib.contextmanager
def hidden(net: nn.Module) -> Iterator[None]:
    """Replaces the forward pass of these layers by a single operation while tracing."""
    modules = [module for module in net.modules() if type(module) in PRUNERS]
    for module in modules:
        opaque = partial(_Opaque.apply, module.classes) if isinstance(module, ClassCapsules) else torch.clone
        module.forward = opaque  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        for module in modules:
            del module.forward


class _Opaque(torch.autograd.Function):
    """Placeholder operation from maps to one capsule per class."""

    @staticmethod
    def forward(ctx: Any, classes: int, maps: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(maps)
        return maps.new_ones(len(maps), classes, LENGTH)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:  # type: ignore[override]
        return None, torch.zeros_like(ctx.saved_tensors[0])
