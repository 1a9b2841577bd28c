from __future__ import annotations

import pickle
import signal

import pytest

from facelet.learn.device.interrupt import Interrupt


def test_an_interrupt_waits_once():
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert not pickle.loads(pickle.dumps(interrupt))._previous
    assert signal.getsignal(signal.SIGINT) is before
