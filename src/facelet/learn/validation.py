"""How a net does on validation faces as they are, while it is trained; shared between processes.

>>> validator = Validator(training, ema.net, trainer, device)
>>> validator.settle(done, batches=16)
>>> loss, accuracy = validator.validate()
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from facelet.faces.augment import plain
from facelet.learn.batches import Faces
from facelet.learn.ema import settle
from facelet.learn.lightning import Trainer
from facelet.learn.training import Training

BATCH = 256


@torch.no_grad()
def validate(net: nn.Module, normalise: nn.Module, val: Faces, rows: Tensor, bf16: bool) -> Tensor:
    """Sums over ``rows`` of ``val``, float64 (3,): cross-entropy, right answers, faces; ``net`` is in eval mode.

    Sums rather than means, so that several processes can add theirs.
    """
    sums = torch.zeros(3, dtype=torch.float64, device=rows.device)
    for some in rows.split(BATCH):
        faces, labels = normalise(plain(val.pixels(some))), val.labels[some]
        with torch.autocast(rows.device.type, torch.bfloat16, enabled=bf16):
            logits = net(faces)
        logits = logits.float()
        sums[0] += cross_entropy(logits, labels, reduction="sum")
        sums[1] += (logits.argmax(1) == labels).sum()
        sums[2] += len(some)
    return sums


class Validator:
    """Looks at ``net``, the running mean of what ``training`` trains, on ``device``."""

    def __init__(self, training: Training, net: nn.Module, trainer: Trainer, device: torch.device) -> None:
        self.training, self.net, self.trainer, self.device = training, net, trainer, device
        self.bf16 = training.precision.bf16

    def settle(self, done: int, batches: int) -> None:
        """After ``done`` steps. All processes settle on the same whole batches, so that they hold the same net."""
        training = self.training
        found = training.batches.start(done - 1, batches)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            settle(self.net, (training.objective.normalise(batch.faces) for batch in found))

    def validate(self, first: int | None = None) -> tuple[float, float]:
        """Cross-entropy and accuracy on the ``first`` validation faces, or on all."""
        training, trainer = self.training, self.trainer
        count = len(training.val) if first is None else first
        mine = torch.arange(trainer.global_rank, count, trainer.world_size, device=self.device)
        sums = validate(self.net, training.objective.normalise, training.val, mine, self.bf16)
        loss, right, faces = trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        return loss / faces, right / faces

    def seconds(self, done: int) -> tuple[float, float]:
        """How long one batch of ``settle`` takes, and a ``validate`` of all faces; timed on a few of them."""
        self.settle(done, batches=1)  # warms up
        start = self.now()
        self.settle(done, batches=1)
        settled = self.now()
        count = min(len(self.training.val), BATCH)
        self.validate(count)
        return settled - start, (self.now() - settled) * len(self.training.val) / count

    def now(self) -> float:
        """The clock, once the device has done all it was asked."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.monotonic()
