"""First steps of a training that has minutes, timed to find out how many steps fit.

>>> probe = Probe(seconds=600)
>>> probe.tick()  # after each step
>>> if probe.enough(): probe.step_seconds
"""

from __future__ import annotations

import itertools
import statistics
import time

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
