"""Handles Ctrl-C and SIGTERM as a request to stop between two steps, when the state of the training is complete.

>>> with Interrupt() as interrupt:
...     while not interrupt.asked: ...

A second signal stops at once. With ``pass_on`` the processes that this one started get the signal, too.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

ONE = 0.5
"""Seconds within which signals count as one: a terminal sends Ctrl-C to all processes, and the first passes it on, too."""


class Interrupt:
    """``asked`` becomes True on the first SIGINT or, with ``terminate``, SIGTERM. Only the main thread can catch signals.

    It can be pickled, for a process that Lightning starts, which enters it again and catches SIGINT only: Lightning ends the
    other processes of a failed training with SIGTERM.
    """

    def __init__(self, terminate: bool = True, pass_on: bool = False) -> None:
        self.asked, self._pass_on = False, pass_on
        self._first = 0.0
        self._signals = (signal.SIGINT, signal.SIGTERM) if terminate else (signal.SIGINT,)
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if not self._previous and threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in self._signals}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked and time.monotonic() - self._first > ONE:
            raise KeyboardInterrupt
        if not self.asked:
            self.asked, self._first = True, time.monotonic()
            for process in multiprocessing.active_children() if self._pass_on else ():
                if process.pid is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGINT)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_previous": {}, "_signals": (signal.SIGINT,), "_pass_on": False}
