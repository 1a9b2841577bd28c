"""Teachers: they provide a student's targets, computed on the batch or read from stored predictions."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from facelet.learn.data.batches import Batch
from facelet.learn.device.precision import Wish
from facelet.learn.teachers.frozen import FrozenNet
from facelet.learn.teachers.outputs import ModelOutputs
from facelet.learn.teachers.predictions import Predictions
from facelet.nets import FaceNet, NetSpec


class Teacher(Protocol):
    """Returns ModelOutputs for a batch. ``provides``: the fields that are not None."""

    provides: tuple[str, ...]
    classes: int | None
    embedding_width: int | None

    def place(self, device: torch.device) -> None: ...

    def __call__(self, batch: Batch, /) -> ModelOutputs: ...


class LiveTeacher:
    """A frozen net that runs on the same augmented faces as the student."""

    def __init__(self, net: FaceNet, spec: NetSpec, wish: Wish = "auto") -> None:
        self.net = FrozenNet(net, spec, wish)
        self.provides: tuple[str, ...] = ("logits", "embedding", "stages") if spec.classes else ("embedding", "stages")
        self.classes: int | None = spec.classes or None
        self.embedding_width: int | None = net.embedding_width

    def place(self, device: torch.device) -> None:
        self.net.place(device)

    def __call__(self, batch: Batch, /) -> ModelOutputs:
        return self.net(batch.faces)


class CachedTeacher:
    """Stored predictions in the order of the training faces; for a mirrored face those of its mirror image."""

    def __init__(self, answers: Predictions) -> None:
        self.answers = answers
        self.classes = None if answers.logits is None else answers.logits.shape[1]
        self.embedding_width = None if answers.embeddings is None else answers.embeddings.shape[1]
        known = {"logits": answers.logits, "embedding": answers.embeddings}
        self.provides = tuple(name for name, array in known.items() if array is not None)

    def place(self, device: torch.device) -> None:
        names = (("logits", "mirrored_logits"), ("embeddings", "mirrored_embeddings"))
        self._tables = [self._table(getattr(self.answers, a), getattr(self.answers, b), device) for a, b in names]

    @staticmethod
    def _table(plain: Any, mirrored: Any, device: torch.device) -> Tensor | None:
        """(2, N, width): plain, mirrored."""
        if plain is None:
            return None
        pair = np.stack([plain, plain if mirrored is None else mirrored])
        return torch.from_numpy(pair).to(device)

    def __call__(self, batch: Batch, /) -> ModelOutputs:
        which = batch.mirrored.long()
        logits, embedding = (None if t is None else t[which, batch.rows].float() for t in self._tables)
        return ModelOutputs(logits, embedding, None)
