"""Handles Ctrl-C and SIGTERM as a request to stop between two steps, when the state of the training is complete.

>>> with Interrupt() as interrupt:
...     while not interrupt.asked: ...

A second signal stops at once.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """``asked`` becomes True on the first SIGINT or, with ``terminate``, SIGTERM. Only the main thread can catch signals.

    It can be pickled, for a process that Lightning starts, which enters it again.
    """

    def __init__(self, terminate: bool = True) -> None:
        self.asked = False
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
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_previous": {}}
