"""First steps of a training that has minutes, timed to find out how many steps fit.

>>> probe = Probe(seconds=600)
>>> probe.tick()  # after each step
>>> if probe.enough(): schedule = probe.schedule(training, spent, done, settle, validation)
"""

from __future__ import annotations

import itertools
import statistics
import time

from facelet.learn.schedule import Schedule, by_seconds
from facelet.learn.training import Training

SKIPPED, LEAST = 2, 3
"""Steps not timed, for they warm up caches and kernels, and steps timed at least."""
SHARE, SECONDS = 0.05, 5.0
"""Timing goes on for this share of the time, or so long if that is less."""


class Probe:
    """Times of steps. ``seconds``: that the training may take."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ticks: list[float] = []
        self._start = time.monotonic()

    def tick(self) -> None:
        self._ticks.append(time.monotonic())

    def enough(self) -> bool:
        long = self._ticks[-1] - self._start >= min(SHARE * self.seconds, SECONDS)
        return long and len(self._ticks) > SKIPPED + LEAST

    @property
    def step_seconds(self) -> float:
        """Median time of a step."""
        return statistics.median(after - before for before, after in itertools.pairwise(self._ticks[SKIPPED:]))

    def schedule(self, training: Training, spent: float, done: int, settle: float, validation: float) -> Schedule:
        """What fits into the rest of the time after ``done`` steps and ``spent`` seconds; the others as in by_seconds."""
        return by_seconds(
            self.seconds - spent,
            done=done,
            step=self.step_seconds,
            settle=settle,
            validation=validation,
            steps_per_epoch=training.batches.steps_per_epoch,
            train=training.batches.epoch,
            val=len(training.exam.faces),
            warmup=training.warmup,
        )
