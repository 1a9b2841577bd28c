"""Budgets of a pruned net: channels, parameters, file size, MACs or latency.

>>> budget = Budget("params", 0.2)
>>> budget.limit(whole=20_000_000), str(budget)
(4000000.0, '20 % of its parameters')

Parameters and multiply-accumulates are counted in torch, with batch norms and with Fusable layers in fused form; bytes are the size
of the exported fp32 file; latency is the median for one face on one thread in ONNX Runtime on this machine. None depends on the
values of the weights, so a net with random weights is exported for the measurement.
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
"""Bytes reserved for the file's metadata."""
REPEATS, SECONDS = 3, 0.5
"""Number of interleaved timings of a file, and seconds of each; their median counts."""


@dataclass(frozen=True)
class Budget:
    """A limit of one kind.

    Attributes:
        kind: what is limited.
        asked: for "ratio" the share of channels to remove, for "latency_ms" milliseconds, otherwise an absolute number or, below
            1, a share of the original's.
    """

    kind: Kind
    asked: float

    def limit(self, whole: float) -> float:
        """Returns the absolute limit; ``whole``: cost of the original net (for "ratio": its channels)."""
        if self.kind == "ratio":
            return (1 - self.asked) * whole
        return self.asked * whole if self.asked < 1 and self.kind != "latency_ms" else self.asked

    def figure(self, cost: float) -> str:
        """Returns a cost as text: "3.94 M parameters"."""
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
    """Returns the size of the model file of a net of ``spec``, including METADATA."""
    return _file_bytes(spec.to_json())


@functools.lru_cache(maxsize=256)  # the plan and the run need the same values
def _file_bytes(text: str) -> int:
    with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
        return _exported(NetSpec.from_json(text), Path(folder)).stat().st_size + METADATA


def file_latency(spec: NetSpec) -> float:
    """Returns the milliseconds for one face of a net of ``spec``, on one thread of this machine."""
    with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
        path = _exported(spec, Path(folder))
        return statistics.median(row.p50_ms for row in bench([path] * REPEATS, seconds=SECONDS))


def _exported(spec: NetSpec, folder: Path) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = spec.build().eval()
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.ndim == 1:  # the exporter would store equal tensors only once
                torch.nn.init.uniform_(tensor, 0.5, 1.5)
    info = ModelInfo(
        task="expression" if spec.classes else "identity",
        labels=tuple(map(str, range(spec.classes))),
        input=InputInfo(size=spec.size, channels=spec.channels, mean=spec.mean, std=spec.std),  # type: ignore[arg-type]
    )
    path = folder / "net.onnx"
    model_file.write(to_onnx(net, spec), info, path)
    return path
