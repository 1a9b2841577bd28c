"""The stopwatch tells the pace of steps, and what was no training: by a clock that the test sets."""

from __future__ import annotations

import pytest

from facelet.learn.engine import stopwatch as room
from facelet.learn.engine.stopwatch import STILL, WARM, Stopwatch


@pytest.fixture
def now(monkeypatch):
    """``now[0]`` is what the clock says."""
    time = [100.0]
    monkeypatch.setattr(room, "clock", lambda: time[0])
    return time


def steps(stopwatch, now, *seconds, done=0, block=1):
    for each in seconds:
        now[0] += each * block
        done += block
        stopwatch.tick(done)
    return done


def test_the_first_steps_warm_up_and_are_time_but_no_pace(now):
    stopwatch = Stopwatch(before=50.0)
    steps(stopwatch, now, *[9.0] * WARM, 1.0, 1.0)
    assert stopwatch.pace(steps=8) is None
    steps(stopwatch, now, 1.0, done=4)
    assert stopwatch.pace(steps=8) == pytest.approx(1)
    assert stopwatch.spent == pytest.approx(50 + 9 * WARM + 3)


@pytest.mark.parametrize("block", [1, 32])
def test_the_pace_is_that_of_the_last_steps_and_a_hiccup_does_not_decide_it(now, block):
    stopwatch = Stopwatch()
    done = steps(stopwatch, now, *[1.0] * 40, *[0.1] * 10, done=0, block=block)
    assert stopwatch.pace(steps=8 * block) == pytest.approx(0.1)
    assert stopwatch.pace(steps=64 * block) > 0.5
    done = steps(stopwatch, now, 4.0, done=done, block=block)
    assert stopwatch.pace(steps=10 * block) < 0.13
    steps(stopwatch, now, *[4.0] * 9, done=done, block=block)
    assert stopwatch.pace(steps=8 * block) == pytest.approx(4)


def test_what_stood_still_is_not_counted(now):
    """An hour in SIGSTOP, within a step and within a validation."""
    stopwatch = Stopwatch()
    done = steps(stopwatch, now, *[0.25] * 20, 3600.0, *[0.25] * 20)
    assert stopwatch.spent == pytest.approx(0.25 * 41)
    assert stopwatch.stood_still() == pytest.approx(3600, abs=1)
    assert stopwatch.stood_still() == 0
    for seconds in (3.0, 3600.0, 4.0):
        with stopwatch.aside("lap", done):
            now[0] += seconds
    assert stopwatch.spent == pytest.approx(0.25 * 41 + 3 + 3 + 4)
    assert stopwatch.pace(steps=16) == pytest.approx(0.25)


def test_a_machine_that_became_slow_for_good_is_counted(now):
    stopwatch = Stopwatch()
    done = steps(stopwatch, now, *[0.25] * 20)
    slow = 2 * STILL * 0.25
    steps(stopwatch, now, *[slow] * 10, done=done)
    assert stopwatch.spent > 0.25 * 20 + 9 * slow


def test_what_is_no_step_is_no_pace(now):
    stopwatch = Stopwatch()
    for done in range(1, 30):
        steps(stopwatch, now, 0.5, done=done - 1)
        with stopwatch.aside("checkpoint", done):
            now[0] += 2.0
    assert stopwatch.pace(steps=16) == pytest.approx(0.5)
    assert stopwatch.spent == pytest.approx(29 * 2.5)


def test_steps_that_are_undone_were_time(now):
    stopwatch = Stopwatch()
    steps(stopwatch, now, *[1.0] * 10)
    stopwatch.back_to(4)
    steps(stopwatch, now, 1.0, done=4)
    assert stopwatch.spent == pytest.approx(11)
    assert stopwatch.pace(steps=8) == pytest.approx(1)
