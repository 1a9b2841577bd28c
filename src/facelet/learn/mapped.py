"""Faces that stay on disk: more of them than there is memory, gathered batch by batch from a memory map.

>>> MappedRows(images)[rows]  # uint8 (B, H, W, C)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


class MappedRows:
    """Images of a memory map, gathered by row; it pickles as its file's name, not as its pixels."""

    device = torch.device("cpu")

    def __init__(self, images: np.memmap) -> None:
        self.images = images

    def __getitem__(self, rows: Tensor) -> Tensor:
        """uint8 (B, H, W, C); ``rows`` on the CPU."""
        wanted = rows.numpy()
        order = np.argsort(wanted)  # read in the order of the file
        found = np.empty((len(wanted), *self.images.shape[1:]), np.uint8)
        found[order] = self.images[wanted[order]]
        return torch.from_numpy(found)

    def __reduce__(self) -> tuple[Any, ...]:
        images = self.images
        start = images.__array_interface__["data"][0] - _file_start(images)
        return _reopen, (str(images.filename), images.shape, start)


def _file_start(images: np.memmap) -> int:
    """Address at which the file's first byte would be; a slice of a map keeps the offset of the whole."""
    base: Any = images
    while isinstance(base.base, np.memmap):
        base = base.base
    return base.__array_interface__["data"][0] - base.offset


def _reopen(name: str, shape: tuple[int, ...], start: int) -> MappedRows:
    return MappedRows(np.memmap(name, np.uint8, "r", start, shape))
