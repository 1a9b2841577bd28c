"""Retention time of a gallery: as text, and the thread that deletes by time in a process that waits.

>>> parse("30d"), spoken(parse("36h"))
(datetime.timedelta(days=30), '36 hours')
"""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import MethodType

from facelet.errors import FaceletError

FOREVER = "off"
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
LEAST, MOST = timedelta(seconds=1), timedelta(days=36_500)


def parse(text: str) -> timedelta | None:
    """A retention time such as 12h, 30d or 8w; "off" is None. Raises FaceletError for any other text."""
    if text == FOREVER:
        return None
    match = re.fullmatch(r"([0-9]{1,6})([hdw])", text.strip().lower())
    if match is None:
        raise FaceletError(f"retention {text!r}; expected a number of hours, days or weeks: 12h, 30d, 8w; or {FOREVER}")
    return checked(int(match[1]) * UNITS[match[2]])


def checked(retention: timedelta) -> timedelta:
    """Raises FaceletError for a retention time below a second or above a hundred years; drops fractions of a second."""
    if not LEAST <= retention <= MOST:
        raise FaceletError(f"retention {retention}; expected {LEAST.seconds} second to {MOST.days:,} days")
    return timedelta(seconds=int(retention.total_seconds()))


def spoken(retention: timedelta) -> str:
    """A retention time in the largest unit that divides it: "30 days"."""
    seconds = int(retention.total_seconds())
    units = {86_400: "day", 3600: "hour", 60: "minute", 1: "second"}
    unit = next(unit for unit in units if seconds % unit == 0)
    count = seconds // unit
    return f"{count:,} {units[unit]}{'s' * (count != 1)}"


class Sweeper:
    """A daemon thread that calls a method every ``seconds``, until ``stop`` or until its object is garbage.

    FaceletErrors are ignored: the method is called again, and the object's next user gets the error.
    """

    def __init__(self, method: Callable[[], object], seconds: float) -> None:
        assert isinstance(method, MethodType)
        self._stopped = threading.Event()
        arguments = weakref.WeakMethod(method), self._stopped, seconds
        threading.Thread(target=_sweep, args=arguments, name="facelet-retention", daemon=True).start()

    def stop(self) -> None:
        """Ends the thread after its current call."""
        self._stopped.set()


def _sweep(method: weakref.WeakMethod[Callable[[], object]], stopped: threading.Event, seconds: float) -> None:
    while not stopped.wait(seconds):
        alive = method()
        if alive is None:
            return
        with suppress(FaceletError):
            alive()
        del alive
