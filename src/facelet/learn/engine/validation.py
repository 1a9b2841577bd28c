"""How a net does on validation faces as they are, while it is trained; shared between processes.

>>> validator = Validator(training, ema.net, trainer, device)
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
from facelet.learn.engine.lightning import Trainer
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
    """Looks at ``net``, the running mean of what ``training`` trains, on ``device``."""

    def __init__(self, training: TrainingConfig, net: nn.Module, trainer: Trainer, device: torch.device) -> None:
        self.training, self.net, self.trainer, self.device = training, net, trainer, device
        self.bf16 = training.precision.bf16

    def settle(self, done: int, batches: int) -> None:
        """After ``done`` steps. All processes settle on the same whole batches, so that they hold the same net."""
        training = self.training
        found = training.batches.start(done - 1, batches)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            settle(self.net, (training.objective.normalise(batch.faces) for batch in found))

    def validate(self, first: int | None = None) -> tuple[float, float]:
        """The exam's loss and accuracy on its ``first`` faces, or on all."""
        trainer, exam = self.trainer, self.training.exam
        count = len(exam.faces) if first is None else first
        mine = torch.arange(trainer.global_rank, count, trainer.world_size, device=self.device)
        sums = examine(self.net, self.training.objective.normalise, exam, mine, self.bf16)
        return exam.grade(trainer.strategy.reduce(sums, reduce_op="sum"))

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
