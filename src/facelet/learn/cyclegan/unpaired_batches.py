"""Unpaired batches of two classes, drawn for each step from its number.

>>> pairs = Pairs(happy.images, sad.images, batch=16, seed=0)
>>> source, target = pairs.at(step=120, again=0, device=device)

The two batches are drawn independently.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facelet.learn.data.augment import Augmentation, apply, draw
from facelet.learn.data.batches import seed_of

AUGMENTATION = Augmentation(flip=0.5, shift=0.04, scale=0.05, turn=4, erase=0, gain=0, bias=0)
"""Weak, so that augmented faces still look like the faces of the set."""


class Pairs:
    """Batches of two classes, drawn for each step from its number: faces uint8 (N, H, W, C) and (M, H, W, C)."""

    def __init__(self, source: NDArray[np.uint8], target: NDArray[np.uint8], batch: int, seed: int) -> None:
        self.classes = [torch.from_numpy(faces) for faces in (source, target)]
        self.batch, self.seed = batch, seed
        self._orders: dict[int, tuple[tuple[int, int], torch.Tensor]] = {}

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one pass over the faces of the source class."""
        return len(self.classes[0]) // self.batch

    def at(self, step: int, again: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Faces of each class, (batch, C, S, S) in -1..1; another ``again`` gives other faces for the same step."""
        self.classes = [faces.to(device) for faces in self.classes]
        source, target = (self._drawn(number, faces, step, again) for number, faces in enumerate(self.classes))
        return source, target

    def _drawn(self, number: int, faces: Tensor, step: int, again: int) -> Tensor:
        epoch, within = divmod(step, len(faces) // self.batch)
        if self._orders.get(number, ((-1, -1),))[0] != (again, epoch):
            order = np.random.default_rng([self.seed, number, again, epoch]).permutation(len(faces))
            self._orders[number] = (again, epoch), torch.from_numpy(order).to(faces.device)
        rows = self._orders[number][1][within * self.batch : (within + 1) * self.batch]
        generator = torch.Generator().manual_seed(seed_of(self.seed, number, again, 1, step))
        return apply(faces[rows], draw(self.batch, AUGMENTATION, generator)) * 2 - 1
