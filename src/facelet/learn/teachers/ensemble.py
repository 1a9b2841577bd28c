"""Ensemble of teachers: the mean of their probabilities on a face and, optionally, on its mirror image.

>>> teacher = Ensemble([LiveTeacher(*nets.load(path)) for path in paths], mirror=True)
>>> teacher(batch).logits  # (B, K): logarithms of the mean probabilities

The mean of nets trained with different seeds is more accurate and less overconfident than each: Hansen & Salamon 1990,
https://doi.org/10.1109/34.58871. Distillation from an ensemble: Hinton et al. 2015, https://arxiv.org/abs/1503.02531
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from facelet.errors import FaceletError
from facelet.learn.data.batches import Batch
from facelet.learn.teachers.outputs import ModelOutputs
from facelet.learn.teachers.teacher import Teacher


class Ensemble:
    """Mean of one or more teachers. The embedding (the mean of both views) is available for a single teacher only.

    Raises FaceletError when the teachers differ in their classes, or one of several has no logits.
    """

    def __init__(self, members: Sequence[Teacher], mirror: bool = False) -> None:
        self.members, self.mirror = list(members), mirror
        first, alone = self.members[0], len(self.members) == 1
        if not alone and any("logits" not in member.provides for member in self.members):
            raise FaceletError("an ensemble of several teachers averages their logits, and one of them has none")
        if any(member.classes != first.classes for member in self.members):
            counts = ", ".join(str(member.classes) for member in self.members)
            raise FaceletError(f"the teachers of an ensemble need the same classes; these have {counts}")
        self.provides: tuple[str, ...] = (
            tuple(k for k in ("logits", "embedding") if k in first.provides) if alone else ("logits",)
        )
        self.classes = first.classes
        self.embedding_width = first.embedding_width if alone else None

    def place(self, device: torch.device) -> None:
        for member in self.members:
            member.place(device)

    def __call__(self, batch: Batch, /) -> ModelOutputs:
        views = [batch, mirrored(batch)] if self.mirror else [batch]
        outputs = [member(view) for member in self.members for view in views]
        logits = _mean_of_probabilities([output.logits for output in outputs if output.logits is not None])
        embeddings = [output.embedding.float() for output in outputs if output.embedding is not None]
        embedding = torch.stack(embeddings).mean(0) if "embedding" in self.provides else None
        return ModelOutputs(logits, embedding, None)


def mirrored(batch: Batch) -> Batch:
    """The batch with its faces mirrored."""
    return batch._replace(faces=batch.faces.flip(3), mirrored=~batch.mirrored)


def _mean_of_probabilities(logits: Sequence[Tensor]) -> Tensor | None:
    """Logarithms of the mean probabilities, (B, K)."""
    if not logits:
        return None
    logs = torch.stack([each.float().log_softmax(1) for each in logits])
    return logs.logsumexp(0) - math.log(len(logs))
