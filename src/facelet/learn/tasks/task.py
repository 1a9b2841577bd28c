"""What one training minimises: a module that turns a batch into named losses.

>>> losses = objective(net, batch)  # {"ce": ..., "kd": ...}, weighted; their sum is minimised

Subclasses: ``Labels`` (learn.supervised's plain training) here, ``Distillation`` in learn.distillation, ``Exits`` in
learn.self_distill. Their own parameters (regressors, exits) are trained with the net and left behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from facelet import losses
from facelet.learn.data.batches import Batch
from facelet.learn.data.degrade import luma
from facelet.nets import FaceNet, NetSpec


class Normalise(nn.Module):
    """Pixels in [0, 1], (N, C, S, S), to a net's input, by the net's own statistics, channels and size."""

    mean: Tensor
    std: Tensor

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.channels, self.size = spec.channels, spec.size
        self.channels_last = False
        self.register_buffer("mean", torch.tensor(spec.mean, dtype=torch.float32).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std, dtype=torch.float32).view(1, -1, 1, 1), persistent=False)

    def forward(self, faces: Tensor) -> Tensor:
        if faces.shape[1] != self.channels:
            grey = faces.shape[1] == 1
            faces = faces.expand(-1, 3, -1, -1) if grey else (faces * luma(faces.device)).sum(1, keepdim=True)
        if faces.shape[-1] != self.size:
            faces = resized(faces, self.size)
        faces = (faces - self.mean) / self.std
        return faces.contiguous(memory_format=torch.channels_last) if self.channels_last else faces


def resized(faces: Tensor, size: int) -> Tensor:
    """As ``pixels.resize`` makes them: the mean of areas when shrinking, bilinear when growing. (N, C, S, S) to size x size.

    Torch's own, antialiased, gives other pixels than a net meets in use.
    """
    side = faces.shape[-1]
    if side < size:
        return nn.functional.interpolate(faces, size=(size, size), mode="bilinear", align_corners=False)
    shares = _shares(side, size, faces.device)
    with torch.autocast(faces.device.type, enabled=False):
        return shares @ faces @ shares.T


@cache
def _shares(side: int, size: int, device: torch.device) -> Tensor:
    """float32 (size, side): how much of each of ``size`` new rows, or columns, each of ``side`` old ones makes up."""
    edges = torch.arange(side + 1, device=device) * (size / side)
    rows = torch.arange(size, device=device)[:, None]
    return (edges[1:].clamp(max=size).minimum(rows + 1) - edges[:-1].maximum(rows)).clamp(min=0)


class Objective(nn.Module):
    """Base: holds the net's normalisation and the loss on labels or votes.

    Args:
        spec: of the net that is trained.
        votes: train on annotators' shares instead of labels.
        smoothing: label smoothing.
        weights: per class (K,), or None.
        loss: "ce", or a name in losses.HARD.
    """

    repeats = False
    """Whether every step asks the same of a GPU, so that it may be recorded: nothing is counted in Python, no value is read."""
    weights: Tensor | None

    def __init__(
        self,
        spec: NetSpec,
        *,
        votes: bool = False,
        smoothing: float = 0.0,
        weights: Sequence[float] | None = None,
        loss: str = "ce",
    ) -> None:
        super().__init__()
        self.normalise = Normalise(spec)
        self.votes, self.smoothing, self.loss = votes, smoothing, loss
        self.register_buffer("weights", None if weights is None else torch.tensor(weights), persistent=False)

    def place(self, device: torch.device) -> None:
        """Moves what is not a registered part of the module (a frozen teacher) to ``device``."""

    def forward(self, net: FaceNet, batch: Batch) -> dict[str, Tensor]:
        """Named, weighted, scalar losses."""
        raise NotImplementedError

    def hard(self, logits: Tensor, batch: Batch) -> Tensor:
        """The loss on labels or votes, (N,); 0 for a face without any."""
        logits = logits.float()
        if self.loss != "ce":
            return self._other(logits, batch)
        if self.votes:
            assert batch.votes is not None
            value = cross_entropy(logits, batch.votes, self.weights, reduction="none", label_smoothing=self.smoothing)
            return value * (batch.votes.sum(1) > 0)
        return cross_entropy(
            logits, batch.labels, self.weights, ignore_index=-1, reduction="none", label_smoothing=self.smoothing
        )

    def _other(self, logits: Tensor, batch: Batch) -> Tensor:
        """A face counts as much as its targets' classes do."""
        classes = logits.shape[1]
        targets = batch.votes if self.votes else one_hot(batch.labels.clamp(min=0), classes).to(logits)
        assert targets is not None
        counts = (targets.sum(1) > 0 if self.votes else batch.labels >= 0).to(logits)
        if self.weights is not None:
            counts = counts * (targets * self.weights).sum(1)
        return counts * losses.HARD[self.loss](logits, (1 - self.smoothing) * targets + self.smoothing / classes)


class Labels(Objective):
    """The loss on labels or votes alone."""

    repeats = True

    def forward(self, net: FaceNet, batch: Batch) -> dict[str, Tensor]:
        return {self.loss: self.hard(net(self.normalise(batch.faces)), batch).mean()}
