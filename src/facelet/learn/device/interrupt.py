"""Ctrl-C and SIGTERM as a request that the training grants between two steps, when its state is whole.

>>> with Interrupt() as interrupt:
...     while not interrupt.asked: ...

Asked a second time it does not wait any longer.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """``asked`` turns True on the first SIGINT, or SIGTERM where ``terminate``; only the main thread can catch them.

    It pickles into a process that Lightning starts, where it is entered again.
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
