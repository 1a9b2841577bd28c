"""Channel importance: five scores, summed over all layers in which a channel has a filter.

>>> l2(conv.weight)                          # one value per channel
>>> ChannelImportance("taylor")(group)                   # over a dependency group of torch-pruning

L2 and L1 after Li et al., https://arxiv.org/abs/1608.08710; batch-norm scales after https://arxiv.org/abs/1708.06519; Taylor
after https://arxiv.org/abs/1906.10771. ``random`` is the control that other scores are compared with.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import torch
import torch_pruning
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from facelet.nets.layers.multi_scale import MultiScaleConv

Kind = Literal["l2", "l1", "bn", "taylor", "random"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def l2(weight: Tensor) -> Tensor:
    """Returns the L2 norm of each filter: (channels, ...) to (channels,)."""
    return weight.flatten(1).square().sum(1).sqrt()


def l1(weight: Tensor) -> Tensor:
    """Returns the L1 norm of each filter: (channels, ...) to (channels,)."""
    return weight.flatten(1).abs().sum(1)


def bn(scale: Tensor) -> Tensor:
    """Returns the absolute scales of a batch norm, (channels,)."""
    return scale.abs()


def taylor(weight: Tensor, gradient: Tensor) -> Tensor:
    """Returns the first-order Taylor importance of each filter, sum of |w dL/dw|: (channels, ...) to (channels,).

    ``gradient``: dL/dw, or the mean of its absolute values over some batches.
    """
    return (weight * gradient).flatten(1).abs().sum(1)


def random(channels: int, generator: torch.Generator) -> Tensor:
    """Returns uniform random scores in [0, 1), (channels,)."""
    return torch.rand(channels, generator=generator)


class ChannelImportance(torch_pruning.importance.Importance):
    """A dependency group's channels: one value for each of its root's, summed over the layers that make the same channels.

    A batch norm's scale counts as a filter of one weight. For ``bn`` only these count, and filters by L2 where a group has none
    (the squeeze of an attention). ``taylor`` reads the gradient from each weight's ``grad``.

    ``seed``: of ``random``; groups draw one after the other.
    """

    def __init__(self, kind: Kind, seed: int = 0) -> None:
        self.kind = kind
        self._generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def __call__(self, group: Any) -> Tensor:
        """float64 (channels of the root,), on the CPU."""
        total = torch.zeros(len(group[0].idxs), dtype=torch.float64)
        if self.kind == "random":
            return total + random(len(total), self._generator)
        pairs = [(item, weights) for item in makers(group) for weights in filters(item.dep.target.module)]
        norms = [each for each in pairs if each[1].weight.ndim == 1]
        for item, weights in norms if self.kind == "bn" and norms else pairs:
            each = self._of(weights)[item.idxs].double().cpu()
            total.index_add_(0, torch.tensor(item.root_idxs), each)
        return total

    def _of(self, filters: Filters) -> Tensor:
        weight = filters.weight.flatten(1) if filters.weight.ndim > 1 else filters.weight[:, None]
        if self.kind == "taylor":
            assert filters.gradient is not None
            return taylor(weight, filters.gradient.view_as(weight))
        if self.kind == "bn" and filters.weight.ndim == 1:
            return bn(filters.weight)
        return l1(weight) if self.kind == "l1" else l2(weight)


class Filters(NamedTuple):
    """The filters of a layer: weight (channels, ...), or (channels,) for a batch norm, and its ``grad``."""

    weight: Tensor
    gradient: Tensor | None


def filters(module: nn.Module) -> list[Filters]:
    """Returns the filters of a convolution, linear layer, batch norm or MultiScaleConv; empty for other layers."""
    if isinstance(module, MultiScaleConv):
        return [_joined(module.convs), _joined(module.norms)]
    weight = module.weight if isinstance(module, nn.Conv2d | nn.Linear | _BatchNorm) else None
    return [] if weight is None else [Filters(weight, weight.grad)]


def _joined(parts: nn.ModuleList) -> Filters:
    joined = [filters(part)[0] for part in parts]
    gradients = [each.gradient for each in joined if each.gradient is not None]
    return Filters(torch.cat([each.weight for each in joined]), torch.cat(gradients) if gradients else None)


def makers(group: Any) -> list[Any]:
    """Returns the items of a dependency group that create its channels: layers with filters, and batch norms."""
    items = [item for item in group if item.dep.handler.__name__ == "prune_out_channels"]
    return [item for item in items if filters(item.dep.target.module)]
