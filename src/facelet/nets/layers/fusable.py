"""Layers that are trained with several branches and replaced by a single equivalent layer for counting and export.

>>> plain = fused(net)  # the same outputs with fewer layers

Any submodule of a net may be Fusable. Checkpoints and pruning use the unfused layers.
"""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


class Fusable(nn.Module):
    """A layer that a simpler layer can replace after training."""

    def fused(self) -> nn.Module:
        """A new layer, with its own weights, whose outputs equal this layer's in eval mode; uses no random numbers."""
        raise NotImplementedError


def fused(net: Module) -> Module:
    """A copy of ``net`` in eval mode with its Fusable layers replaced; ``net`` itself when it has none."""
    if not any(isinstance(module, Fusable) for module in net.modules()):
        return net
    plain = copy.deepcopy(net)
    for name, module in list(plain.named_modules()):
        if isinstance(module, Fusable):
            plain.set_submodule(name, module.fused())
    return plain.eval()
