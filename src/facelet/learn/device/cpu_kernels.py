"""Layers whose gradients are slow on CPUs, computed otherwise.

    >>> with torch.autocast("cpu", torch.bfloat16), FastKernels():
    ...     loss = net(faces).square().mean()
    >>> loss.backward()

Two of oneDNN's gradients are slow in bfloat16, see `python benchmarks/convolutions.py`. That of a weight is computed row by row of
the maps, which leaves most of the matrix unit idle when rows are short: small maps take ``Im2colConv``. Those of depthwise
convolutions have no fast kernels: they are computed in float32. In both precisions ``prelu`` is ``FastPrelu``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from facelet.learn.device.im2col import Im2colConv
from facelet.learn.device.prelu import FastPrelu

WIDEST = 6
"""Largest width in pixels of the output maps for which im2col is faster, measured on a CPU with AMX."""


class FastKernels(TorchFunctionMode):
    """Changes how ``prelu`` on CPUs is computed in its block, and ``conv2d`` under autocast to bfloat16."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function is torch.conv2d and not kwargs and _trains_in_bf16(args[0]):
            return _conv2d(*args)
        if function is torch.prelu and not kwargs and _trains(args[0]) and args[0].ndim == 4:
            maps = args[0].to(torch.bfloat16) if _trains_in_bf16(args[0]) else args[0]  # as autocast does
            return FastPrelu.apply(maps, args[1].to(maps.dtype))  # type: ignore[no-untyped-call]
        return function(*args, **(kwargs or {}))


def _trains(maps: Tensor) -> bool:
    return maps.device.type == "cpu" and torch.is_grad_enabled()


def _trains_in_bf16(maps: Tensor) -> bool:
    return _trains(maps) and torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


def _conv2d(
    maps: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] | str = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Tensor:
    if groups > 1 and weight.shape[1] == 1:
        with torch.autocast("cpu", enabled=False):
            return torch.conv2d(maps.float(), weight, bias, stride, padding, dilation, groups)
    steps, edges = _pair(stride), _pair(padding)
    if (
        groups > 1
        or _pair(dilation) != (1, 1)
        or steps is None
        or edges is None
        or _width(maps, weight, steps, edges) > WIDEST
    ):
        return torch.conv2d(maps, weight, bias, stride, padding, dilation, groups)
    out: Tensor = Im2colConv.apply(maps.to(torch.bfloat16), weight.to(torch.bfloat16), steps, edges)  # type: ignore[no-untyped-call]
    return out if bias is None else out + bias.to(torch.bfloat16)[:, None, None]


def _pair(value: int | tuple[int, ...] | str) -> tuple[int, ...] | None:
    """``value`` for both axes; None for a padding by name."""
    if isinstance(value, str):
        return None
    return (value, value) if isinstance(value, int) else value


def _width(maps: Tensor, weight: Tensor, stride: tuple[int, ...], padding: tuple[int, ...]) -> int:
    """Width in pixels of the output maps."""
    return (maps.shape[3] + 2 * padding[1] - weight.shape[3]) // stride[1] + 1
