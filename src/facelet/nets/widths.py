"""The widths of a cut net, as data: what pruning changed, and how to change a fresh net the same way.

>>> widths = read(pruned, spec)
>>> widths["layer1.0.conv1.out_channels"], widths["layer1.0.conv1.weight"]
([40], [40, 64, 3, 3])
>>> apply(fresh, widths)                 # the fresh net now takes the pruned net's weights

It works on any module, timm's included, because it knows no layer: it compares every parameter's and buffer's shape,
and every whole-number attribute (``out_channels``, ``groups``, ``num_features``, ``normalized_shape``, ...), with those
of the net that the spec builds. Layers that were removed or added, rather than narrowed, are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from facelet.errors import FaceletError

if TYPE_CHECKING:
    pass


def difference(net: nn.Module, fresh: nn.Module) -> dict[str, list[int]]:
    """``read`` against a net at hand."""
    mine, theirs = dict(_sizes(net)), dict(_sizes(fresh))
    if strange := sorted(mine.keys() ^ theirs.keys()):
        raise FaceletError(f"the net has other layers than its spec builds, first at {strange[0]!r}")
    return {path: list(size) for path, size in mine.items() if size != theirs[path]}


def apply(net: nn.Module, widths: Mapping[str, list[int]]) -> None:
    """Gives ``net`` the widths, in place: to load weights into, or to train afresh.

    Changed tensors keep the corner of what they held, zeros where they grew. Filters and matrices are scaled to the variance
    that ``initialise`` would draw them with at their new size: convolutions by fan out, linear layers by fan in. So a fresh
    net stays a fresh net, with its zeros, ones and all.

    Raises FaceletError when a path is not in the net, or a size is not of its kind.
    """
    known = dict(_sizes(net))
    for path, size in widths.items():
        if path not in known:
            raise FaceletError(f"the widths name {path!r}, which the net does not have")
        if len(size) != len(known[path]) or min(size, default=0) < 0:
            raise FaceletError(f"the widths give {path!r} the size {size}, expected one like {list(known[path])}")
        parent, _, name = path.rpartition(".")
        module = net.get_submodule(parent)
        old = getattr(module, name)
        if isinstance(old, nn.Parameter):
            setattr(module, name, nn.Parameter(_corner(old.detach(), size), old.requires_grad))
        elif isinstance(old, Tensor):
            setattr(module, name, _corner(old, size))
        else:
            setattr(module, name, tuple(size) if isinstance(old, tuple) else size[0])


def _corner(old: Tensor, size: list[int]) -> Tensor:
    new = old.new_zeros(size)
    corner = tuple(slice(min(pair)) for pair in zip(old.shape, size, strict=True))
    new[corner] = old[corner]
    fan = {2: 1, 4: 0}.get(old.ndim)
    return new if fan is None else new * math.sqrt(old.shape[fan] / max(1, size[fan]))


def _sizes(net: nn.Module) -> Iterator[tuple[str, tuple[int, ...]]]:
    for prefix, module in net.named_modules():
        start = f"{prefix}." if prefix else ""
        tensors = {**module._parameters, **module._buffers}
        yield from ((start + name, tuple(tensor.shape)) for name, tensor in tensors.items() if tensor is not None)
        for name, value in vars(module).items():
            if name.startswith("_") or isinstance(value, bool):
                continue
            if isinstance(value, torch.Size | tuple) and value and all(type(item) is int for item in value):
                yield start + name, tuple(value)
            elif type(value) is int:
                yield start + name, (value,)
