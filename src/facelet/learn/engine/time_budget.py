"""TimeBudget: turns the minutes of a training into a number of steps, and re-plans it when the pace of the machine changes.

>>> budget = TimeBudget(seconds=600, stopwatch=stopwatch, counts={"steps_per_epoch": 195, "train": 25_060, "val": 3_199})
>>> if budget.enough(): schedule = budget.first(done, settle, validation)     # after each step of the probe
>>> if budget.due(schedule, done): schedule = budget.replan(schedule, done)   # after every later step

Checks are due after a share of the remaining steps. They are counted in steps and not timed, so that all processes of a distributed
training check at the same step. The cost of validation is kept in units of steps, because a busy machine slows both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from facelet.learn.engine.schedule import Mark, Schedule, fitting
from facelet.learn.engine.stopwatch import KEPT, LEAST, Stopwatch
from facelet.text import duration

SHARE, SECONDS = 0.05, 5.0
"""The probe lasts this share of the time, or this many seconds if that is less."""
CHECK, APART = 0.01, 0.1
"""Distance between checks: this share of the remaining steps, and at least this many seconds at the pace of the last mark."""
FEW, RECENT = 4, 8
"""Steps between checks while no pace is known, and the fewest steps that a pace is taken over."""
HARDLY = 0.03
"""A plan is kept when a new one would differ by less than this share of the remaining steps."""
FORWARD = 1 / 3
"""Cost of a forward pass in steps, until it has been timed."""
REPORTED = 1.5
"""A change of the pace by this factor is reported to the user."""
ENDING = 0.02
"""When the time is up early, this share of the steps done (at most 8) is still trained, for the learning rate to decay."""


class TimeBudget:
    """``counts``: ``steps_per_epoch`` and the numbers of ``train`` and ``val`` faces. ``most``: upper limit of the steps."""

    def __init__(
        self,
        seconds: float,
        stopwatch: Stopwatch,
        counts: Mapping[str, int],
        warmup: float = 0.1,
        most: int | None = None,
    ) -> None:
        self.seconds, self.stopwatch, self.counts, self.warmup, self.most = seconds, stopwatch, counts, warmup, most
        batch = max(1, counts["train"] / counts["steps_per_epoch"])
        self.settle, self.validation = FORWARD, FORWARD * counts["val"] / batch
        self._next: int | None = None
        self._reported: float | None = None
        self._lap: tuple[int, float, float, int] | None = None

    def enough(self) -> bool:
        """Whether the probe can end."""
        long = self.stopwatch.spent >= min(SHARE * self.seconds, SECONDS)
        return long and self.stopwatch.blocks > LEAST

    def first(self, done: int, settle: float, validation: float) -> Schedule:
        """The first plan, after a probe of ``done`` steps.

        Args:
            done: steps done so far.
            settle: seconds of one batch that settles the batch norms.
            validation: seconds of one validation.
        """
        pace = self._pace(KEPT)
        assert pace is not None
        self.settle, self.validation = settle / pace, validation / pace
        total, lap = self._fit(done, pace, least=1)
        mark = self._mark(done, total, lap, pace)
        return Schedule(total, self.counts["steps_per_epoch"], lap, self.warmup, done, (mark,))

    def due(self, schedule: Schedule, done: int) -> bool:
        """Whether to check the pace after ``done`` steps. A resumed training first replays the marks that it has."""
        if self._next is None:
            last = schedule.marks[-1] if schedule.marks else Mark(0, schedule.total, schedule.lap)
            self._next = self._after(schedule, max(done, last.step))
            if last.settle is not None and last.validation is not None:
                self.settle, self.validation = last.settle, last.validation
        return self._next <= done < schedule.total

    def replan(self, schedule: Schedule, done: int) -> Schedule:
        """The schedule to follow from here on: ``schedule`` itself while it still fits the remaining time."""
        self._learn_from_lap(done)
        pace = self._pace(2 * self._apart(schedule, done))
        if pace is not None:
            ending = max(1, min(8, int(ENDING * done)))
            total, lap = self._fit(done, pace, least=min(ending, schedule.total - done))
            if abs(total - schedule.total) > max(1.0, HARDLY * (schedule.total - done)):
                schedule = schedule.replanned(self._mark(done, total, lap, pace))
        self._next = self._after(schedule, done)
        return schedule

    def changes(self, before: Schedule, after: Schedule) -> list[str]:
        """Lines for the user when ``before`` is replaced by ``after``: a new pace, and a training of less than one epoch."""
        pace, lines = after.marks[-1].pace, []
        reported = self._reported or (before.marks[-1].pace if before.marks else 0.0)
        if not reported:
            lines.append(f"  {_ms(pace)} ms a step: {_length(after)} fit into {duration(self.seconds)}")
        elif not 1 / REPORTED < pace / reported < REPORTED:
            lines.append(f"  the pace changed from {_ms(reported)} to {_ms(pace)} ms a step: {_length(after)}")
        self._reported = pace if lines else reported
        if before.epochs >= 1 > after.epochs:
            lines += self.warning(after)
        return lines

    def summary(self, schedule: Schedule) -> list[str]:
        """Lines for the user about the first plan."""
        return [f"  {_ms(schedule.marks[-1].pace)} ms a step: {_length(schedule)}", *self.warning(schedule)]

    def warning(self, schedule: Schedule) -> list[str]:
        """A warning where the training is shorter than one epoch."""
        if schedule.epochs >= 1:
            return []
        return [f"  warning: {duration(self.seconds)} are {schedule.epochs:.2f} epochs here, so not every face is seen"]

    def checked(self, schedule: Schedule, done: int) -> None:
        """Sets the next check after one in which ``schedule`` was decided, by this process or another."""
        self._next = self._after(schedule, done)

    def validated(self, done: int, seconds: float, batches: int) -> None:
        """Records that settling on ``batches`` and validation took ``seconds``, after ``done`` steps."""
        if pace := self._pace(RECENT):
            self._lap = (done, pace, seconds, batches)

    def _learn_from_lap(self, done: int) -> None:
        """Updates the cost of validation from the last lap, once the pace after it is known.

        The lap is left out when the pace changed during it, because the pace of the validation is then unknown.
        """
        if self._lap is None or done < self._lap[0] + RECENT:
            return
        (_, before, seconds, batches), self._lap = self._lap, None
        after, expected = self._pace(RECENT), batches * self.settle + self.validation
        if after and expected > 0 and 1 / REPORTED < after / before < REPORTED:
            factor = 2 * seconds / (before + after) / expected
            self.settle, self.validation = factor * self.settle, factor * self.validation

    def _mark(self, done: int, total: int, lap: int, pace: float) -> Mark:
        return Mark(done, total, lap, pace, self.stopwatch.spent, self.settle, self.validation)

    def _fit(self, done: int, pace: float, least: int) -> tuple[int, int]:
        left = (self.seconds - self.stopwatch.spent) / pace
        return fitting(
            left, done=done, settle=self.settle, validation=self.validation, least=least, most=self.most, **self.counts
        )

    def _pace(self, steps: int) -> float | None:
        pace = self.stopwatch.pace(max(RECENT, min(KEPT, steps)))
        return None if pace is None else max(pace, 1e-9)

    @staticmethod
    def _apart(schedule: Schedule, done: int) -> int:
        pace = schedule.marks[-1].pace if schedule.marks else 0.0
        return max(math.ceil(CHECK * (schedule.total - done)), math.ceil(APART / pace) if pace else FEW)

    def _after(self, schedule: Schedule, done: int) -> int:
        return done + self._apart(schedule, done)


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:,.3g}" if seconds < 1 else f"{1e3 * seconds:,.0f}"


def _length(schedule: Schedule) -> str:
    return f"{schedule.total:,} steps, {schedule.epochs:.1f} epochs"
