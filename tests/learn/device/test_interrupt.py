from __future__ import annotations

import multiprocessing
import pickle
import signal
import time

import pytest

from facelet.learn.device import interrupt as module
from facelet.learn.device.interrupt import Interrupt


def test_an_interrupt_waits_once(monkeypatch):
    monkeypatch.setattr(module, "ONE", 0.0)
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert not pickle.loads(pickle.dumps(interrupt))._previous
    assert signal.getsignal(signal.SIGINT) is before


def test_two_signals_at_once_are_one(monkeypatch):
    monkeypatch.setattr(module, "ONE", 60.0)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked


def wait_for_it(ready, interrupt: Interrupt) -> None:
    """In a started process: exit code 7 once it is asked to stop."""
    with interrupt:
        ready.set()
        for _ in range(600):
            if interrupt.asked:
                raise SystemExit(7)
            time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_passed_on_to_started_processes(number):
    context = multiprocessing.get_context("spawn")
    with Interrupt(pass_on=True) as interrupt:
        ready = context.Event()
        process = context.Process(target=wait_for_it, args=(ready, interrupt))
        process.start()
        assert ready.wait(60)
        signal.raise_signal(number)
        process.join(60)
    assert process.exitcode == 7
