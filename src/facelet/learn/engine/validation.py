"""Validation of the averaged net during a training, on faces without augmentation, distributed over processes.

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
    """The metric's sums over the validation faces ``rows``; ``net`` is in eval mode."""
    sums = exam.blank(rows.device)
    for batch in rows.split(BATCH):
        faces = normalise(plain(exam.faces.pixels(batch)))
        with torch.autocast(rows.device.type, torch.bfloat16, enabled=bf16):
            outputs = net(faces)
        exam.add(sums, batch, outputs.float())
    return sums


class Validator:
    """Validates ``net``, the moving average of the net of ``training``, on the device of ``fabric``."""

    def __init__(self, training: TrainingConfig, net: nn.Module, fabric: Fabric) -> None:
        self.training, self.net, self.fabric, self.device = training, net, fabric, fabric.device
        self.bf16 = training.precision.bf16

    def settle(self, done: int, batches: int) -> None:
        """Settles the batch norms after ``done`` steps. All processes use the same global batches, so their nets stay equal."""
        training = self.training
        first = training.batches.start(done - 1, batches)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            settle(self.net, (training.objective.normalise(batch.faces) for batch in first))

    def validate(self, first: int | None = None) -> tuple[float, float]:
        """Validation loss and accuracy, on the ``first`` faces or on all."""
        fabric, exam = self.fabric, self.training.exam
        count = len(exam.faces) if first is None else first
        rows = torch.arange(fabric.global_rank, count, fabric.world_size, device=self.device)
        sums = examine(self.net, self.training.objective.normalise, exam, rows, self.bf16)
        sums = fabric.all_reduce(sums, reduce_op="sum")  # type: ignore[assignment]  # a tensor of a tensor
        return exam.grade(sums)

    def seconds(self, done: int) -> tuple[float, float]:
        """Seconds of one batch of ``settle``, and of ``validate`` on all faces, estimated from a part of them."""
        self.settle(done, batches=1)  # warms up
        start = self.now()
        self.settle(done, batches=1)
        settled = self.now()
        count = min(len(self.training.exam.faces), BATCH)
        self.validate(count)
        return settled - start, (self.now() - settled) * len(self.training.exam.faces) / count

    def now(self) -> float:
        """The clock, after a synchronization with the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return stopwatch.clock()
