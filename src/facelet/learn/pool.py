"""Translated faces of earlier steps, which a discriminator is shown beside new ones, so that it does not forget them.
Shrivastava et al., https://arxiv.org/abs/1612.07828

>>> pool = Pool(50)
>>> discriminator(pool.mixed(fake, generator))
"""

from __future__ import annotations

import torch
from torch import Tensor


class Pool:
    """The last faces of ``size``; with ``size`` 0 none is kept."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.faces: Tensor | None = None

    def mixed(self, fresh: Tensor, generator: torch.Generator) -> Tensor:
        """``fresh`` (N, C, S, S), detached; once the pool is full each face is exchanged for an older one half of the time."""
        fresh = fresh.detach()
        if not self.size:
            return fresh
        held = fresh[:0] if self.faces is None else self.faces.to(fresh.device)  # a restored one is on the CPU
        taken = fresh[: self.size - len(held)]
        self.faces = torch.cat([held, taken]) if len(taken) else held
        rest = fresh[len(taken) :].clone()
        for number in range(len(rest)):
            swap, place = torch.rand((), generator=generator), torch.randint(self.size, (), generator=generator)
            if swap < 0.5:
                old = self.faces[place].clone()
                self.faces[place] = rest[number]
                rest[number] = old
        return torch.cat([fresh[: len(taken)], rest])

    def state_dict(self) -> dict[str, Tensor]:
        return {} if self.faces is None else {"faces": self.faces}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.faces = state.get("faces")
