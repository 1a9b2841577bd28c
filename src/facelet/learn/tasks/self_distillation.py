"""Self-distillation: early exits learn from the deepest one."""

from __future__ import annotations

import torch
from torch import Tensor

from facelet import losses
from facelet.learn.data.batches import Batch
from facelet.learn.tasks.task import TrainingTask
from facelet.nets import FaceNet, NetSpec
from facelet.nets.layers.exits import ExitHeads


class SelfDistillationTask(TrainingTask):
    """Deepest exit: cross-entropy. Others: (1 - share) CE + share T^2 KL(deepest || exit) + feature |F_exit - F_deepest|^2.

    The deepest logits and features are targets without gradient. ``exits``: None uses the exits of an ExitNet.
    """

    repeats = True

    def __init__(
        self,
        spec: NetSpec,
        exits: ExitHeads | None,
        *,
        share: float,
        temperature: float,
        feature: float,
        **hard: object,
    ) -> None:
        super().__init__(spec, **hard)  # type: ignore[arg-type]
        self.exits = exits
        self.share, self.temperature, self.feature = share, temperature, feature

    def forward(self, net: FaceNet, batch: Batch) -> dict[str, Tensor]:
        stages = net.stages(self.normalise(batch.faces))
        embedding = net.embed(stages)
        logits = net.classify(embedding)
        exits = (self.exits or net.heads)(stages)  # type: ignore[operator]
        named = {"ce": self.hard(logits, batch).mean()}
        with torch.autocast(logits.device.type, enabled=False):
            target, deep = logits.detach().float(), embedding.detach().float()
            for number, output in enumerate(exits, start=1):
                value = (1 - self.share) * self.hard(output.logits, batch)
                value = value + self.share * losses.kd(output.logits.float(), target, self.temperature)
                value = value + self.feature * losses.hint(output.feature.float(), deep)
                named[f"exit{number}"] = value.mean()
        return named
