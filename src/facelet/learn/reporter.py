"""What others see of a training while it runs: the progress bar, ``curves.csv`` and, where asked for, TensorBoard.

>>> reporter = Reporter(training, console, done=0)
>>> reporter.add(point)
>>> reporter.close()
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console

from facelet.learn.engine.checkpoint import Point
from facelet.learn.engine.config import Training
from facelet.learn.engine.progress import Bar
from facelet.learn.engine.schedule import Schedule


class Reporter:
    """Opened by the first process alone. ``points``: the curve so far, of ``done`` steps."""

    def __init__(self, training: Training, console: Console | None, points: list[Point], done: int) -> None:
        self.training, self.points = training, points
        self._bar = Bar(training.name, console)
        self._bar.__enter__()
        self._board: Any = None
        if training.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(training.folder.folder / "tensorboard"), purge_step=done + 1)
        if points:
            training.folder.write_curves(points)

    def draw(self, done: int, schedule: Schedule | None, loss: Callable[[], float]) -> None:
        """Moves the bar, if there is one and it is time; asks for the loss only then."""
        if self._bar.due():
            epoch = done / self.training.batches.steps_per_epoch
            self._bar.update(step=done, total=schedule.total if schedule else None, epoch=epoch, loss=loss())

    def add(self, point: Point) -> None:
        self.points.append(point)
        self.training.folder.write_curves(self.points)
        self._bar.accuracy = point.val_accuracy
        if self._board is not None:
            for name in ("lr", "train_loss", "val_loss", "val_accuracy"):
                self._board.add_scalar(name, getattr(point, name), point.step)

    def close(self) -> None:
        """Gives the terminal back."""
        self._bar.__exit__(None, None, None)
        if self._board is not None:
            self._board.close()
