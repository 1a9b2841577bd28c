"""The base class of every net (stage feature maps, embedding, logits), and the registry of nets.

>>> @NETS.register("tiny")
... def tiny(classes: int, size: int, channels: int, *, width: float = 1.0) -> FaceNet: ...
"""

from __future__ import annotations

from typing import Annotated, Protocol

import torch
from pydantic import Field
from torch import Tensor, nn

from facelet.registry import Registry

Dropout = Annotated[float, Field(ge=0, lt=1)]


class FaceNet(nn.Module):
    """Base class that gives distillation, exits and pruning access to a net's intermediate outputs.

    ``forward(images) = classify(embed(stages(images)))`` always holds. The defaults of ``embed``, ``classify`` and ``uncut`` fit a
    net that pools its deepest map and ends in ``dropout`` and the layer ``fc``; other nets override them. Without classes a net
    returns its embedding.

    Attributes:
        stage_widths: channels of the maps that ``stages`` returns, shallow to deep.
        embedding_width: length of the embedding.
    """

    stage_widths: tuple[int, ...]
    embedding_width: int
    dropout: nn.Dropout
    fc: nn.Module

    def stages(self, images: Tensor) -> list[Tensor]:
        """Feature maps (N, C_i, H_i, W_i), shallow to deep, of normalised float images (N, C, H, W)."""
        raise NotImplementedError

    def embed(self, stages: list[Tensor]) -> Tensor:
        """Pooled feature (N, D) of the deepest map; nets may also use other maps."""
        return stages[-1].mean((2, 3))

    def classify(self, embedding: Tensor) -> Tensor:
        """Logits (N, K) of embeddings (N, D); without classes the embedding itself."""
        return self.fc(self.dropout(embedding))

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.embed(self.stages(images)))

    def uncut(self) -> list[nn.Module]:
        """Layers whose output widths pruning must not change; the first is the classifier."""
        return [self.fc]

    def remeasure(self, size: int, channels: int) -> None:
        """Updates ``stage_widths`` and ``embedding_width`` after pruning."""
        training, weight = self.training, next(self.parameters())
        self.eval()
        with torch.no_grad():
            stages = self.stages(torch.zeros(1, channels, size, size, device=weight.device, dtype=weight.dtype))
            self.stage_widths = tuple(stage.shape[1] for stage in stages)
            self.embedding_width = self.embed(stages).shape[1]
        self.train(training)


class Builder(Protocol):
    """A FaceNet class or a function that returns a FaceNet; its typed keyword-only arguments are the net's options."""

    def __call__(self, classes: int, size: int, channels: int, /) -> FaceNet: ...


NETS: Registry[Builder] = Registry("net")


def classifier(width: int, classes: int) -> nn.Module:
    """The final linear layer of a net; for 0 classes an identity layer."""
    return nn.Linear(width, classes) if classes else nn.Identity()


def initialise(net: nn.Module) -> None:
    """He et al.'s normal initialisation (fan out) for convolutions, ones and zeros for batch norms.

    Linear layers keep torch's default initialisation.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
