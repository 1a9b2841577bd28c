"""Distillation: a weighted sum of losses between a student and a teacher, which runs on the batch or has stored predictions.

>>> task = DistillationTask(spec, teacher, {"ce": 0.1, "kd": 0.9}, pair)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from facelet.errors import FaceletError
from facelet.learn.data.batches import Batch
from facelet.learn.tasks.distillation_losses import TERMS, Pair
from facelet.learn.tasks.task import TrainingTask
from facelet.learn.teachers.outputs import ModelOutputs
from facelet.learn.teachers.teacher import Teacher
from facelet.nets import FaceNet, NetSpec


class DistillationTask(TrainingTask):
    """Weighted sum of distillation losses.

    Raises FaceletError when a loss is unknown, or needs an output that the teacher does not provide.
    """

    def __init__(self, spec: NetSpec, teacher: Teacher, factors: Mapping[str, float], pair: Pair, **hard: Any) -> None:
        super().__init__(spec, **hard)
        self.factors = {name: weight for name, weight in factors.items() if weight > 0}
        for name in self.factors:
            for output in TERMS[name].needs:
                if output not in teacher.provides:
                    raise FaceletError(
                        f"the loss {name!r} needs the teacher's {output}, and it gives only {' and '.join(teacher.provides)}"
                    )
            if "logits" in TERMS[name].needs and teacher.classes != spec.classes:
                raise FaceletError(
                    f"the loss {name!r} needs a teacher of the same {spec.classes} classes, this one has {teacher.classes}"
                )
        self.terms = nn.ModuleDict({name: TERMS[name](pair) for name in self.factors})
        self.repeats = all(TERMS[name].repeats for name in self.factors)
        self._teacher = (teacher,)  # in a tuple: neither trained nor saved with this module

    def place(self, device: torch.device) -> None:
        self._teacher[0].place(device)

    def forward(self, net: FaceNet, batch: Batch) -> dict[str, Tensor]:
        teacher = self._teacher[0](batch)
        stages = net.stages(self.normalise(batch.faces))
        embedding = net.embed(stages)
        logits = net.classify(embedding)
        hard = self.hard(logits, batch)
        with torch.autocast(logits.device.type, enabled=False):
            student = ModelOutputs(logits.float(), embedding.float(), stages)
            losses = {
                name: self.factors[name] * term(student, teacher, batch.labels, hard).mean()
                for name, term in self.terms.items()
            }
            if not any(name in ("ce", "kd", "dkd") for name in losses):
                # DDP needs a gradient for every weight
                losses["unused"] = 0.0 * logits.float().sum()
        return losses
