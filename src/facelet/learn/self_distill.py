"""The step ``self-distill``: a net with exits after its stages, whose deepest answer teaches the shallower ones. Ni & Ma,
J. BUPT 2023(6); Zhang et al., https://arxiv.org/abs/1905.08094; T-SNet's first stage.

>>> SelfDistill.model_validate({"do": "self-distill", "as": "teacher", "net": "resnet18-finegrained", "epochs": 60})

The exits are left behind: what is kept is the net alone, of the size it would have had without them.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from facelet import losses
from facelet.faces import FaceSet
from facelet.learn.batches import Batch
from facelet.learn.lesson import Lesson
from facelet.learn.objective import Objective
from facelet.nets import FaceNet, NetSpec
from facelet.nets.exits import ExitHeads
from facelet.step import STEPS, Job


class Exits(Objective):
    """Deepest: cross-entropy. Every exit: (1 - share) CE + share T^2 KL(deepest || exit) + feature |F_exit - F_deepest|^2.

    The deepest answer and feature are targets, without gradient.
    """

    def __init__(
        self, spec: NetSpec, exits: ExitHeads, *, share: float, temperature: float, feature: float, **hard: object
    ) -> None:
        super().__init__(spec, **hard)  # type: ignore[arg-type]
        self.exits = exits
        self.share, self.temperature, self.feature = share, temperature, feature

    def forward(self, net: FaceNet, batch: Batch) -> dict[str, Tensor]:
        stages = net.stages(self.normalise(batch.faces))
        embedding = net.embed(stages)
        logits = net.classify(embedding)
        answers = self.exits(stages)
        found = {"ce": self.hard(logits, batch).mean()}
        with torch.autocast(logits.device.type, enabled=False):
            target, deep = logits.detach().float(), embedding.detach().float()
            for number, answer in enumerate(answers, start=1):
                value = (1 - self.share) * self.hard(answer.logits, batch)
                value = value + self.share * losses.kd(answer.logits.float(), target, self.temperature)
                value = value + self.feature * losses.hint(answer.feature.float(), deep)
                found[f"exit{number}"] = value.mean()
        return found


@STEPS.register("self-distill")
class SelfDistill(Lesson):
    """Fields of Lesson, and of the exits."""

    share: float = Field(0.2, ge=0, le=1, description="of the deepest answer in an exit's loss; the rest is labels")
    temperature: float = Field(3.0, gt=0, le=100)
    feature: float = Field(0.05, ge=0, description="weight of the squared difference to the deepest feature")
    attention: bool = Field(True, description="ECA before each exit")

    def objective(self, net: FaceNet, spec: NetSpec, train: FaceSet, job: Job) -> Objective:
        exits = ExitHeads.of(net, spec.size, spec.channels, spec.classes, self.attention)
        return Exits(
            spec,
            exits,
            share=self.share,
            temperature=self.temperature,
            feature=self.feature,
            **self.hard_options(train),
        )

    def notes(self, job: Job) -> tuple[str, ...]:
        return (*super().notes(job), "its own deepest answer taught exits, which are left behind")
