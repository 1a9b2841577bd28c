"""Trains and exports the tiny net once for the whole room."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import tiny

from facelet.shrink.export import export


@pytest.fixture(scope="session")
def fp32(tmp_path_factory) -> Path:
    """The trained tiny net as a model file."""
    path = tmp_path_factory.mktemp("shrink") / "tiny.onnx"
    export(tiny.trained(), tiny.SPEC, path, {"labels": tiny.LABELS, "name": "tiny"}, tiny.faces().images[:16])
    return path
