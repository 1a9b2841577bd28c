"""What a training shows while it runs: a progress bar, ``curves.csv`` and, where asked for, TensorBoard.

>>> reporter = Reporter("student", folder, steps_per_epoch=195, tensorboard=False, console=console, points=[], done=0)
>>> reporter.add(point)
>>> reporter.close()

There is one bar per training, and none without a terminal.
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
"""Between redraws."""


class Bar:
    """Draws on ``console`` (one's own when None), so that lines printed to it appear above the bar."""

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
        """Whether anyone would see an update: the loss need not leave the GPU otherwise."""
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
    """Opened by the first process alone. ``points``: the curve so far, of ``done`` steps; ``add`` appends to it."""

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
        """Moves the bar, if there is one and it is time; asks for the loss only then."""
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
        """Gives the terminal back."""
        self._bar.__exit__(None, None, None)
        if self._board is not None:
            self._board.close()
