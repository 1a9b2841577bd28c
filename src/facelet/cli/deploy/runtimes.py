"""The table of `facelet bench --runtimes`: models in several runtimes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from facelet.cli.options import console, errors
from facelet.text import megabytes, percent

if TYPE_CHECKING:
    from facelet.deploy.comparison import Comparison, RuntimeRow
    from facelet.measure.efficiency.machine import Machine


def command(
    models: Sequence[str],
    runtimes: str,
    *,
    faces: str,
    limit: int,
    threads: int,
    seconds: float,
    as_json: bool,
) -> None:
    """Prints the result of ``compare``; ``runtimes``: comma-separated names, or "all"."""
    from facelet.deploy import TARGETS
    from facelet.deploy.comparison import ONNX, compare
    from facelet.measure.efficiency import machine

    names = [ONNX, *TARGETS] if runtimes == "all" else [name.strip() for name in runtimes.split(",") if name.strip()]
    where = machine.machine()
    with errors.status("starting") as status:
        found = compare(
            models,
            names,
            faces=faces,
            limit=limit,
            threads=threads,
            seconds=seconds,
            say=lambda text: status.update(escape(text)),
        )
    if as_json:
        print(json.dumps(runtimes_json(found, where)))
    else:
        console.print(runtimes_table(found, where, threads))


def runtimes_table(found: Comparison, where: Machine, threads: int) -> Table:
    """Table of the rows, with the faces as title and the machine as caption."""
    table = Table(
        title=f"{found.faces or 'without faces'}; {threads} thread{'s' if threads != 1 else ''}",
        caption=f"{where}; load of other processes: {where.load:.1f} cores"
        + (f"\nwarning: {where.warning}" if where.warning else ""),
        title_justify="left",
        caption_justify="left",
        box=None,
        pad_edge=False,
        header_style="dim",
    )
    table.add_column("model", overflow="fold")
    table.add_column("runtime", overflow="fold")
    for heading in ("size", "accuracy", "agreement", "gate", "p50 ms", "p95 ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in found.rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: RuntimeRow) -> list[str]:
    name = f"{row.model} ({row.precision})" if row.precision not in row.model else row.model
    accuracy = ""
    if row.accuracy is not None and row.low is not None and row.high is not None:
        accuracy = f"{percent(row.accuracy)} ({100 * row.low:.1f}-{100 * row.high:.1f})"
    gate = "" if row.passed is None else f"{'passed' if row.passed else 'FAILED'} {row.deviation:.2g}"
    return [
        escape(name),
        escape(row.version or row.runtime),
        megabytes(row.bytes) if row.bytes else "",
        accuracy,
        "" if row.agreement is None else percent(row.agreement, 2),
        gate,
        "" if row.p50_ms is None else f"{row.p50_ms:.3f}",
        "" if row.p95_ms is None else f"{row.p95_ms:.3f}",
        escape(row.reason),
    ]


def runtimes_json(found: Comparison, where: Machine) -> dict[str, Any]:
    """JSON values of the rows and the machine."""
    return {
        "machine": {**asdict(where), "flags": list(where.flags), "warning": where.warning},
        "faces": found.faces,
        "rows": [asdict(row) for row in found.rows],
    }
