"""Layers that learn as several and answer as one: what counting and exporting see in their place.

>>> plain = fused(net)  # the same answers by fewer layers

Whatever a net holds may be Fusable; nothing else has to know of it. Checkpoints keep the layers that learned, and those are pruned.
"""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


class Fusable(nn.Module):
    """A layer that a simpler one can replace once it has learned."""

    def fused(self) -> nn.Module:
        """A layer with weights of its own that answers as this one does in eval mode; draws no random number."""
        raise NotImplementedError


def fused(net: Module) -> Module:
    """A copy of ``net`` in eval mode whose Fusable layers are replaced; ``net`` itself where it has none."""
    if not any(isinstance(module, Fusable) for module in net.modules()):
        return net
    plain = copy.deepcopy(net)
    for name, module in list(plain.named_modules()):
        if isinstance(module, Fusable):
            plain.set_submodule(name, module.fused())
    return plain.eval()
