"""Training time and the current pace of a training, in seconds per step.

>>> stopwatch = Stopwatch()
>>> stopwatch.tick(done=1)                    # after every step, or after a block of steps
>>> with stopwatch.aside("lap", done=40): ... # validation, a checkpoint: counts as time spent, not in the pace
>>> stopwatch.spent, stopwatch.pace(steps=16)

Time in which the process was suspended (SIGSTOP) is not training time: a block that takes STILL times as long as usual counts as a
usual one, and the excess is reported by ``stood_still``. Two such blocks in a row mean that the machine is slow, and count in full.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

WARM, LEAST = 2, 3
"""Blocks that are not timed, because they warm up caches and kernels; and the fewest blocks that make a pace."""
KEPT = 64
"""Blocks that are kept."""
STILL, STILL_SECONDS = 50.0, 10.0
"""The process was suspended when a block took this many times as long as usual, and at least this many seconds."""
ROUGH = 3.0
"""A block slower than this many times the median is clipped to it in the pace, so that one hiccup does not decide."""


def clock() -> float:
    """Seconds on a monotonic clock; tests replace it."""
    return time.monotonic()


class Stopwatch:
    """Starts at once. ``before``: seconds spent by an earlier process; ``done``: steps done by it."""

    def __init__(self, before: float = 0.0, done: int = 0) -> None:
        self._spent, self._done, self._last = before, done, clock()
        self._blocks: deque[tuple[int, float]] = deque(maxlen=KEPT)
        self._asides: dict[str, float] = {}
        self._cold, self._slow, self._lost = WARM, False, 0.0

    @property
    def spent(self) -> float:
        """Seconds of training so far, those of earlier processes included."""
        return self._spent + clock() - self._last

    @property
    def blocks(self) -> int:
        """Number of timed blocks, at most KEPT."""
        return len(self._blocks)

    def tick(self, done: int) -> None:
        """Ends a block after ``done`` steps in total. On a GPU the caller synchronizes first."""
        steps, seconds = done - self._done, self._lap()
        pace = self.pace(steps=KEPT) if seconds > STILL_SECONDS else None
        self._spent += self._counted(seconds, None if pace is None else pace * steps)
        self._done = done
        if steps > 0:
            if self._cold:
                self._cold -= 1
            else:
                self._blocks.append((steps, seconds / steps))

    @contextmanager
    def aside(self, kind: str, done: int) -> Iterator[None]:
        """Times work that is not a step, after ``done`` steps. ``kind`` groups work that takes about the same time."""
        self.tick(done)
        yield
        seconds = self._counted(self._lap(), self._asides.get(kind))
        self._spent += seconds
        self._asides[kind] = max(seconds, self._asides.get(kind, 0.0))

    def stood_still(self) -> float:
        """Seconds of suspension found since the last call."""
        lost, self._lost = self._lost, 0.0
        return lost

    def back_to(self, done: int) -> None:
        """Goes back to ``done`` steps; the time of the undone ones stays spent."""
        self._spent, self._done = self._spent + self._lap(), done

    def pace(self, steps: int) -> float | None:
        """Seconds per step over about the last ``steps`` steps, or None when fewer than LEAST blocks were timed."""
        recent: list[tuple[int, float]] = []
        for block in reversed(self._blocks):
            if len(recent) >= LEAST and sum(count for count, _ in recent) >= steps:
                break
            recent.append(block)
        if len(recent) < LEAST:
            return None
        most = ROUGH * statistics.median(each for _, each in recent)
        return sum(count * min(each, most) for count, each in recent) / sum(count for count, _ in recent)

    def _lap(self) -> float:
        now = clock()
        seconds, self._last = now - self._last, now
        return seconds

    def _counted(self, seconds: float, usual: float | None) -> float:
        """``seconds``, or ``usual`` where the process was suspended."""
        slow = usual is not None and seconds > max(STILL_SECONDS, STILL * usual)
        still, self._slow = slow and not self._slow, slow
        if usual is None or not still:
            return seconds
        self._lost += seconds - usual
        return usual
