"""Trainable: the interface between engine.loop and a training.

>>> class SupervisedTraining:  # a Trainable
...     def step(self, done, schedule): ...
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from facelet.learn.device.precision import Precision
from facelet.learn.engine.checkpoint import Stateful, TrainingFolder
from facelet.learn.engine.fabric import Fabric
from facelet.learn.engine.schedule import Schedule


@dataclass(frozen=True)
class Lap:
    """Result of a lap.

    Attributes:
        lr: learning rate of the last step.
        val_loss: validation loss, or None without a validation; the curves then get no point.
        val_accuracy: validation accuracy.
        batches: number of batches that settled the batch norms.
        trouble: why the training must go back to an earlier state, or "".
    """

    lr: float = 0.0
    val_loss: float | None = None
    val_accuracy: float = 0.0
    batches: int = 0
    trouble: str = ""


class Trainable(Protocol):
    """A training that Loop can run. ``done``: optimizer steps so far; ``schedule``: None while the first steps are timed."""

    def start(self, fabric: Fabric) -> Mapping[str, Stateful]:
        """Moves everything to the device; returns the parts of a checkpoint."""

    def resume(self, done: int) -> None:
        """Called once the parts hold the state after ``done`` steps, before the first step."""

    def step(self, done: int, schedule: Schedule | None) -> tuple[Tensor, Tensor | None]:
        """Takes one step; returns the loss, and the gradient's norm where it is known."""

    def ends_lap(self, done: int, schedule: Schedule) -> bool:
        """Whether a lap ends here; true after the last step."""

    def lap(self, done: int, schedule: Schedule) -> Lap:
        """Validates, or checks whether the training has diverged."""

    def costs(self, done: int) -> tuple[float, float]:
        """Seconds of one batch that settles the batch norms, and of one validation."""

    def recover(self, trouble: str) -> tuple[int, str]:
        """Restores an earlier state; returns its step and a line for the user. Raises FaceletError when it cannot."""

    def finish(self, spent: dict[str, float]) -> None:
        """Writes the result, then the net. Called in the first process."""

    def close(self) -> None:
        """Frees the GPU's memory; called also after an error."""


@dataclass(frozen=True)
class LoopOptions:
    """Options of the loop.

    Attributes:
        name: name of the training, for messages.
        folder: folder of plan, checkpoints and curves.
        batch: faces per step, over all processes.
        counts: ``steps_per_epoch``, and the numbers of ``train`` and ``val`` faces.
        schedule: None when ``seconds`` are given and the first steps are to be timed.
        seconds: time budget of the training, or None.
        precision: saved in ``plan.json``.
        warmup: share of the steps in which the learning rate rises, for a schedule that is still to be planned.
        tensorboard: whether to write event files too.
    """

    name: str
    folder: TrainingFolder
    batch: int
    counts: Mapping[str, int]
    schedule: Schedule | None
    seconds: float | None
    precision: Precision
    warmup: float = 0.1
    tensorboard: bool = False
