"""What the training loop trains: the contract between engine.loop and the trainings that it runs.

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
    """What a training found at the end of a lap.

    Attributes:
        lr: of the last step.
        val_loss, val_accuracy: None where nothing is validated, and the curves get no point.
        batches: that settled the batch norms.
        trouble: why the training must go back to an earlier state, or "".
    """

    lr: float = 0.0
    val_loss: float | None = None
    val_accuracy: float = 0.0
    batches: int = 0
    trouble: str = ""


class Trainable(Protocol):
    """What a loop trains. ``done``: optimizer steps so far; ``schedule``: None while the first steps are timed."""

    def start(self, fabric: Fabric) -> Mapping[str, Stateful]:
        """Moves everything to the device; returns the parts of a checkpoint."""

    def resume(self, done: int) -> None:
        """Called once the parts hold the state after ``done`` steps, before the first step."""

    def step(self, done: int, schedule: Schedule | None) -> tuple[Tensor, Tensor | None]:
        """Takes one step; returns the loss, and the gradient's norm where it is known."""

    def ends_lap(self, done: int, schedule: Schedule) -> bool:
        """Whether a lap ends here; true after the last step."""

    def lap(self, done: int, schedule: Schedule) -> Lap:
        """Validates, or looks whether the training has diverged."""

    def costs(self, done: int) -> tuple[float, float]:
        """Seconds of a batch that settles the batch norms, and of a validation."""

    def recover(self, trouble: str) -> tuple[int, str]:
        """Restores an earlier state; returns its step and a line for the user. Raises FaceletError where it cannot."""

    def finish(self, spent: dict[str, float]) -> None:
        """Writes the result, then the net. Called in the first process."""

    def close(self) -> None:
        """Gives back the GPU's memory, however the training ended."""


@dataclass(frozen=True)
class LoopOptions:
    """What the loop has to know of a training.

    Attributes:
        name: for messages. folder: of plan, checkpoints and curves.
        batch: faces of a step, over all processes.
        counts: ``steps_per_epoch``, and the numbers of ``train`` and ``val`` faces.
        schedule: None when ``seconds`` are given and the first steps are to be timed.
        seconds: of training, or None.
        warmup: share of the steps in which the learning rate rises, for a schedule that is still to be planned.
        precision: kept in ``plan.json``.
        tensorboard: whether event files are written, too.
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
