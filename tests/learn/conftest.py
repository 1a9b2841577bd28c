"""A few faces, and steps that train a tiny net on them within a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from facelet import nets
from facelet.faces import FaceSet, load
from facelet.nets import FaceNet, NetSpec
from facelet.step import STEPS, Step, StepContext, StepResult

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


@pytest.fixture
def teacher(tmp_path):
    """A StepResult whose net sees colour faces of another size than the student's."""

    def make(size=24, channels=3, classes=8):
        torch.manual_seed(1)
        mean, std = (0.3,) * channels, (0.3,) * channels
        options = {"width": 0.0625, "stem_stride": 1}
        spec = nets.resolve("resnet18", classes=classes, size=size, channels=channels, mean=mean, std=std, **options)
        nets.save(spec.build(), spec, tmp_path / "teacher.safetensors")
        return StepResult(net=tmp_path / "teacher.safetensors")

    return make


@pytest.fixture(scope="session")
def people() -> FaceSet:
    """Faces of 30 people."""
    return load("toy?faces=300&identities=30&noise=0", size=16)


@pytest.fixture
def net() -> tuple[FaceNet, NetSpec]:
    """A tiny net that embeds."""
    torch.manual_seed(0)
    spec = nets.resolve("mobilefacenet", classes=0, size=16, width=0.125, embedding=64)
    return spec.build(), spec
