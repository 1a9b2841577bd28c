"""Shared by all tests: one thread a process, and where the real faces are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def real_data(name: str) -> Path:
    """A pack of real faces by file name, or a skip that says where it was looked for."""
    places = [os.environ.get("FACELET_DATA"), Path(__file__).parents[1] / "../shared/data"]
    for place in filter(None, places):
        if (path := Path(place) / name).exists():
            return path
    pytest.skip(f"{name} is in neither FACELET_DATA nor ../shared/data")


@pytest.fixture(scope="session")
def real():
    """``real("ferplus.zip")`` is a path, or skips the test."""
    return real_data
