"""The widths of a pruned net as data: reads what pruning changed, and applies it to a fresh net.

>>> widths = difference(pruned, spec.build())
>>> widths["layer1.0.conv1.out_channels"], widths["layer1.0.conv1.weight"]
([40], [40, 64, 3, 3])
>>> apply(fresh, widths)                 # the pruned net's weights now fit the fresh net

It works on any module, including timm's: it compares the shapes of all parameters and buffers, and all integer attributes
(``out_channels``, ``groups``, ``num_features``, ``normalized_shape``, ...), with those of the net that the spec builds. Removed or
added layers raise an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from facelet.errors import FaceletError


def difference(net: nn.Module, fresh: nn.Module) -> dict[str, list[int]]:
    """Path of each tensor and integer attribute of ``net`` that differs from ``fresh`` -> its size in ``net``.

    Raises FaceletError when the two nets do not have the same layers.
    """
    sizes, expected = dict(_sizes(net)), dict(_sizes(fresh))
    if unmatched := sorted(sizes.keys() ^ expected.keys()):
        raise FaceletError(f"the net's layers differ from those its spec builds, first at {unmatched[0]!r}")
    return {path: list(size) for path, size in sizes.items() if size != expected[path]}


def apply(net: nn.Module, widths: Mapping[str, list[int]]) -> None:
    """Resizes ``net`` to the widths, in place, before weights are loaded or the net is trained from scratch.

    Changed tensors keep the leading corner of their values, with zeros where they grew. Filters and matrices are scaled to the
    variance of ``initialise`` at their new size (convolutions by fan out, linear layers by fan in), so that a fresh net remains
    correctly initialised.

    Raises FaceletError when a path is not in the net, or a size has the wrong number of dimensions.
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
