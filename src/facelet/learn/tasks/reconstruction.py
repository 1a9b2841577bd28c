"""Reconstruction of the face from its class capsule, as a regularizer of capsule nets.

Sabour et al., https://arxiv.org/abs/1710.09829; an option of ``train`` for capsule nets: ``reconstruct: 0.0005``. The decoder is
trained with the net and dropped afterwards; no model file holds it.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from facelet.learn.data.batches import Batch
from facelet.learn.tasks.task import TrainingTask
from facelet.nets import FaceNet, NetSpec
from facelet.nets.layers.capsule import squash

HIDDEN = (512, 1024)


class ReconstructionTask(TrainingTask):
    """The loss on labels, plus ``weight`` times the sum of squared differences to the face's pixels in [0, 1].

    The decoder's input is the class capsules, with all but the label's set to 0.

    Args:
        spec: spec of a net whose embedding is the concatenation of ``classes`` capsules.
        weight: weight of the reconstruction loss.
        width: length of that embedding.
        hard: further arguments of TrainingTask.
    """

    repeats = True

    def __init__(self, spec: NetSpec, weight: float, width: int, **hard: Any) -> None:
        super().__init__(spec, **hard)
        self.weight, self.classes = weight, spec.classes
        widths = (width, *HIDDEN, spec.channels * spec.size**2)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(inplace=True)]
        self.decoder = nn.Sequential(*layers[:-1], nn.Sigmoid())

    def forward(self, net: FaceNet, batch: Batch) -> dict[str, Tensor]:
        embedding = net.embed(net.stages(self.normalise(batch.faces)))
        hard = self.hard(net.classify(embedding), batch).mean()
        rebuilt = self.rebuild(embedding, batch.labels)
        with torch.autocast(embedding.device.type, enabled=False):
            error = (rebuilt.float() - batch.faces.flatten(1).float()).square().sum(1)
        return {self.loss: hard, "reconstruction": self.weight * error.mean()}

    def rebuild(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """Reconstructed pixels in [0, 1], (N, C * S * S), from the capsules (N, K * D) of the labels (N,)."""
        capsules = squash(embedding.float().unflatten(1, (self.classes, -1)))
        return self.decoder((capsules * one_hot(labels, self.classes)[:, :, None]).flatten(1))
