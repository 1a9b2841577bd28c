"""Minutes end on time, however the machine's pace changes: whole trainings by a clock that the test sets."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from facelet.learn.engine import stopwatch as room
from facelet.learn.engine.schedule import FIRST, LAST, Schedule
from facelet.learn.engine.stopwatch import Stopwatch
from facelet.learn.engine.time_budget import TimeBudget

MINUTES = 42 * 60.0
COUNTS = {"steps_per_epoch": 195, "train": 25_060, "val": 3_199}
SETTLE, VALIDATION = 0.3, 8.0
"""What one batch of settling takes, and validation, in steps."""


@dataclass
class Trained:
    schedule: Schedule
    spent: float
    rates: list[float]
    said: list[str] = field(default_factory=list)


def train(monkeypatch, seconds, pace, counts=COUNTS, block=1, most=None, overhead=1.0):
    """What the loop does with a budget. ``pace(done, now)``: seconds of a step; ``block``: steps between looks at the device."""
    now = [0.0]
    monkeypatch.setattr(room, "clock", lambda: now[0])
    stopwatch = Stopwatch()
    budget = TimeBudget(seconds, stopwatch, counts, most=most)
    schedule, rates, said, done = None, [], [], 0
    while schedule is None or done < schedule.total:
        done += 1
        rates.append(FIRST if schedule is None else schedule.rate(done - 1))
        now[0] += pace(done, now[0])
        if schedule is None or done % block == 0:
            stopwatch.tick(done)
        if schedule is None:
            if not budget.enough():
                continue
            schedule = budget.first(done, SETTLE * pace(done, now[0]), VALIDATION * pace(done, now[0]))
            said += budget.summary(schedule)
        if schedule.ends_lap(done):
            before, batches = stopwatch.spent, schedule.settles(done)
            with stopwatch.aside("lap", done):
                now[0] += overhead * (VALIDATION + batches * SETTLE) * pace(done, now[0])
            budget.validated(done, stopwatch.spent - before, batches)
        if budget.due(schedule, done):
            stopwatch.tick(done)
            before, schedule = schedule, budget.replan(schedule, done)
            said += budget.changes(before, schedule) if schedule is not before else []
    return Trained(schedule, stopwatch.spent, rates, said)


PACES = {
    "steady": lambda done, now: 0.25,
    "another process runs while it is timed": lambda done, now: 3.8 if done <= 6 else 0.25,
    "ten times slower midway": lambda done, now: 0.25 if now < MINUTES / 2 else 2.5,
    "ten times faster midway": lambda done, now: 2.5 if now < MINUTES / 2 else 0.25,
    "ten times slower near the end": lambda done, now: 0.25 if now < 0.9 * MINUTES else 2.5,
    "a third slower once a memory is full": lambda done, now: 0.25 * (1 + min(1, done / 600) / 3),
    "slower and slower": lambda done, now: 0.1 * (1 + now / 300),
    "an hour in SIGSTOP": lambda done, now: 3600.0 if done == 3000 else 0.25,
}


@pytest.mark.parametrize("block", [1, 32])
@pytest.mark.parametrize("name", PACES)
def test_it_ends_on_time_and_the_rate_makes_no_jump(monkeypatch, name, block):
    """``block`` 32: a GPU, which is waited for now and then only."""
    trained = train(monkeypatch, MINUTES, PACES[name], block=block)
    assert trained.spent == pytest.approx(MINUTES, rel=0.03)
    rates = trained.rates
    assert rates[0] == FIRST
    assert max(rates) == pytest.approx(1, abs=0.02)
    assert rates[-1] < LAST + 0.002
    assert max(abs(after - before) for before, after in itertools.pairwise(rates)) < 0.03
    top = rates.index(max(rates))
    assert all(after >= before for before, after in itertools.pairwise(rates[: top + 1]))
    assert all(after <= before for before, after in itertools.pairwise(rates[top:]))


def test_a_training_timed_while_the_machine_was_busy_is_as_long_as_another(monkeypatch):
    """42 minutes had become 648 steps, which took three."""
    quiet, busy = (train(monkeypatch, MINUTES, PACES[name]) for name in list(PACES)[:2])
    assert busy.schedule.marks[0].total < 700
    assert busy.schedule.total > 0.95 * quiet.schedule.total
    assert (
        busy.said[0]
        == f"  3,800 ms a step: {busy.schedule.marks[0].total} steps, {busy.schedule.marks[0].total / 195:.1f} epochs"
    )
    assert busy.said[1].startswith("  the pace changed from 3,800 to ")
    assert len(busy.said) < 6


def test_a_steady_pace_lays_the_schedule_once(monkeypatch):
    """Also one that scatters by a twentieth."""
    draws = random.Random(0)
    for scatter in (0.0, 0.05):
        trained = train(monkeypatch, MINUTES, lambda done, now, s=scatter: 0.25 * (1 + s * draws.random()))
        assert len(trained.schedule.marks) <= 1 + 100 * scatter
        assert len(trained.said) == 1


def test_the_time_of_laps_is_kept_too(monkeypatch):
    """Validation takes six times what it took when it was timed."""
    trained = train(monkeypatch, MINUTES, PACES["steady"], overhead=6.0)
    assert trained.spent == pytest.approx(MINUTES, rel=0.03)


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(
    pace=some.floats(0.02, 0.5),
    factor=some.floats(0.1, 10),
    when=some.floats(0.1, 0.9),
    noise=some.floats(0, 0.5),
    per_epoch=some.integers(20, 400),
)
def test_whatever_happens_it_ends_within_a_tenth(pace, factor, when, noise, per_epoch):
    draws = random.Random(0)
    counts = {"steps_per_epoch": per_epoch, "train": 64 * per_epoch, "val": 8 * per_epoch}

    def machine(done, now):
        return pace * (1 + noise * draws.random()) * (factor if now > 600 * when else 1)

    with pytest.MonkeyPatch.context() as monkeypatch:
        trained = train(monkeypatch, 600.0, machine, counts)
    assert trained.spent == pytest.approx(600, rel=0.1)


def test_less_than_an_epoch_is_said(monkeypatch):
    counts = {"steps_per_epoch": 20_000, "train": 640_000, "val": 300}
    short = train(monkeypatch, MINUTES, PACES["steady"], counts)
    assert short.said[1] == f"  warning: 42 min are {short.schedule.epochs:.2f} epochs here, so not every face is seen"
    later = train(monkeypatch, MINUTES, PACES["ten times slower midway"], {**counts, "steps_per_epoch": 8_000})
    assert sum("warning" in line for line in later.said) == 1
    assert later.schedule.epochs < 1 < later.schedule.marks[0].total / 8_000


def test_a_resumed_training_follows_the_marks_that_it_has(monkeypatch):
    """It is not re-planned before the last of them, however fast the machine is now."""
    whole = train(monkeypatch, MINUTES, PACES["another process runs while it is timed"]).schedule
    last = whole.marks[-1].step
    now = [0.0]
    monkeypatch.setattr(room, "clock", lambda: now[0])
    stopwatch = Stopwatch(before=20.0, done=100)
    budget = TimeBudget(MINUTES, stopwatch, COUNTS)
    for done in range(101, last + 1):
        now[0] += 0.001
        stopwatch.tick(done)
        assert not budget.due(whole, done)
    assert budget.due(whole, last + 200)


def test_nothing_is_divided_by_a_clock_that_stands(monkeypatch):
    monkeypatch.setattr(room, "clock", lambda: 0.0)
    stopwatch = Stopwatch()
    for done in range(1, 20):
        stopwatch.tick(done)
    budget = TimeBudget(60.0, stopwatch, COUNTS)
    assert budget.replan(Schedule(100, 10, 10), 19).total > 100
