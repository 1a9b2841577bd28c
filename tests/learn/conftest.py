"""A few faces, and steps that train a tiny net on them within a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facelet.faces import FaceSet, load
from facelet.step import STEPS, Step, StepContext

TINY = {"net": "resnet18", "net_options": {"width": 0.0625, "stem_stride": 1}, "batch": 32, "precision": "fp32"}


@pytest.fixture(scope="session")
def faces() -> FaceSet:
    return load("toy?faces=160", size=16)


@pytest.fixture
def step():
    """``step("train", epochs=1)``: a step of a tiny net named "net"."""

    def make(do: str = "train", **fields: Any) -> Step:
        import facelet.learn  # noqa: F401  (registers the steps)

        if "of" in fields:
            fields = {"net": None, "net_options": {}, **fields}
        return STEPS[do].model_validate({"do": do, "as": "net", **TINY, **fields})

    return make


@pytest.fixture
def job(faces, tmp_path):
    """``job()``: on the CPU, in a fresh folder; ``job("other", models=...)``."""

    def make(name: str = "net", **fields: Any) -> StepContext:
        folder: Path = tmp_path / name
        folder.mkdir(exist_ok=True)
        chosen = {"faces": faces, "models": {}, "device": "cpu", "say": lambda line: None, **fields}
        return StepContext(name, folder, **chosen)

    return make
