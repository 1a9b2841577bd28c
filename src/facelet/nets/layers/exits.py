"""Exits: small classifiers after the shallower stages, distilled from the deepest.

Ni & Ma, J. BUPT 2023(6), within the framework of Zhang et al., Be Your Own Teacher, https://arxiv.org/abs/1905.08094

An exit consists of attention, depthwise-separable convolutions down to the size of the last map, pooling and a linear classifier.

>>> exits = ExitHeads.of(net, size=48, channels=1, classes=8)
>>> for output in exits(net.stages(images)):     # shallow to deep, without the net's own output
...     output.logits, output.feature

Exits can be used in training only and then dropped; ``ExitNet`` keeps them. An exit at the shallowest stage is far less accurate
than the net.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, cast

import torch
from timm.layers import EcaModule, SEModule
from torch import Tensor, nn

from facelet.errors import FaceletError
from facelet.nets.base import FaceNet, initialise
from facelet.nets.layers.separable import Separable
from facelet.nets.layers.simam import SimAM

Attention = Literal["eca", "simam", "se", "none"]
ATTENTION: dict[Attention, Callable[[int], nn.Module]] = {
    "eca": EcaModule,  # https://arxiv.org/abs/1910.03151
    "simam": lambda width: SimAM(),
    "se": SEModule,  # https://arxiv.org/abs/1709.01507
    "none": lambda width: nn.Identity(),
}


class ExitOutput(NamedTuple):
    """Output of an exit: logits (N, K) and the feature (N, D) before its classifier, D being the net's embedding width."""

    logits: Tensor
    feature: Tensor


class ExitBranch(nn.Module):
    """One exit. ``halvings``: how many times the map is halved; with 0 there is one convolution without a stride."""

    def __init__(self, width: int, halvings: int, classes: int, embedding_width: int, attention: Attention) -> None:
        super().__init__()
        self.attention = ATTENTION[attention](width)
        steps = max(1, halvings)
        widths = [*[width] * steps, embedding_width]  # as narrow as its stage while the map is large
        self.body = nn.Sequential(
            *(Separable(widths[i], widths[i + 1], stride=2 if halvings else 1) for i in range(steps))
        )
        self.fc = nn.Linear(embedding_width, classes)

    def forward(self, maps: Tensor) -> ExitOutput:
        feature = self.body(self.attention(maps)).mean((2, 3))
        return ExitOutput(self.fc(feature), feature)


class ExitHeads(nn.Module):
    """An exit after every stage but the deepest, whose classifier is the net's own.

    Args:
        stage_widths: widths of the net's stages, shallow to deep.
        classes: number of outputs.
        embedding_width: embedding width of the net and length of the exits' features, so that these can be compared.
        halvings: for each exit, how often its map is halved to reach the last map's size; None decreases by one per stage.
        attention: attention layer at the start of each exit.

    Raises FaceletError for a net with a single stage.
    """

    def __init__(
        self,
        stage_widths: Sequence[int],
        classes: int,
        embedding_width: int,
        halvings: Sequence[int] | None = None,
        attention: Attention = "eca",
    ) -> None:
        super().__init__()
        shallow = list(stage_widths)[:-1]
        if not shallow:
            raise FaceletError("a net with one stage cannot have exits, expected two stages or more")
        steps = list(halvings) if halvings is not None else list(range(len(shallow), 0, -1))
        self.exits = nn.ModuleList(
            ExitBranch(width, step, classes, embedding_width, attention)
            for width, step in zip(shallow, steps, strict=True)
        )
        initialise(self)

    @classmethod
    def of(cls, net: FaceNet, size: int, channels: int, classes: int, attention: Attention = "eca") -> ExitHeads:
        """Exits that fit the maps of ``net`` at this input size."""
        training, weight = net.training, next(net.parameters())
        net.eval()
        with torch.no_grad():
            maps = net.stages(torch.zeros(1, channels, size, size, device=weight.device, dtype=weight.dtype))
        net.train(training)
        last = maps[-1].shape[2]
        halvings = [max(0, round(math.log2(each.shape[2] / last))) for each in maps[:-1]]
        return cls(net.stage_widths, classes, net.embedding_width, halvings, attention)

    def forward(self, stages: list[Tensor]) -> list[ExitOutput]:
        """The output of every exit, shallow to deep, for ``stages = net.stages(images)``."""
        return [each(maps) for each, maps in zip(self.exits, stages[:-1], strict=True)]

    @property
    def attentions(self) -> list[nn.Module]:
        """The attention of each exit."""
        return [cast(ExitBranch, each).attention for each in self.exits]


class ExitNet(FaceNet):
    """A net with its exits. ``forward`` returns the net's own output; ``answers`` returns the outputs of all exits.

    Attributes:
        net: the net, not copied.
        heads: its exits.
    """

    def __init__(self, net: FaceNet, heads: ExitHeads) -> None:
        super().__init__()
        self.net, self.heads = net, heads
        self.stage_widths, self.embedding_width = net.stage_widths, net.embedding_width

    def answers(self, images: Tensor) -> list[Tensor]:
        """Logits (N, K) of every exit, shallow to deep, the net's own last."""
        stages = self.stages(images)
        return [*(output.logits for output in self.heads(stages)), self.classify(self.embed(stages))]

    def stages(self, images: Tensor) -> list[Tensor]:
        return self.net.stages(images)

    def embed(self, stages: list[Tensor]) -> Tensor:
        return self.net.embed(stages)

    def classify(self, embedding: Tensor) -> Tensor:
        return self.net.classify(embedding)

    def uncut(self) -> list[nn.Module]:
        return self.net.uncut()


def without_exits(net: FaceNet) -> FaceNet:
    """The net inside an ``ExitNet``; any other net unchanged."""
    return net.net if isinstance(net, ExitNet) else net
