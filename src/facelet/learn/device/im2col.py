"""Convolution whose gradients are computed by im2col and matrix products, over all positions of all faces.

>>> maps = Im2colConv.apply(maps, weight, (2, 2), (1, 1))  # torch.conv2d(maps, weight, None, (2, 2), (1, 1))

Chellapilla et al., 2006, https://inria.hal.science/inria-00112631
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad
from torch.nn.grad import conv2d_input

Pair = tuple[int, ...]


class Im2colConv(torch.autograd.Function):
    """``conv2d`` of maps (N, C, H, W) with a weight (O, C, h, w), whose gradients are matrix products.

    The gradient of the weight is one; that of the maps is one when the stride is not 1, and oneDNN's otherwise.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, maps: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.stride, ctx.padding = stride, padding
        return torch.conv2d(maps, weight, None, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:  # type: ignore[override]
        maps, weight = ctx.saved_tensors
        stride, padding = ctx.stride, ctx.padding
        rows = gradient.permute(0, 2, 3, 1).reshape(-1, weight.shape[0])
        of_maps = of_weight = None
        if ctx.needs_input_grad[0] and stride == (1, 1):
            of_maps = conv2d_input(list(maps.shape), weight, gradient, stride, padding)
        elif ctx.needs_input_grad[0]:
            of_maps = _col2im(rows, maps, weight, tuple(gradient.shape[2:]), stride, padding)
        if ctx.needs_input_grad[1]:
            columns = _im2col(maps, tuple(weight.shape[2:]), tuple(gradient.shape[2:]), stride, padding)
            of_weight = (rows.t() @ columns).view(weight.shape[0], *weight.shape[2:], -1).permute(0, 3, 1, 2)
        return of_maps, of_weight, None, None


def _im2col(maps: Tensor, kernel: Pair, out: Pair, stride: Pair, padding: Pair) -> Tensor:
    """The patches of ``maps`` that the kernel sees (N * out * out, h * w * C), channels last."""
    (height, width), channels = kernel, maps.shape[1]
    padded = pad(maps.permute(0, 2, 3, 1), (0, 0, padding[1], padding[1], padding[0], padding[0])).contiguous()
    face, row, pixel, _ = padded.stride()
    shape = (len(maps), *out, height, width * channels)  # the pixels of a row of the kernel follow each other in memory
    patches = padded.as_strided(shape, (face, row * stride[0], pixel * stride[1], row, 1))
    return patches.reshape(-1, height * width * channels)


def _col2im(rows: Tensor, maps: Tensor, weight: Tensor, out: Pair, stride: Pair, padding: Pair) -> Tensor:
    """The gradient of ``maps``: each output position adds its gradient ``rows`` (N * out * out, O) to the pixels it saw."""
    count, channels, *size = maps.shape
    kernel = weight.shape[2:]
    columns = rows @ weight.permute(0, 2, 3, 1).reshape(len(weight), -1)
    parts = columns.view(count, *out, *kernel, channels)
    padded = torch.zeros(count, *(side + 2 * edge for side, edge in zip(size, padding, strict=True)), channels)
    padded = padded.to(torch.float32 if rows.dtype == torch.bfloat16 else rows.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            seen = padded[:, i : i + stride[0] * out[0] : stride[0], j : j + stride[1] * out[1] : stride[1]]
            seen += parts[:, :, :, i, j]
    inner = padded[:, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]
    return inner.to(rows.dtype).permute(0, 3, 1, 2)
