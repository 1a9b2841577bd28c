r"""Formats of a comparison: a table for the terminal, Markdown, LaTeX, CSV and JSON.

>>> FORMATS["markdown"](comparison, ["run", "model", "accuracy"])
'| run | model | accuracy, 95 % |\n|:--|:--|--:|\n| tsnet | student | 82.4 % (81.1–83.7) |\n'

Markdown and LaTeX show rounded figures with their units; CSV and JSON have the plain values of ``Comparison.records``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from facelet.measure.comparison.columns import COLUMNS, DEFAULT, chosen
from facelet.measure.comparison.compare import Comparison
from facelet.measure.ledger.exports import latex_table
from facelet.text import as_text, printable

NARROW = (
    *("verdict", "step", "seeds", "p95", "ece", "tar_1e3", "macs", "balanced", "params", "tar_1e2", "precision"),
    "change",
)
"""Columns that a narrow terminal does without, in this order. Verdicts are always below the table."""

UNBOUNDED = 10_000
"""Width at which a table is measured, in characters."""


def as_markdown(comparison: Comparison, columns: Sequence[str] = ()) -> str:
    """Returns a Markdown table, and the notes as a list."""
    names = filled(comparison, columns)
    kept = chosen(names)
    lines = [
        "| " + " | ".join(column.heading for column in kept) + " |",
        "|" + "|".join(":--" if column.left else "--:" for column in kept) + "|",
        *("| " + " | ".join(as_text(cell) for cell in cells) + " |" for cells in texts(comparison, names)),
    ]
    if comparison.notes:
        lines += ["", *(f"- {as_text(note)}" for note in comparison.notes)]
    return "\n".join(lines) + "\n"


def as_latex(comparison: Comparison, columns: Sequence[str] = ()) -> str:
    """Returns a LaTeX table (package booktabs), with the notes in its caption."""
    names = filled(comparison, columns)
    kept = chosen(names)
    runs = ", ".join(dict.fromkeys(line.run for line in comparison.lines))
    return latex_table(
        [column.heading for column in kept],
        texts(comparison, names),
        caption=". ".join([f"Models of the runs {runs}", *comparison.notes]),
        alignment="".join("l" if column.left else "r" for column in kept),
    )


def as_csv(comparison: Comparison, columns: Sequence[str] = ()) -> str:
    """Returns CSV with a header; unknown values are empty."""
    fields = [field for column in chosen(columns) for field in column.fields]
    lines = io.StringIO()
    table = csv.DictWriter(lines, fields, lineterminator="\n")
    table.writeheader()
    table.writerows(comparison.records(columns))
    return lines.getvalue()


def as_json(comparison: Comparison, columns: Sequence[str] = ()) -> str:
    """Returns JSON: ``rows``, a list of records, and ``notes``."""
    return json.dumps({"rows": comparison.records(columns), "notes": comparison.notes}, indent=1) + "\n"


FORMATS: dict[str, Callable[[Comparison, Sequence[str]], str]] = {
    "markdown": as_markdown,
    "latex": as_latex,
    "csv": as_csv,
    "json": as_json,
}
SUFFIXES = {".md": "markdown", ".tex": "latex", ".csv": "csv", ".json": "json"}
"""Format of a file, by its suffix."""


def show(comparison: Comparison, console: Console, columns: Sequence[str] = ()) -> None:
    """Prints the table, the verdicts (unless ``columns`` are chosen) and the notes.

    Without ``columns``, those of NARROW are left out until the table fits the terminal.
    """
    names = filled(comparison, columns)
    table = _table(comparison, names)
    if not columns:
        unbounded = console.options.update(max_width=UNBOUNDED)
        for name in NARROW:
            if name == "verdict" or Measurement.get(console, unbounded, table).maximum > console.width:
                names = [kept for kept in names if kept != name]
                table = _table(comparison, names)
    console.print(table)
    if not columns and (verdicts := _verdicts(comparison)).row_count:
        console.print()
        console.print(verdicts)
    for note in comparison.notes:
        console.print(f"[yellow]note[/]: {escape(printable(note))}", soft_wrap=True)


def texts(comparison: Comparison, columns: Sequence[str]) -> list[list[str]]:
    """Returns the cells of the table, row by row."""
    return [[column.text(line) for column in chosen(columns)] for line in comparison.lines]


def filled(comparison: Comparison, columns: Sequence[str] = ()) -> list[str]:
    """Returns the names of the columns to show: ``columns``, or those of DEFAULT in which at least one model has a value."""
    if columns:
        return list(columns)
    return [name for name in DEFAULT if any(COLUMNS[name].text(line) for line in comparison.lines)]


def _table(comparison: Comparison, names: Sequence[str]) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in chosen(names):
        align: Literal["left", "right"] = "left" if column.left else "right"
        table.add_column(column.heading, justify=align, no_wrap=not column.left, overflow="fold")
    for line, cells in zip(comparison.lines, texts(comparison, names), strict=True):
        shown = (escape(" ".join(printable(cell).split())) for cell in cells)
        table.add_row(*shown, style="dim" if line.summary.row.control else "")
    return table


def _verdicts(comparison: Comparison) -> Table:
    """The verdicts, each with the names of its run and model."""
    verdicts = Table.grid(padding=(0, 2))
    verdicts.add_column(overflow="fold")
    verdicts.add_column(overflow="fold")
    for line in comparison.lines:
        if line.summary.row.verdict:
            shown = (printable(text) for text in (f"{line.run}: {line.summary.row.name}", line.summary.row.verdict))
            verdicts.add_row(*map(escape, shown), style="dim" if line.summary.row.control else "")
    return verdicts
