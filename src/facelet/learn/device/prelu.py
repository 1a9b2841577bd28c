"""PReLU whose gradient is computed by a few vectorized passes over the maps.

>>> maps = FastPrelu.apply(maps, slopes)  # torch.prelu(maps, slopes)

torch's own gradient on CPUs selects by a condition, which is not vectorized, and stores a gradient of the slopes for every pixel.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class FastPrelu(torch.autograd.Function):
    """``prelu`` of maps (N, C, H, W) with a slope for each channel (C,), or one for all (1,), of the same dtype."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, slopes: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(maps, slopes)
        return torch.prelu(maps, slopes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        maps, slopes = ctx.saved_tensors
        positive = torch.ops.aten.threshold_backward(gradient, maps, 0)
        negative = gradient - positive
        of_maps = torch.addcmul(positive, negative, slopes.view(1, -1, 1, 1))
        rows = (negative * maps).permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
        of_slopes = (rows.new_ones(1, len(rows)) @ rows)[0]
        return of_maps, of_slopes if len(slopes) > 1 else of_slopes.sum(0, keepdim=True)
