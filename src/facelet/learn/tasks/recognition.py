"""Training of an embedding net: a margin loss on identities, losses on a teacher's embeddings, or both.

>>> task = RecognitionTask(spec, width=128, weights={"cosface": 1.0, "cosine": 5.0}, margin=Margin(...), teacher=teacher)

A face without identity counts only in the losses on the teacher. Prototypes and projector are trained with the net and not saved
with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facelet.errors import FaceletError
from facelet.learn.data.batches import Batch
from facelet.learn.tasks.diagnostics import PATIENCE, diagnosis, pulse
from facelet.learn.tasks.embedding_queue import EmbeddingQueue
from facelet.learn.tasks.task import TrainingTask
from facelet.learn.teachers.teacher import Teacher
from facelet.losses import embedding as features
from facelet.losses.margin import arcface, cosface, cosines, margin_at
from facelet.nets import FaceNet, NetSpec

MARGINS: dict[str, tuple[Callable[..., Tensor], float]] = {"cosface": (cosface, 0.35), "arcface": (arcface, 0.5)}
"""Losses on identities, each with the default margin of its paper."""
FEATURES: dict[str, Callable[..., Tensor]] = {
    "cosine": features.cosine,
    "squared": features.squared,
    "relational": features.relational,
    "similarity": features.similarity,
}
"""Losses between a student's and a teacher's embedding; see losses.embedding."""
LOOK = 50
"""Steps between diagnoses."""
NEVER = 1 << 62
"""Patience of the diagnosis with a teacher: the embedding is learned from it even when the margin loss fails."""
SMALL = 0.01
"""Standard deviation of fresh prototypes: a step rotates a short vector further, and only its direction is used."""


@dataclass(frozen=True)
class Margin:
    """Settings of a margin loss.

    Attributes:
        kind: name of the loss, a key of MARGINS.
        people: number of identities.
        size: the margin.
        scale: factor of the cosines.
        warmup: steps in which the margin rises from 0.
        lr: peak learning rate, for the advice in error messages.
    """

    kind: str
    people: int
    size: float
    scale: float
    warmup: int
    lr: float


class RecognitionTask(TrainingTask):
    """Weighted sum of a margin loss and losses on a teacher's embedding.

    Args:
        spec: spec of the net to train.
        width: length of the net's embedding.
        weights: weights of the losses, by their names in MARGINS and FEATURES.
        margin: settings of the margin loss, or None without one.
        teacher: None without losses of FEATURES.

    Raises FaceletError when the teacher provides no embedding, and from a step when the diagnosis finds a failed training.
    """

    def __init__(
        self,
        spec: NetSpec,
        width: int,
        weights: Mapping[str, float],
        margin: Margin | None,
        teacher: Teacher | None,
    ) -> None:
        super().__init__(spec)
        self.factors = {name: weight for name, weight in weights.items() if weight > 0}
        self.margin, self.step = margin, 0
        self.prototypes = nn.Parameter(SMALL * torch.randn(margin.people, width)) if margin else None
        self.projector: nn.Module = nn.Identity()
        self._teacher = (teacher,) if teacher else ()  # in a tuple: neither trained nor saved with this module
        self._features = [name for name in self.factors if name in FEATURES]
        self.memory: EmbeddingQueue | None = None
        if teacher:
            if teacher.embedding_width is None:
                raise FaceletError(
                    "losses on embeddings need a teacher that provides an embedding, and this one has only logits"
                )
            if teacher.embedding_width != width and set(self._features) - {"relational"}:
                self.projector = nn.Linear(width, teacher.embedding_width, bias=False)
            if "similarity" in self._features:
                self.memory = EmbeddingQueue(teacher.embedding_width)

    def place(self, device: torch.device) -> None:
        for teacher in self._teacher:
            teacher.place(device)

    def forward(self, net: FaceNet, batch: Batch) -> dict[str, Tensor]:
        embedding = net(self.normalise(batch.faces)).float()
        losses = {self.margin.kind: self._by_identity(embedding, batch.labels)} if self.margin else {}
        for teacher in self._teacher:
            target = teacher(batch).embedding
            assert target is not None
            with torch.autocast(embedding.device.type, enabled=False):
                projected = self.projector(embedding)
                if self.memory is not None:
                    self.memory.add(target)
                for name in self._features:
                    student = embedding if name == "relational" else projected
                    more = (self.memory.all(),) if name == "similarity" and self.memory is not None else ()
                    losses[name] = self.factors[name] * FEATURES[name](student, target.float(), *more).mean()
        self.step += 1
        return losses

    def _by_identity(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """The margin loss: mean over the faces with a known identity."""
        margin = self.margin
        assert margin is not None
        assert self.prototypes is not None
        near = cosines(embedding, self.prototypes)
        size = margin_at(self.step, margin.warmup, margin.size)
        each = MARGINS[margin.kind][0](near, labels, margin.scale, size)
        loss = each.sum() / (labels >= 0).sum().clamp(min=1)
        if self.step % LOOK == LOOK - 1:
            seen = pulse(self.step + 1, loss.item(), near, labels)
            patience = NEVER if self._teacher else PATIENCE
            trouble = diagnosis(seen, lr=margin.lr, margin=margin.size, warmup_steps=margin.warmup, patience=patience)
            if trouble:
                raise FaceletError(trouble)
        return self.factors[margin.kind] * loss

    def get_extra_state(self) -> dict[str, int]:
        """Progress of the margin's warm-up."""
        return {"step": self.step}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.step = state["step"]
