"""One progress bar a training: where it is, its loss and validation accuracy, when it ends. Silent without a terminal.

>>> with Bar("student", console=None) as bar:
...     bar.update(step=10, total=100, epoch=0.5, loss=1.9)
"""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

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
