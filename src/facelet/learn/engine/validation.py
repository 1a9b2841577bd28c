"""How a net does on validation faces as they are, while it is trained; shared between processes.

>>> validator = Validator(config, ema.net, fabric)
>>> validator.settle(done, batches=16)
>>> loss, accuracy = validator.validate()
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facelet.learn.data.augment import plain
from facelet.learn.engine import stopwatch
from facelet.learn.engine.config import TrainingConfig
from facelet.learn.engine.ema import settle
from facelet.learn.engine.fabric import Fabric
from facelet.learn.engine.val_metrics import ValidationMetric

BATCH = 256


@torch.no_grad()
def examine(net: nn.Module, normalise: nn.Module, exam: ValidationMetric, rows: Tensor, bf16: bool) -> Tensor:
    """The exam's sums over ``rows`` of its faces; ``net`` is in eval mode."""
    sums = exam.blank(rows.device)
    for some in rows.split(BATCH):
        faces = normalise(plain(exam.faces.pixels(some)))
        with torch.autocast(rows.device.type, torch.bfloat16, enabled=bf16):
            answers = net(faces)
        exam.add(sums, some, answers.float())
    return sums


class Validator:
    """Validates ``net``, the running mean of what ``training`` trains, on the device of ``fabric``."""

    def __init__(self, training: TrainingConfig, net: nn.Module, fabric: Fabric) -> None:
        self.training, self.net, self.fabric, self.device = training, net, fabric, fabric.device
        self.bf16 = training.precision.bf16

    def settle(self, done: int, batches: int) -> None:
        """After ``done`` steps. All processes settle on the same whole batches, so that they hold the same net."""
        training = self.training
        found = training.batches.start(done - 1, batches)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            settle(self.net, (training.objective.normalise(batch.faces) for batch in found))

    def validate(self, first: int | None = None) -> tuple[float, float]:
        """The exam's loss and accuracy on its ``first`` faces, or on all."""
        fabric, exam = self.fabric, self.training.exam
        count = len(exam.faces) if first is None else first
        mine = torch.arange(fabric.global_rank, count, fabric.world_size, device=self.device)
        sums = examine(self.net, self.training.objective.normalise, exam, mine, self.bf16)
        sums = fabric.all_reduce(sums, reduce_op="sum")  # type: ignore[assignment]  # a tensor of a tensor
        return exam.grade(sums)

    def seconds(self, done: int) -> tuple[float, float]:
        """How long one batch of ``settle`` takes, and a ``validate`` of all faces; timed on a few of them."""
        self.settle(done, batches=1)  # warms up
        start = self.now()
        self.settle(done, batches=1)
        settled = self.now()
        count = min(len(self.training.exam.faces), BATCH)
        self.validate(count)
        return settled - start, (self.now() - settled) * len(self.training.exam.faces) / count

    def now(self) -> float:
        """The clock, once the device has done all it was asked."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return stopwatch.clock()
