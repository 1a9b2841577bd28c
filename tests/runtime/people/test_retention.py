"""Retention times as text, and the thread that calls a method by time."""

from __future__ import annotations

import gc
import threading
import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelet.errors import FaceletError
from facelet.runtime.people import retention


@pytest.mark.parametrize(
    ("text", "value", "spoken"),
    [
        ("30d", timedelta(days=30), "30 days"),
        ("8w", timedelta(weeks=8), "56 days"),
        ("1D", timedelta(days=1), "1 day"),
        ("36h", timedelta(hours=36), "36 hours"),
        ("1h", timedelta(hours=1), "1 hour"),
    ],
)
def test_texts(text, value, spoken):
    assert retention.parse(text) == value
    assert retention.spoken(value) == spoken


def test_off_is_none():
    assert retention.parse("off") is None


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "30m", "1y", "for ever", "٣d", "9999999d", "1d2h"])
def test_what_is_no_retention_time(text):
    with pytest.raises(FaceletError, match="expected a number of hours, days or weeks: 12h, 30d, 8w; or off"):
        retention.parse(text)


@pytest.mark.parametrize("text", ["0d", "999999w"])
def test_times_out_of_range(text):
    with pytest.raises(FaceletError, match=r"expected 1 second to 36,500 days"):
        retention.parse(text)


@given(st.integers(1, 10**9))
def test_what_is_spoken_is_the_same_time(seconds):
    count, word = retention.spoken(timedelta(seconds=seconds)).replace(",", "").split()
    assert int(count) * {"day": 86400, "hour": 3600, "minute": 60, "second": 1}[word.rstrip("s")] == seconds


class Work:
    def __init__(self) -> None:
        self.called = threading.Event()
        self.count = 0

    def call(self) -> None:
        self.count += 1
        self.called.set()
        raise FaceletError("the server is away")


def test_it_goes_on_after_an_error_until_it_is_stopped():
    work = Work()
    sweeper = retention.Sweeper(work.call, 0.005)
    for _ in range(3):
        assert work.called.wait(5)
        work.called.clear()
    sweeper.stop()
    time.sleep(0.02)
    count = work.count
    time.sleep(0.03)
    assert work.count == count


def test_it_keeps_nothing_alive():
    work = Work()
    before = threading.active_count()
    sweeper = retention.Sweeper(work.call, 0.005)
    assert work.called.wait(5)
    del work
    gc.collect()
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.005)
    assert threading.active_count() == before
    sweeper.stop()
