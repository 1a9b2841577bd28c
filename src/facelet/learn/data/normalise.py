"""Normalisation of images for a net: channels, size, and the mean and std of the training set."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from facelet.learn.data.degrade import luma
from facelet.nets import NetSpec


class Normalise(nn.Module):
    """Converts pixels in [0, 1], (N, C, S, S), to the channels, size, mean and std of a net's input."""

    mean: Tensor
    std: Tensor

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.channels, self.size = spec.channels, spec.size
        self.channels_last = False
        self.register_buffer("mean", torch.tensor(spec.mean, dtype=torch.float32).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std, dtype=torch.float32).view(1, -1, 1, 1), persistent=False)

    def forward(self, faces: Tensor) -> Tensor:
        if faces.shape[1] != self.channels:
            grey = faces.shape[1] == 1
            faces = faces.expand(-1, 3, -1, -1) if grey else (faces * luma(faces.device)).sum(1, keepdim=True)
        if faces.shape[-1] != self.size:
            faces = resized(faces, self.size)
        faces = (faces - self.mean) / self.std
        return faces.contiguous(memory_format=torch.channels_last) if self.channels_last else faces


def resized(faces: Tensor, size: int) -> Tensor:
    """Faces (N, C, S, S) resized to ``size``, as ``pixels.resize`` does it: area mean when shrinking, bilinear when growing.

    Torch's antialiased resize gives other pixels than the runtime.
    """
    side = faces.shape[-1]
    if side < size:
        return nn.functional.interpolate(faces, size=(size, size), mode="bilinear", align_corners=False)
    shares = _shares(side, size, faces.device)
    with torch.autocast(faces.device.type, enabled=False):
        return shares @ faces @ shares.T


@cache
def _shares(side: int, size: int, device: torch.device) -> Tensor:
    """float32 (size, side): share of each of ``side`` old rows (or columns) in each of ``size`` new ones."""
    edges = torch.arange(side + 1, device=device) * (size / side)
    rows = torch.arange(size, device=device)[:, None]
    return (edges[1:].clamp(max=size).minimum(rows + 1) - edges[:-1].maximum(rows)).clamp(min=0)
