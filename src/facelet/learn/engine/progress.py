"""Progress of a running training: a progress bar, ``curves.csv`` and, optionally, TensorBoard.

>>> reporter = Reporter("student", folder, steps_per_epoch=195, tensorboard=False, console=console, points=[], done=0)
>>> reporter.add(point)
>>> reporter.close()

Each training has its own bar; without a terminal there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from facelet.learn.engine.checkpoint import CurvePoint, TrainingFolder
from facelet.learn.engine.schedule import Schedule

SECONDS = 0.5
"""Seconds between redraws."""


class Bar:
    """A progress bar on ``console`` (default: a new one); lines printed to the same console appear above the bar."""

    def __init__(self, name: str, console: Console | None = None) -> None:
        self._name, self._console = name, console
        self._progress: Progress | None = None
        self._drawn = 0.0
        self.accuracy: float | None = None

    def __enter__(self) -> Bar:
        console = self._console or Console()
        if console.is_terminal:
            self._progress = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(elapsed_when_finished=True),
                console=console,
                refresh_per_second=4,
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task(escape(self._name), total=None, figures="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def due(self) -> bool:
        """Whether an update would be drawn; otherwise the loss need not be read from the GPU."""
        return self._progress is not None and time.monotonic() - self._drawn >= SECONDS

    def update(self, *, step: int, total: int | None, epoch: float, loss: float) -> None:
        if self._progress is None:
            return
        self._drawn = time.monotonic()
        figures = f"epoch {epoch:.1f}  loss {loss:.3f}"
        if self.accuracy is not None:
            figures += f"  val {self.accuracy:.2%}"
        self._progress.update(self._task, completed=step, total=total, figures=figures)


class Reporter:
    """Used by the first process only. ``points``: the curve of the ``done`` steps so far, to which ``add`` appends."""

    def __init__(
        self,
        name: str,
        folder: TrainingFolder,
        steps_per_epoch: int,
        tensorboard: bool,
        console: Console | None,
        points: list[CurvePoint],
        done: int,
    ) -> None:
        self.folder, self.steps_per_epoch, self.points = folder, steps_per_epoch, points
        self._bar = Bar(name, console)
        self._bar.__enter__()
        self._board: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder.folder / "tensorboard"), purge_step=done + 1)
        if points:
            folder.write_curves(points)

    def draw(self, done: int, schedule: Schedule | None, loss: Callable[[], float]) -> None:
        """Redraws the bar when it is due; ``loss`` is called only then."""
        if self._bar.due():
            epoch = done / self.steps_per_epoch
            self._bar.update(step=done, total=schedule.total if schedule else None, epoch=epoch, loss=loss())

    def add(self, point: CurvePoint) -> None:
        self.points.append(point)
        self.folder.write_curves(self.points)
        self._bar.accuracy = point.val_accuracy
        if self._board is not None:
            for name in ("lr", "train_loss", "val_loss", "val_accuracy"):
                self._board.add_scalar(name, getattr(point, name), point.step)

    def close(self) -> None:
        """Closes the bar and TensorBoard's file."""
        self._bar.__exit__(None, None, None)
        if self._board is not None:
            self._board.close()
