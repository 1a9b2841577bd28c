"""Queue of a teacher's latest embeddings, so that a loss can compare a face with more faces than its batch has.

>>> memory = EmbeddingQueue(width=128)
>>> memory.add(embeddings)        # (N, 128)
>>> memory.all().shape            # (N, 128) of unit length; at most ``size`` rows, the oldest are overwritten
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

SIZE = 16_384


class EmbeddingQueue(nn.Module):
    """Ring buffer of fixed size; part of a training's checkpoints, so that a resumed training has the same rows.

    Attributes:
        rows: float32 (size, width), of unit length where filled.
        seen: number of embeddings added so far.
    """

    rows: Tensor

    def __init__(self, width: int, size: int = SIZE) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(size, width))
        self.seen = 0

    @torch.no_grad()
    def add(self, embeddings: Tensor) -> None:
        """Adds (N, width) embeddings of any length; of more than ``size`` rows only the last are stored."""
        size = len(self.rows)
        kept = normalize(embeddings[-size:].float())
        places = (self.seen + torch.arange(len(kept), device=kept.device)) % size
        self.rows[places] = kept
        self.seen += len(kept)

    def all(self) -> Tensor:
        """(M, width), M at most ``size``, in no particular order."""
        return self.rows[: min(self.seen, len(self.rows))]

    def get_extra_state(self) -> dict[str, int]:
        return {"seen": self.seen}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.seen = state["seen"]
