"""Length of a training and its learning rate: linear warm-up and one cosine cycle that ends on the last step.

Smith & Topin, super-convergence, https://arxiv.org/abs/1708.07120

>>> schedule = by_epochs(20, steps_per_epoch=195, train=25_060, val=3_199)
>>> schedule.rate(0), schedule.rate(schedule.total - 1)  # factors of the step's lr

With ``minutes`` the first steps, the probe, run at the lowest rate while they are timed; then the length is estimated
(engine.time_budget). When the pace of the machine changes, the schedule is re-planned from that step on: progress along the cycle
continues from its current value, faster or slower, so the learning rate is continuous. Every plan is a Mark in ``plan.json``,
written before the steps that follow it, so that a resumed training replays the schedule of the unbroken one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

FIRST, LAST = 1 / 25, 1 / 1000
"""Factors of the learning rate at the first and after the last step."""
VALIDATION_SHARE = 0.1
"""Largest share of the time for validation; a forward pass is assumed to take a third of a training step."""
SETTLE_LAST, SETTLE_SHARE = 16, 0.1
"""Batches that settle the batch norms before the last validation, and share of a lap's steps before the others."""


@dataclass(frozen=True)
class Mark:
    """One plan of a schedule.

    Attributes:
        step: steps done at that time.
        total, lap: of the schedule from there on.
        pace: seconds per step at that time.
        spent: seconds of training until then.
        settle: cost of one batch that settles the batch norms, in steps.
        validation: cost of one validation, in steps.
    """

    step: int
    total: int
    lap: int
    pace: float = 0.0
    spent: float = 0.0
    settle: float | None = None
    validation: float | None = None


@dataclass(frozen=True)
class Schedule:
    """The length of a training in steps, and the learning rate of each step.

    Attributes:
        total: steps in all, the probe included.
        steps_per_epoch: of one pass over the training faces.
        lap: steps between validations, whole epochs.
        warmup: share of the cycle in which the rate rises.
        probe: first steps, at the lowest rate, that were timed.
        marks: all plans so far, oldest first; empty for a length in epochs that was never re-planned.
    """

    total: int
    steps_per_epoch: int
    lap: int
    warmup: float = 0.1
    probe: int = 0
    marks: tuple[Mark, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Schedule:
        """From ``plan.json``. Raises KeyError or TypeError when it is damaged."""
        return cls(**{**value, "marks": tuple(Mark(**mark) for mark in value.get("marks", ()))})

    def replanned(self, mark: Mark) -> Schedule:
        """This schedule with ``mark`` as its latest plan."""
        marks = self.marks or (Mark(self.probe, self.total, self.lap),)
        return replace(self, total=mark.total, lap=mark.lap, marks=(*marks, mark))

    def until(self, step: int) -> Schedule:
        """The schedule as it was after ``step`` steps, without later marks."""
        kept = tuple(mark for mark in self.marks if mark.step <= step) or self.marks[:1]
        return replace(self, total=kept[-1].total, lap=kept[-1].lap, marks=kept) if kept else self

    def progress(self, step: int) -> float:
        """Progress along the cycle after ``step`` steps: 0 until the probe ends, linear between marks, 1 after the last step."""
        along, start, end = 0.0, self.probe, self.marks[0].total if self.marks else self.total
        for mark in self.marks:
            if mark.step > step:
                break
            along += (1 - along) * (mark.step - start) / (end - start)
            start, end = mark.step, mark.total
        return along + (1 - along) * min(1.0, max(0.0, (step - start) / (end - start)))

    def rate(self, step: int) -> float:
        """Factor of the learning rate at ``step`` (0 is the first): linear from FIRST to 1, half a cosine to LAST."""
        if step < self.probe:
            return FIRST
        if self.marks:
            rise = max(self.warmup, 0.0 if self.probe else 1 / self.marks[0].total)
            return cycle(self.progress(step), rise, 1.0)
        length = float(self.total - self.probe)
        return cycle(float(step - self.probe), max(1.0, self.warmup * length), length)

    def ends_lap(self, step: int) -> bool:
        """Whether validation follows after ``step`` steps have been done."""
        return step >= self.total or (step >= self.probe and step % self._lap_at(step) == 0)

    def settles(self, step: int) -> int:
        """Batches that settle the batch norms before the validation after ``step`` steps."""
        return SETTLE_LAST if step >= self.total else settling(self._lap_at(step))

    def _lap_at(self, step: int) -> int:
        """The lap of the last mark before ``step``; at a mark itself, validation came before the new plan."""
        first = self.marks[0].lap if self.marks else self.lap
        return next((mark.lap for mark in reversed(self.marks) if mark.step < step), first)

    @property
    def epochs(self) -> float:
        return self.total / self.steps_per_epoch


def cycle(along: float, rise: float, length: float) -> float:
    """Factor of the learning rate at ``along`` in a cycle of ``length`` that rises until ``rise``, all in one unit."""
    if along < rise:
        return FIRST + (1 - FIRST) * along / rise
    down = min(1.0, (along - rise) / max(length - rise, 1e-9))
    return LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * down))


def by_epochs(epochs: float, *, steps_per_epoch: int, train: int, val: int, warmup: float = 0.1) -> Schedule:
    """``epochs`` passes over ``train`` faces, validated on ``val`` faces now and then."""
    return by_steps(
        max(1, round(epochs * steps_per_epoch)), steps_per_epoch=steps_per_epoch, train=train, val=val, warmup=warmup
    )


def by_steps(total: int, *, steps_per_epoch: int, train: int, val: int, warmup: float = 0.1) -> Schedule:
    """``total`` steps, validated on ``val`` faces now and then."""
    return Schedule(total, steps_per_epoch, lap_length(total, steps_per_epoch, train, val), warmup)


def fitting(
    left: float,
    *,
    done: int,
    settle: float,
    validation: float,
    steps_per_epoch: int,
    train: int,
    val: int,
    least: int = 1,
    most: int | None = None,
) -> tuple[int, int]:
    """Total number of steps (``done`` included) and lap that fit into the time of ``left`` further steps.

    Args:
        left: time that is left, in steps.
        done: steps done so far.
        settle: cost of one batch that settles the batch norms, in steps.
        validation: cost of one validation, in steps.
        steps_per_epoch: steps of one pass over the training faces.
        train: number of training faces.
        val: number of validation faces.
        least: further steps that are taken even if they do not fit.
        most: upper limit of the total.
    """
    left -= validation + SETTLE_LAST * settle  # the last validation
    low, high = done + least, math.inf if most is None else max(done + 1, most)
    total = int(min(max(low, done + left), high))
    for _ in range(3):  # the lap depends on the total, and the total on how many laps must be validated
        lap = lap_length(total, steps_per_epoch, train, val)
        each, begun = validation + settling(lap) * settle, done // lap
        laps = int(max(0.0, (done + left - (begun + 1) * lap) / (lap + each)))  # that end before the last step
        fits = max(min(int(done + left - count * each), (begun + count + 1) * lap) for count in (laps, laps + 1))
        total = int(min(max(low, fits), high))
    return total, lap


def settling(lap: int) -> int:
    """Batches that settle the batch norms at the end of a lap."""
    return min(SETTLE_LAST, math.ceil(SETTLE_SHARE * lap))


def lap_length(total: int, steps_per_epoch: int, train: int, val: int) -> int:
    """Whole epochs between validations: at most 100 laps a training, and VALIDATION_SHARE of its time."""
    epochs = max(1, math.ceil(total / steps_per_epoch / 100), math.ceil(val / 3 / VALIDATION_SHARE / max(1, train)))
    return epochs * steps_per_epoch
