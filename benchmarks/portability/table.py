"""Prints the results of one model in 80 columns: figures, processors, and runtimes that failed."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facelet.text import percent, signed
from portability.scores import Row


def show(found: dict[str, Any], console: Console) -> None:
    """Prints ``found``, the result of ``measured`` in portability.py."""
    rows = [Row(**row) for row in found["rows"]]
    ran = [row for row in rows if not row.reason]
    title = f"[bold]{escape(found['model'])}[/] ({found['precision']}) on {escape(found['faces'])}"
    console.print(f"\n{title}", highlight=False)
    right = found["reference_accuracy"]
    threshold = "" if found["threshold"] is None else f", same person above a cosine of {found['threshold']:.4f}"
    told = "" if right is None else f": {percent(right)} correct{threshold}"
    console.print(f"reference: {escape(found['reference'])} in this machine's ONNX Runtime{told}", highlight=False)
    if ran:
        console.print(_figures(ran, found["task"] == "expression"), _places(ran, found["asked"]), highlight=False)
    for row in rows:
        if row.reason:
            console.print(f"{row.runtime} failed: {escape(row.reason)}", style="yellow", highlight=False)
    changes = {row.runtime: row.change for row in ran if row.change is not None}
    if len(changes) > 1:
        low, high = min(changes, key=changes.__getitem__), max(changes, key=changes.__getitem__)
        spread = f"from {signed(changes[low])} ({low}) to {signed(changes[high])} ({high}) points from the reference"
        told = "the same in all runtimes" if changes[low] == changes[high] else spread
        console.print(f"accuracy: {told}", highlight=False)


def _figures(rows: list[Row], expression: bool) -> Table:
    """One line per runtime. A change whose interval excludes zero is yellow."""
    table = Table(box=None, pad_edge=False, header_style="dim", collapse_padding=True)
    table.add_column("runtime", no_wrap=True)
    middle = ("agree", "mean diff") if expression else ("cosine", "least")
    for title in ("accuracy %, 95 %", "change", *middle, "max diff", "p50 ms"):
        table.add_column(title, justify="right")
    for row in rows:
        changed = row.change is not None and (row.change_low > 0 or row.change_high < 0)
        if expression:
            cells = [percent(row.agreement), f"{row.mean:.2g}"]
        else:
            cells = [f"{row.cosine:.4f}", f"{row.least_cosine:.4f}"]
        table.add_row(
            row.runtime,
            "" if row.accuracy is None else f"{100 * row.accuracy:.1f} ({100 * row.low:.1f}–{100 * row.high:.1f})",
            "" if row.change is None else f"[yellow]{signed(row.change)}[/]" if changed else signed(row.change),
            *cells,
            f"{row.largest:.2g}",
            "not timed" if row.p50_ms is None else f"{row.p50_ms:.2f}",
        )
    return table


def _places(rows: list[Row], asked: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("runtime", no_wrap=True)
    table.add_column("version", overflow="fold")
    table.add_column("processor", overflow="fold")
    for row in rows:
        few = f"; {row.n} of {asked} faces within the time limit" if row.n < asked else ""
        table.add_row(row.runtime, escape(row.version), escape(f"{row.where}{few}"))
    return table
