"""Training tasks: modules that compute named losses of a net on a batch; their sum is minimised.

>>> losses = task(net, batch)  # {"ce": ..., "kd": ...}, weighted scalars

Subclasses: ``ClassificationTask`` here, ``DistillationTask``, ``SelfDistillationTask``, ``RecognitionTask`` and
``ReconstructionTask`` in this folder. Their own parameters (regressors, exits) are trained with the net and not saved with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from facelet import losses
from facelet.learn.data.batches import Batch
from facelet.learn.data.normalise import Normalise
from facelet.nets import FaceNet, NetSpec


class TrainingTask(nn.Module):
    """Base class: holds the net's normalisation and the loss on labels or votes.

    Args:
        spec: spec of the net to train.
        votes: train on the shares of annotators' votes instead of labels.
        smoothing: label smoothing.
        weights: weight of each class (K,), or None.
        loss: "ce", or a name in losses.HARD.
        shares: share of each class (K,) by which the cross-entropy adjusts the logits, or None; see losses.adjustment.
        tau: strength of that adjustment.
    """

    repeats = False
    """Whether every step launches the same GPU kernels, so that it can be captured as a CUDA graph: the step neither counts in
    Python nor reads values from the GPU."""
    weights: Tensor | None
    shares: Tensor | None

    def __init__(
        self,
        spec: NetSpec,
        *,
        votes: bool = False,
        smoothing: float = 0.0,
        weights: Sequence[float] | None = None,
        loss: str = "ce",
        shares: Sequence[float] | None = None,
        tau: float = 1.0,
    ) -> None:
        super().__init__()
        self.normalise = Normalise(spec)
        self.votes, self.smoothing, self.loss = votes, smoothing, loss
        self.register_buffer("weights", None if weights is None else torch.tensor(weights), persistent=False)
        self.tau = tau
        self.register_buffer("shares", None if shares is None else torch.tensor(shares), persistent=False)

    def place(self, device: torch.device) -> None:
        """Moves parts that are not registered in the module (a frozen teacher) to ``device``."""

    def forward(self, net: FaceNet, batch: Batch) -> dict[str, Tensor]:
        """Named, weighted, scalar losses."""
        raise NotImplementedError

    def hard(self, logits: Tensor, batch: Batch) -> Tensor:
        """The loss on labels or votes, (N,); 0 for a face without a label or votes."""
        logits = logits.float()
        if self.loss != "ce":
            return self._other(logits, batch)
        if self.shares is not None:
            logits = losses.adjustment.adjusted(logits, self.shares, self.tau)
        if self.votes:
            assert batch.votes is not None
            value = cross_entropy(logits, batch.votes, self.weights, reduction="none", label_smoothing=self.smoothing)
            return value * (batch.votes.sum(1) > 0)
        return cross_entropy(
            logits, batch.labels, self.weights, ignore_index=-1, reduction="none", label_smoothing=self.smoothing
        )

    def _other(self, logits: Tensor, batch: Batch) -> Tensor:
        """A loss of losses.HARD, (N,); each face is weighted by the weights of its target classes."""
        classes = logits.shape[1]
        targets = batch.votes if self.votes else one_hot(batch.labels.clamp(min=0), classes).to(logits)
        assert targets is not None
        counts = (targets.sum(1) > 0 if self.votes else batch.labels >= 0).to(logits)
        if self.weights is not None:
            counts = counts * (targets * self.weights).sum(1)
        return counts * losses.HARD[self.loss](logits, (1 - self.smoothing) * targets + self.smoothing / classes)


class ClassificationTask(TrainingTask):
    """The loss on labels or votes alone."""

    repeats = True

    def forward(self, net: FaceNet, batch: Batch) -> dict[str, Tensor]:
        return {self.loss: self.hard(net(self.normalise(batch.faces)), batch).mean()}
