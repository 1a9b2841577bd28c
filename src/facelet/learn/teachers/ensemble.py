"""Several teachers that answer as one: the mean of their probabilities, each asked about the face and, if wanted, its mirror image.

>>> teacher = Ensemble([LiveTeacher(*nets.load(path)) for path in paths], mirror=True)
>>> teacher(batch).logits  # (B, K): logarithms of the mean probabilities

A mean of nets that were trained alike but for the seed is righter, and less sure of itself, than each: Hansen & Salamon 1990,
https://doi.org/10.1109/34.58871; that a student can learn from it: Hinton et al. 2015, https://arxiv.org/abs/1503.02531
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
    """One or more teachers. A single one still has its embedding, the mean of both views'; of several embeddings there is no mean.

    Raises FaceletError when the teachers answer to different classes, or cannot all answer.
    """

    def __init__(self, members: Sequence[Teacher], mirror: bool = False) -> None:
        self.members, self.mirror = list(members), mirror
        first, alone = self.members[0], len(self.members) == 1
        if not alone and any("logits" not in member.knows for member in self.members):
            raise FaceletError("several teachers answer together by their logits, and one of them has none")
        if any(member.classes != first.classes for member in self.members):
            found = ", ".join(str(member.classes) for member in self.members)
            raise FaceletError(f"teachers that answer together need the same classes; these have {found}")
        self.knows: tuple[str, ...] = (
            tuple(k for k in ("logits", "embedding") if k in first.knows) if alone else ("logits",)
        )
        self.classes = first.classes
        self.embedding_width = first.embedding_width if alone else None

    def place(self, device: torch.device) -> None:
        for member in self.members:
            member.place(device)

    def __call__(self, batch: Batch, /) -> ModelOutputs:
        views = [batch, mirrored(batch)] if self.mirror else [batch]
        told = [member(view) for member in self.members for view in views]
        logits = _mean_of_probabilities([one.logits for one in told if one.logits is not None])
        embeddings = [one.embedding.float() for one in told if one.embedding is not None]
        together = torch.stack(embeddings).mean(0) if "embedding" in self.knows else None
        return ModelOutputs(logits, together, None)


def mirrored(batch: Batch) -> Batch:
    """The mirror images of a batch's faces."""
    return batch._replace(faces=batch.faces.flip(3), mirrored=~batch.mirrored)


def _mean_of_probabilities(logits: Sequence[Tensor]) -> Tensor | None:
    """As logits, (B, K)."""
    if not logits:
        return None
    logs = torch.stack([one.float().log_softmax(1) for one in logits])
    return logs.logsumexp(0) - math.log(len(logs))
