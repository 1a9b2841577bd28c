"""The one-cycle is warm-up and cosine, and minutes become steps that end on time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from facelet.learn.schedule import FIRST, LAST, Schedule, by_epochs, by_seconds, lap_length


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
    left=some.floats(1, 1e4),
    step=some.floats(1e-3, 1),
    settle=some.floats(0, 1),
    validation=some.floats(1e-3, 10),
    per_epoch=some.integers(1, 1000),
)
def test_minutes_end_on_time(left, step, settle, validation, per_epoch):
    train, val = 128 * per_epoch, 100
    schedule = by_seconds(
        left, done=5, step=step, settle=settle, validation=validation, steps_per_epoch=per_epoch, train=train, val=val
    )
    steps = schedule.total - 5
    laps = schedule.total // schedule.lap - 5 // schedule.lap
    ends = laps + (schedule.total % schedule.lap > 0)
    settled = (ends - 1) * schedule.settles(schedule.lap) + schedule.settles(schedule.total)
    spent = steps * step + ends * validation + settled * settle
    end = validation + step + schedule.settles(schedule.total) * settle
    assert steps >= 1
    assert spent <= left + 2 * end
    assert steps == 1 or spent >= left - 2 * end - left / 20


def test_validation_is_rare_where_training_is_short():
    assert lap_length(total=1950, steps_per_epoch=195, train=25_060, val=3_199) == 195
    assert lap_length(total=80, steps_per_epoch=8, train=1000, val=1000) == 4 * 8
    assert lap_length(total=8 * 1000, steps_per_epoch=8, train=1000, val=10) == 8 * 10
    schedule = by_epochs(2.5, steps_per_epoch=10, train=1000, val=100)
    assert [step for step in range(1, 26) if schedule.ends_lap(step)] == [10, 20, 25]
