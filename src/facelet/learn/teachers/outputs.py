"""What a net returns on a batch, as distillation losses compare it."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class ModelOutputs(NamedTuple):
    """What a net says of a batch: logits (N, K), embedding (N, D), maps of its stages, shallow to deep; None where unknown."""

    logits: Tensor | None
    embedding: Tensor | None
    stages: list[Tensor] | None
