"""The one-cycle is warm-up and cosine, and minutes become steps that end on time."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from facelet.learn.engine.schedule import FIRST, LAST, Mark, Schedule, by_epochs, fitting, lap_length


def test_the_cycle_by_hand():
    schedule = Schedule(total=100, steps_per_epoch=10, lap=10, warmup=0.2)
    assert schedule.rate(0) == pytest.approx(FIRST)
    assert schedule.rate(10) == pytest.approx(FIRST + (1 - FIRST) * 0.5)
    assert schedule.rate(20) == pytest.approx(1)
    assert schedule.rate(60) == pytest.approx(LAST + (1 - LAST) * (1 + math.cos(math.pi / 2)) / 2)
    assert schedule.rate(99) < 0.003
    assert schedule.epochs == 10


def test_the_probe_runs_at_the_lowest_rate_whatever_the_length():
    for total in (20, 200):
        schedule = Schedule(total, steps_per_epoch=10, lap=10, probe=8)
        assert {schedule.rate(step) for step in range(8)} == {FIRST}
        assert schedule.rate(9) > FIRST


@settings(deadline=None, max_examples=50)
@given(
    left=some.floats(1, 1e5),
    settle=some.floats(0, 10),
    validation=some.floats(1e-3, 100),
    per_epoch=some.integers(1, 1000),
)
def test_what_is_left_is_filled(left, settle, validation, per_epoch):
    """In steps, of which validation and settling take some, too."""
    train, val = 128 * per_epoch, 100
    costs = {"settle": settle, "validation": validation}
    total, lap = fitting(left, done=5, **costs, steps_per_epoch=per_epoch, train=train, val=val)
    schedule = Schedule(total, per_epoch, lap)
    steps = total - 5
    ends = [step for step in range(6, total + 1) if schedule.ends_lap(step)]
    spent = steps + len(ends) * validation + settle * sum(schedule.settles(step) for step in ends)
    end = validation + 1 + schedule.settles(total) * settle
    assert steps >= 1
    assert spent <= left + 2 * end
    assert steps == 1 or spent >= left - 2 * end - left / 20


def test_no_more_steps_than_are_enough_and_no_less_than_are_asked():
    counts = {"settle": 0.3, "validation": 5.0, "steps_per_epoch": 10, "train": 1000, "val": 100}
    assert fitting(1e6, done=5, **counts, most=80)[0] == 80
    assert fitting(-10, done=5, **counts, least=3)[0] == 8
    assert fitting(-10, done=79, **counts, least=3, most=80)[0] == 80
    assert fitting(1e6, done=80, **counts, most=80)[0] == 81


def test_progress_goes_on_from_a_mark_and_reaches_the_end():
    """Derived with a loop: each step goes the same part of what is left to its segment's end."""
    schedule = (
        Schedule(30, 10, 10, probe=6, marks=(Mark(6, 30, 10),)).replanned(Mark(18, 90, 10)).replanned(Mark(50, 70, 10))
    )
    assert schedule.total == 70
    expected = 0.0
    for step in range(70):
        assert schedule.progress(step) == pytest.approx(expected)
        end = 30 if step < 18 else 90 if step < 50 else 70
        expected += (1 - expected) / (end - step) if step >= 6 else 0
    assert schedule.progress(70) == 1
    assert {schedule.rate(step) for step in range(6)} == {FIRST}


@settings(deadline=None, max_examples=50)
@given(
    total=some.integers(12, 500),
    at=some.floats(0.1, 0.95),
    factor=some.floats(0.1, 20),
    warmup=some.floats(0, 0.9),
    probe=some.sampled_from([0, 6]),
)
def test_the_rate_is_the_same_on_both_sides_of_a_mark(total, at, factor, warmup, probe):
    marks = (Mark(probe, total, 10),) if probe else ()
    before = Schedule(total, 10, 10, warmup, probe, marks)
    step = max(probe, int(at * total))
    after = before.replanned(Mark(step, step + max(1, int(factor * (total - step))), 10))
    assert [after.rate(early) for early in range(step)] == pytest.approx([before.rate(early) for early in range(step)])
    assert after.rate(step) == pytest.approx(before.rate(step))


def test_a_schedule_that_was_never_replanned_has_the_rates_of_its_epochs():
    plain = by_epochs(5, steps_per_epoch=20, train=1000, val=100)
    marked = replace(plain, marks=(Mark(0, plain.total, plain.lap),))
    assert [marked.rate(step) for step in range(100)] == pytest.approx([plain.rate(step) for step in range(100)])


def test_a_lap_is_that_of_the_plan_of_its_time():
    """What was validated once is validated again when these steps are done again."""
    first = Schedule(40, 10, 10, probe=6, marks=(Mark(6, 40, 10),))
    second = first.replanned(Mark(20, 400, 50))
    assert [step for step in range(1, 40) if first.ends_lap(step)] == [10, 20, 30]
    assert [step for step in range(1, 401) if second.ends_lap(step)] == [10, 20, *range(50, 401, 50)]
    assert second.until(20) == second
    assert second.until(19) == first
    assert second.until(3) == first


def test_a_plan_is_read_as_it_was_written():
    schedule = Schedule(40, 10, 10, probe=6, marks=(Mark(6, 40, 10, 0.25, 3.5),)).replanned(
        Mark(20, 400, 50, 0.02, 9.0)
    )
    assert Schedule.from_json(json.loads(json.dumps(asdict(schedule)))) == schedule
    assert Schedule.from_json({"total": 40, "steps_per_epoch": 10, "lap": 10}) == Schedule(40, 10, 10)


def test_validation_is_rare_where_training_is_short():
    assert lap_length(total=1950, steps_per_epoch=195, train=25_060, val=3_199) == 195
    assert lap_length(total=80, steps_per_epoch=8, train=1000, val=1000) == 4 * 8
    assert lap_length(total=8 * 1000, steps_per_epoch=8, train=1000, val=10) == 8 * 10
    schedule = by_epochs(2.5, steps_per_epoch=10, train=1000, val=100)
    assert [step for step in range(1, 26) if schedule.ends_lap(step)] == [10, 20, 25]
