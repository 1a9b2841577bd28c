"""The last embeddings that a teacher gave, to compare a face with more than its batch: a ring of fixed length.

>>> memory = EmbeddingQueue(width=128)
>>> memory.add(embeddings)        # (N, 128)
>>> memory.all().shape            # (N, 128) of unit length; at most ``size`` of them, the oldest make room
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

SIZE = 16_384


class EmbeddingQueue(nn.Module):
    """Part of what a training keeps in its checkpoints, so that a resumed one remembers the same faces.

    Attributes:
        rows: float32 (size, width), unit length where it is filled.
        seen: how many embeddings there have ever been.
    """

    rows: Tensor

    def __init__(self, width: int, size: int = SIZE) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(size, width))
        self.seen = 0

    @torch.no_grad()
    def add(self, embeddings: Tensor) -> None:
        """(N, width) of any length; of more than ``size`` the last count."""
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
