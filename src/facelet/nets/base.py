"""What every net offers: maps of each stage, one embedding, logits."""

from __future__ import annotations

from torch import Tensor, nn


class FaceNet(nn.Module):
    """A net whose insides distillation, exits and pruning can reach by name.

    Attributes:
        stage_widths: channels of the maps that ``stages`` returns, shallow to deep.
        embedding_width: length of the embedding.

    ``forward(images) = classify(embed(stages(images)))`` always holds.
    """

    stage_widths: tuple[int, ...]
    embedding_width: int

    def stages(self, images: Tensor) -> list[Tensor]:
        """images: (N, C, H, W) normalised float. Returns maps (N, C_i, H_i, W_i), shallow to deep."""
        raise NotImplementedError

    def embed(self, stages: list[Tensor]) -> Tensor:
        """Pooled feature (N, D) of the deepest map (nets may use others too)."""
        raise NotImplementedError

    def classify(self, embedding: Tensor) -> Tensor:
        """(N, D) to logits (N, K)."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.embed(self.stages(images)))
