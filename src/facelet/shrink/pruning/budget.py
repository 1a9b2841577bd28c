"""What a pruned net may cost: one of five budgets, and how a net is held against it.

>>> budget = Budget("params", 0.2)
>>> budget.limit(whole=20_000_000), str(budget)
(4000000.0, '20 % of its parameters')

Parameters and multiply-accumulates are counted in torch, batch norms included, Fusable layers as what replaces them; bytes are
those of the exported fp32 file; latency is the median of one face on one thread in ONNX Runtime, here and now. None depends on
the weights' values, so a net of fresh weights is exported in place of the real one.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from facelet.measure.efficiency.latency import bench
from facelet.models import model_file
from facelet.models.model_file import InputInfo, ModelInfo
from facelet.nets import NetSpec
from facelet.shrink.export import to_onnx
from facelet.text import amount, megabytes, milliseconds

Kind = Literal["ratio", "params", "bytes", "macs", "latency_ms"]
KINDS: tuple[Kind, ...] = get_args(Kind)
METADATA = 4096
"""Bytes of a file that are set aside for what it says about itself."""
REPEATS, SECONDS = 3, 0.5
"""A file is timed as so many models side by side, so long each; the median of them counts."""


@dataclass(frozen=True)
class Budget:
    """Attributes: kind; asked: channels' share to remove, milliseconds, a number, or below 1 a share of the original's."""

    kind: Kind
    asked: float

    def limit(self, whole: float) -> float:
        """What is allowed, where the original costs ``whole``; for ``ratio`` both are channels."""
        if self.kind == "ratio":
            return (1 - self.asked) * whole
        return self.asked * whole if self.asked < 1 and self.kind != "latency_ms" else self.asked

    def figure(self, cost: float) -> str:
        """A cost in words: "3.94 M parameters"."""
        if self.kind == "bytes":
            return megabytes(cost)
        if self.kind == "latency_ms":
            return milliseconds(cost)
        return f"{amount(cost)} {_NAMES[self.kind]}"

    def __str__(self) -> str:
        if self.kind == "ratio":
            return f"{100 * (1 - self.asked):g} % of its channels"
        if self.asked < 1 and self.kind != "latency_ms":
            return f"{100 * self.asked:g} % of its {_NAMES[self.kind]}"
        return self.figure(self.asked)


_NAMES = {"ratio": "channels", "params": "parameters", "macs": "MACs", "bytes": "bytes"}


def file_bytes(spec: NetSpec) -> int:
    """Of the model file of a net of ``spec``, with room for its metadata."""
    return _file_bytes(spec.to_json())


@functools.lru_cache(maxsize=256)  # a plan and its run ask the same
def _file_bytes(text: str) -> int:
    with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
        return _exported(NetSpec.from_json(text), Path(folder)).stat().st_size + METADATA


def file_latency(spec: NetSpec) -> float:
    """Milliseconds for one face by a net of ``spec``, on one thread of this machine."""
    with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
        path = _exported(spec, Path(folder))
        return statistics.median(row.p50_ms for row in bench([path] * REPEATS, seconds=SECONDS))


def _exported(spec: NetSpec, folder: Path) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = spec.build().eval()
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.ndim == 1:  # equal ones would be kept once
                torch.nn.init.uniform_(tensor, 0.5, 1.5)
    info = ModelInfo(
        task="expression" if spec.classes else "identity",
        labels=tuple(map(str, range(spec.classes))),
        input=InputInfo(size=spec.size, channels=spec.channels, mean=spec.mean, std=spec.std),  # type: ignore[arg-type]
    )
    path = folder / "net.onnx"
    model_file.write(to_onnx(net, spec), info, path)
    return path
