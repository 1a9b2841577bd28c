"""Memory that a training frees stays with the process."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from facelet.learn.device import malloc

FAULTS = """
import resource, sys, torch
from facelet.learn.device.malloc import keep_memory
if sys.argv[1] == "kept":
    assert keep_memory()
def step():
    for _ in range(20):
        torch.ones(16, 1024, 1024)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="only glibc can be told")
def test_a_freed_tensor_is_not_fetched_from_the_system_again():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("kept", "given")
    }
    assert faults["kept"] < 2000 < faults["given"]


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(malloc.ctypes, "CDLL", lambda name: object())
    assert not malloc.keep_memory()
