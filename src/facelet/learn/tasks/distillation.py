"""What a distillation minimises: named terms between a student and a teacher, who is asked live or has answered before.

>>> objective = Distillation(spec, teacher, {"ce": 0.1, "kd": 0.9}, pair)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from facelet.errors import FaceletError
from facelet.learn.data.batches import Batch
from facelet.learn.device.precision import Wish
from facelet.learn.tasks.distillation_losses import TERMS, Pair, Seen
from facelet.learn.tasks.task import Objective
from facelet.learn.teachers.frozen import FrozenNet
from facelet.learn.teachers.predictions import Answers
from facelet.nets import FaceNet, NetSpec


class Teacher(Protocol):
    """Someone who answers. ``knows``: the fields of Seen that are not None."""

    knows: tuple[str, ...]
    classes: int | None
    embedding_width: int | None

    def place(self, device: torch.device) -> None: ...

    def __call__(self, batch: Batch, /) -> Seen: ...


class LiveTeacher:
    """A frozen net that sees the same augmented faces."""

    def __init__(self, net: FaceNet, spec: NetSpec, wish: Wish = "auto") -> None:
        self.net = FrozenNet(net, spec, wish)
        self.knows: tuple[str, ...] = ("logits", "embedding", "stages") if spec.classes else ("embedding", "stages")
        self.classes: int | None = spec.classes or None
        self.embedding_width: int | None = net.embedding_width

    def place(self, device: torch.device) -> None:
        self.net.place(device)

    def __call__(self, batch: Batch, /) -> Seen:
        return self.net(batch.faces)


class KeptTeacher:
    """Answers given before, in the order of the training faces; to a mirrored face it gives that of the mirror image."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.classes = None if answers.logits is None else answers.logits.shape[1]
        self.embedding_width = None if answers.embeddings is None else answers.embeddings.shape[1]
        known = {"logits": answers.logits, "embedding": answers.embeddings}
        self.knows = tuple(name for name, array in known.items() if array is not None)

    def place(self, device: torch.device) -> None:
        both = (("logits", "mirrored_logits"), ("embeddings", "mirrored_embeddings"))
        self._tables = [self._table(getattr(self.answers, a), getattr(self.answers, b), device) for a, b in both]

    @staticmethod
    def _table(plain: Any, mirrored: Any, device: torch.device) -> Tensor | None:
        """(2, N, width): plain, mirrored."""
        if plain is None:
            return None
        pair = np.stack([plain, plain if mirrored is None else mirrored])
        return torch.from_numpy(pair).to(device)

    def __call__(self, batch: Batch, /) -> Seen:
        which = batch.mirrored.long()
        logits, embedding = (None if t is None else t[which, batch.rows].float() for t in self._tables)
        return Seen(logits, embedding, None)


class Distillation(Objective):
    """Weighted sum of terms.

    Raises FaceletError when a term is unknown, or asks what the teacher does not know.
    """

    def __init__(self, spec: NetSpec, teacher: Teacher, factors: Mapping[str, float], pair: Pair, **hard: Any) -> None:
        super().__init__(spec, **hard)
        self.factors = {name: weight for name, weight in factors.items() if weight > 0}
        for name in self.factors:
            for what in TERMS[name].asks:
                if what not in teacher.knows:
                    raise FaceletError(
                        f"the loss {name!r} needs the teacher's {what}, and it gives only {' and '.join(teacher.knows)}"
                    )
            if "logits" in TERMS[name].asks and teacher.classes != spec.classes:
                raise FaceletError(
                    f"the loss {name!r} needs a teacher of the same {spec.classes} classes, this one has {teacher.classes}"
                )
        self.terms = nn.ModuleDict({name: TERMS[name](pair) for name in self.factors})
        self.repeats = all(TERMS[name].repeats for name in self.factors)
        self._teacher = (teacher,)  # in a tuple: neither trained nor saved with this module

    def place(self, device: torch.device) -> None:
        self._teacher[0].place(device)

    def forward(self, net: FaceNet, batch: Batch) -> dict[str, Tensor]:
        told = self._teacher[0](batch)
        stages = net.stages(self.normalise(batch.faces))
        embedding = net.embed(stages)
        logits = net.classify(embedding)
        hard = self.hard(logits, batch)
        with torch.autocast(logits.device.type, enabled=False):
            student = Seen(logits.float(), embedding.float(), stages)
            losses = {
                name: self.factors[name] * term(student, told, batch.labels, hard).mean()
                for name, term in self.terms.items()
            }
            if not any(name in ("ce", "kd", "dkd") for name in losses):
                # every weight needs a gradient where processes share them
                losses["unused"] = 0.0 * logits.float().sum()
        return losses
