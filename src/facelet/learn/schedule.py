"""How long a training is, and the learning rate along it: warm-up and one cosine cycle, laid to end on the last step.
Smith & Topin, super-convergence, https://arxiv.org/abs/1708.07120

>>> schedule = by_epochs(20, steps_per_epoch=195, train=25_060, val=3_199)
>>> schedule.rate(0), schedule.rate(schedule.total - 1)  # factors of the step's lr

With ``minutes`` the first steps, the probe, run at the lowest rate while they are timed; only then is the length fixed,
once, and kept in ``plan.json``, so that a resumed training has the schedule of the unbroken one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FIRST, LAST = 1 / 25, 1 / 1000
"""Factors of the learning rate at the first and after the last step."""
VALIDATION_SHARE = 0.1
"""At most this share of the time goes to validation, a forward pass taken for a third of a training step."""
SETTLE_LAST, SETTLE_SHARE = 16, 0.1
"""Batches that settle the batch norms before the last validation, and share of a lap's steps before the others."""


@dataclass(frozen=True)
class Schedule:
    """The length of a training in steps, fixed.

    Attributes:
        total: steps in all, the probe included.
        steps_per_epoch: of one pass over the training faces.
        lap: steps between validations, whole epochs.
        warmup: share of the steps after the probe during which the rate rises.
        probe: first steps, at the lowest rate, that were timed.
    """

    total: int
    steps_per_epoch: int
    lap: int
    warmup: float = 0.1
    probe: int = 0

    def rate(self, step: int) -> float:
        """Factor of the learning rate at ``step`` (0 is the first): linear from FIRST to 1, half a cosine to LAST."""
        length = self.total - self.probe
        rise = max(1.0, self.warmup * length)
        along = step - self.probe
        if along < rise:
            return FIRST + (1 - FIRST) * max(0.0, along / rise)
        down = min(1.0, (along - rise) / max(1.0, length - rise))
        return LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * down))

    def ends_lap(self, step: int) -> bool:
        """Whether validation follows after ``step`` steps have been done."""
        return step >= self.total or step % self.lap == 0

    def settles(self, step: int) -> int:
        """Batches that settle the batch norms before the validation after ``step`` steps."""
        return SETTLE_LAST if step >= self.total else settling(self.lap)

    @property
    def epochs(self) -> float:
        return self.total / self.steps_per_epoch


def by_epochs(epochs: float, *, steps_per_epoch: int, train: int, val: int, warmup: float = 0.1) -> Schedule:
    """``epochs`` passes over ``train`` faces, validated on ``val`` faces now and then."""
    total = max(1, round(epochs * steps_per_epoch))
    return Schedule(total, steps_per_epoch, lap_length(total, steps_per_epoch, train, val), warmup)


def by_seconds(
    left: float,
    *,
    done: int,
    step: float,
    settle: float,
    validation: float,
    steps_per_epoch: int,
    train: int,
    val: int,
    warmup: float = 0.1,
) -> Schedule:
    """As many steps as fit into ``left`` seconds after ``done`` probe steps; at least one more.

    Args:
        step, settle, validation: seconds of one training step, of one batch that settles the batch norms, and of one pass
            over the validation faces.
    """
    last = validation + SETTLE_LAST * settle
    total = done + max(1, int((left - last) / step))
    for _ in range(3):  # the lap depends on the total, and the total on how many laps must be validated
        lap = lap_length(total, steps_per_epoch, train, val)
        total = done + max(1, int((left - last) / (step + (validation + settling(lap) * settle) / lap)))
    return Schedule(total, steps_per_epoch, lap, warmup, probe=done)


def settling(lap: int) -> int:
    """Batches that settle the batch norms at the end of a lap."""
    return min(SETTLE_LAST, math.ceil(SETTLE_SHARE * lap))


def lap_length(total: int, steps_per_epoch: int, train: int, val: int) -> int:
    """Whole epochs between validations: at most 100 laps a training, and VALIDATION_SHARE of its time."""
    epochs = max(1, math.ceil(total / steps_per_epoch / 100), math.ceil(val / 3 / VALIDATION_SHARE / max(1, train)))
    return epochs * steps_per_epoch
