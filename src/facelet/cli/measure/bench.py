"""`facelet bench`: compares the latency of models, as a table or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from facelet import plugins
from facelet.cli.options import Allow, Json, Plugin, console
from facelet.errors import FaceletError
from facelet.text import amount, megabytes

if TYPE_CHECKING:
    from facelet.measure.efficiency.latency import Latency
    from facelet.measure.efficiency.machine import Machine


def bench(
    models: Annotated[list[str], typer.Argument(help="Model files, or names of `facelet models`.")],
    batch: Annotated[str, typer.Option(help="Batch sizes, such as 1,8.")] = "1",
    threads: Annotated[int, typer.Option(help="Number of ONNX Runtime threads.")] = 1,
    seconds: Annotated[float, typer.Option(help="Measurement time per model and batch size.")] = 2.0,
    faces: Annotated[str, typer.Option(help="Source of input faces; default: random noise.")] = "",
    allow: Allow = False,
    as_json: Json = False,
    plugin: Plugin = None,
) -> None:
    """Compare the latency of models: p50, p95 and mean of interleaved runs, with a description of the machine."""
    plugins.load_files(plugin or [])
    from facelet.measure.efficiency import latency, machine
    from facelet.models.bundled import found

    try:
        batches = [int(size) for size in batch.split(",")]
    except ValueError:
        raise FaceletError(f"--batch {batch!r} should be numbers, such as 1,8") from None
    images = latency.timing_faces(faces) if faces else None
    where, rows = (
        machine.machine(),
        latency.bench([found(model) for model in models], batches, threads, seconds, faces=images),
    )
    if as_json:
        print(json.dumps(bench_json(rows, where)))
    else:
        console.print(bench_table(rows, where))


def bench_table(rows: Sequence[Latency], where: Machine) -> Table:
    """Table of the rows, with the machine and its warning as caption."""
    threads = sorted({row.threads for row in rows})
    table = Table(
        title=f"{', '.join(map(str, threads))} thread{'s' if threads != [1] else ''}, {sum(row.n for row in rows):,} runs",
        caption=f"{where}; load of other processes: {where.load:.1f} cores"
        + (f"\nwarning: {where.warning}" if where.warning else ""),
        title_justify="left",
        caption_justify="left",
        box=None,
        pad_edge=False,
        collapse_padding=True,  # leaves 22 characters for names in 80 columns
        header_style="dim",
    )
    table.add_column("model", overflow="fold")
    for heading in ("batch", "p50 ms", "p95 ms", "mean ms", "faces/s", "params", "MACs", "file"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            f"{row.name} ({row.precision})" if row.precision not in row.name else row.name,
            str(row.batch),
            f"{row.p50_ms:.3f}",
            f"{row.p95_ms:.3f}",
            f"{row.mean_ms:.3f}",
            f"{row.faces_per_second:,.0f}",
            amount(row.params),
            amount(row.macs),
            megabytes(row.bytes),
        )
    return table


def bench_json(rows: Sequence[Latency], where: Machine) -> dict[str, Any]:
    """JSON values of the rows and the machine."""
    return {
        "machine": {**asdict(where), "flags": list(where.flags), "warning": where.warning},
        "models": [{**asdict(row), "faces_per_second": row.faces_per_second} for row in rows],
    }
