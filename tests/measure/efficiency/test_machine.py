from __future__ import annotations

import pytest

from facelet.measure.efficiency import machine as room
from facelet.measure.efficiency.machine import Machine, machine

QUIET = Machine("A CPU", 2, ("avx2",), "Linux", "3.11.7", "1.20", "unknown", load=0.25)


def test_a_machine_in_words():
    assert str(QUIET) == "A CPU, 2 cores (avx2); Linux; Python 3.11.7; ONNX Runtime 1.20; governor unknown"
    assert QUIET.warning == ""
    busy = Machine(**{**vars(QUIET), "flags": (), "load": 1.26})
    assert str(busy).startswith("A CPU, 2 cores; Linux")
    assert busy.warning == "other processes use 1.3 of 2 cores: measured times are too long and noisy"


def test_load_is_the_processor_time_of_others_while_this_process_sleeps(monkeypatch):
    ticks = iter(["cpu  100 10 40 900 9 5 5 0 0 0\ncpu0 1\n", "cpu  160 10 60 990 99 5 5 0 0 0\n"])
    monkeypatch.setattr(room, "_text", lambda path: next(ticks) if path == "/proc/stat" else "")
    monkeypatch.setattr(room.os, "sysconf", lambda name: 100)
    monkeypatch.setattr(room.time, "sleep", lambda seconds: None)
    now = machine(watched=0.5)
    assert now.load == pytest.approx(80 / 100 / 0.5)
    assert now.governor == "unknown"


def test_where_the_system_does_not_count_it_load_is_the_mean_of_the_last_minute(monkeypatch):
    monkeypatch.setattr(room, "_text", lambda path: "")
    monkeypatch.setattr(room.os, "getloadavg", lambda: (0.75, 0.5, 0.25), raising=False)
    assert machine().load == 0.75
