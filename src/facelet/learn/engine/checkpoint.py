"""The files of a running training (``plan.json``, ``state.pt`` and ``curves.csv``) and its checkpoints.

>>> folder = TrainingFolder(job.folder, fingerprint)
>>> folder.save_state({...}); folder.load_state()

``state.pt`` is torch's format, read with ``weights_only=True``: tensors and plain numbers, never code. Each file is written under
a temporary name and renamed. ``curves.csv`` is rewritten from the points in the state, so that it never holds points that a resumed
training has undone.

``Checkpoints`` saves and loads the state between steps. The time of a checkpoint does not change the result: one process on a CPU
resumes bit for bit from any step. On a GPU sums differ in their last bits from call to call; with several processes the training
loss of an interrupted lap is the first process's share of it.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import torch

from facelet.errors import FaceletError
from facelet.io import files
from facelet.learn.device.precision import Precision
from facelet.learn.engine.schedule import Schedule

CURVES = ("epoch", "step", "seconds", "lr", "train_loss", "val_loss", "val_accuracy")


@dataclass(frozen=True)
class CurvePoint:
    """A row of ``curves.csv`` after ``step`` steps; ``train_loss`` is the mean since the previous row."""

    epoch: float
    step: int
    seconds: float
    lr: float
    train_loss: float
    val_loss: float
    val_accuracy: float


class TrainingFolder:
    """The files of one training. ``fingerprint``: hash of everything that determines the training.

    Raises FaceletError when the folder belongs to a training with another fingerprint.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = folder, fingerprint
        self.state_path, self.plan_path = folder / "state.pt", folder / "plan.json"
        self.curves_path, self.result_path = folder / "curves.csv", folder / "result.json"
        self.net_path, self.stopped_path = folder / "net.safetensors", folder / "stopped.json"
        if self.plan_path.exists() and files.read_json(self.plan_path).get("training") != fingerprint:
            raise FaceletError(
                f"{folder} holds a training with other settings, faces or seed, which cannot be continued with these: "
                "choose another --out, or delete that folder"
            )

    def result(self) -> dict[str, float] | None:
        """The result of a finished training, or None. The net is written last."""
        return files.read_json(self.result_path) if self.net_path.exists() and self.plan_path.exists() else None

    def write_result(self, result: dict[str, float]) -> None:
        files.write_json(self.result_path, result)

    def load_plan(self) -> tuple[Schedule | None, Precision | None]:
        if not self.plan_path.exists():
            return None, None
        plan = files.read_json(self.plan_path)
        try:
            schedule = None if plan["schedule"] is None else Schedule.from_json(plan["schedule"])
            return schedule, Precision(**plan["precision"])
        except (KeyError, TypeError) as error:
            raise FaceletError(f"{self.plan_path} is damaged: {error}; delete {self.folder} to start again") from None

    def save_plan(self, schedule: Schedule | None, precision: Precision) -> None:
        files.write_json(
            self.plan_path,
            {
                "training": self.fingerprint,
                "schedule": None if schedule is None else asdict(schedule),
                "precision": asdict(precision),
            },
        )

    def load_state(self) -> dict[str, Any] | None:
        """The last state on the CPU, or None. Raises FaceletError when it is damaged."""
        if not self.state_path.exists():
            return None
        try:
            return torch.load(self.state_path, map_location="cpu", weights_only=True)
        except (RuntimeError, OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise FaceletError(f"{self.state_path} is damaged ({error}); delete {self.folder} to start again") from None

    def save_state(self, state: dict[str, Any]) -> None:
        with files.writing(self.state_path) as beside:
            try:
                torch.save(state, beside)
            except RuntimeError as error:  # torch's zip writer hides the system's error
                raise OSError(*_system_error(beside, error)) from error

    def write_curves(self, rows: list[CurvePoint]) -> None:
        lines = [",".join(CURVES)]
        lines += [",".join(f"{getattr(row, field.name):.6g}" for field in fields(row)) for row in rows]
        files.write_text(self.curves_path, "\n".join(lines) + "\n")

    def clear_state(self) -> None:
        """Removes the state, which only a resume needs."""
        self.state_path.unlink(missing_ok=True)


def _system_error(path: Path, error: Exception) -> tuple[int, str]:
    import errno
    import shutil

    full = shutil.disk_usage(path.parent).free < 1 << 20
    return (errno.ENOSPC if full else errno.EIO), str(error).splitlines()[0]


SECONDS, COST = 30.0, 30.0
"""Least time between checkpoints: this many seconds, and this many times the duration of the last checkpoint."""


class Stateful(Protocol):
    """An object with a state, as nets and optimizers have it."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


class Checkpoints:
    """Saves and loads the states of ``parts``, by name, in ``folder``."""

    def __init__(self, folder: TrainingFolder, parts: Mapping[str, Stateful]) -> None:
        self.folder, self.parts = folder, parts
        self._saved, self._cost = time.monotonic(), 0.0

    @property
    def due(self) -> bool:
        return time.monotonic() - self._saved >= max(SECONDS, COST * self._cost)

    def save(self, done: int, seconds: float, points: list[CurvePoint]) -> None:
        """Saves a checkpoint after ``done`` steps and ``seconds`` of training, with the curve so far."""
        start = time.monotonic()
        progress = {"done": done, "seconds": seconds, "points": [asdict(point) for point in points]}
        self.folder.save_state({**progress, **{name: part.state_dict() for name, part in self.parts.items()}})
        self._saved = time.monotonic()
        self._cost = self._saved - start

    def load(self) -> tuple[int, float, list[CurvePoint]]:
        """Loads the last checkpoint into the parts; returns its steps, seconds and curve, or (0, 0, []) without one."""
        state = self.folder.load_state()
        if state is None:
            return 0, 0.0, []
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        return state["done"], state["seconds"], [CurvePoint(**point) for point in state["points"]]
