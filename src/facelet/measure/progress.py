"""Progress bar over the faces that a net answers: a large net takes minutes for a test split.

>>> with faces_bar("student", total=7178, console=console) as advance:
...     replace(model, after_batch=advance).probabilities(images)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Advance = Callable[[int], object]
"""Callback with the number of faces that were answered since the last call."""


@contextmanager
def faces_bar(label: str, total: int, console: Console | None) -> Iterator[Advance]:
    """Context with a progress bar of ``total`` faces; yields the function that advances it.

    Nothing is drawn without a console, and on one that is no terminal.
    """
    if console is None or not console.is_terminal:
        yield lambda faces: None
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("faces"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console, refresh_per_second=4, transient=True) as bar:
        task = bar.add_task(escape(label), total=total)
        yield lambda faces: bar.advance(task, faces)
