"""Outputs of a net on a batch, as compared by distillation losses."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class ModelOutputs(NamedTuple):
    """Logits (N, K), embedding (N, D) and the stages' maps (shallow to deep) of a batch; None where not available."""

    logits: Tensor | None
    embedding: Tensor | None
    stages: list[Tensor] | None
