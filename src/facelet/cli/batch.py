"""`facelet predict --out DIR`: many photos and videos to Parquet files, in one process or with ``--ray`` on many machines."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from facelet.cli.options import errors
from facelet.errors import FaceletError
from facelet.text import duration, plain

if TYPE_CHECKING:
    from facelet.batch.job import JobSummary
    from facelet.batch.parts import PartResult
    from facelet.models.priors import Prior

RAY = "--ray"
_ADDRESS = re.compile(r"|auto|local|ray://.+|[\w.-]+:\d+|\[[0-9a-fA-F:]+\]:\d+")


class OptionalRayAddress(typer.core.TyperCommand):
    """A command whose option --ray may stand without its value: Typer has no such options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, with_address(args))


def with_address(args: Sequence[str]) -> list[str]:
    """The arguments with an empty address after a --ray that is not followed by one."""
    completed: list[str] = []
    for place, word in enumerate(args):
        completed.append(word)
        if word == "--":
            return [*completed, *args[place + 1 :]]
        following = args[place + 1] if place + 1 < len(args) else None
        if word == RAY and (following is None or not _ADDRESS.fullmatch(following)):
            completed.append("")
    return completed


def command(
    places: Sequence[str],
    out: str,
    *,
    model: str = "",
    detector: str = "",
    detect: Mapping[str, Any],
    cropped: bool = False,
    min_quality: float = 0.0,
    every: float = 0.0,
    threads: int = 0,
    speed: float | None = None,
    prior: Prior = "training",
    allow: bool = False,
    ray: str | None = None,
    workers: int = 0,
    as_json: bool = False,
    console: Console,
) -> None:
    """Runs the job and prints its summary. Raises FaceletError when none of the files can be read."""
    from facelet.batch.job import require_packages, run
    from facelet.batch.predictor import FacePredictor
    from facelet.runtime.media import photos

    if ray is not None and not _ADDRESS.fullmatch(ray):
        raise FaceletError(f"--ray {ray}: expected an address HOST:PORT or ray://HOST:PORT, or nothing")
    if not out:
        raise FaceletError("--ray writes Parquet files: also give --out DIR")
    if workers and ray is None:
        raise FaceletError("--workers is for --ray; without it one process works, with --threads")
    require_packages(ray is not None)
    predictor = FacePredictor(
        model,
        detector,
        detect=detect,
        cropped=cropped,
        min_quality=min_quality,
        threads=threads or (0 if ray is None else 1),
        speed=speed,
        prior=prior,
        allow=allow,
    )
    if predictor.task != "expression":
        raise FaceletError(f"{model} is a model for {predictor.task}; expected a model for expression")
    summary = run(places, out, predictor, ray=ray, workers=workers, every=every, progress=_with_progress)
    for line in photos.passed_over([Path(name) for name in summary.passed_over]):
        print(line, file=sys.stderr)
    if summary.unread + summary.broken == summary.files:
        count = f"none of the {summary.files} files can be read; " * (summary.files > 1)
        raise FaceletError(count + summary.error)
    if as_json:
        print(json.dumps({"out": plain(out), **asdict(summary)}))
    else:
        console.print(_text(summary, out), style="dim", markup=False, soft_wrap=True)


def _text(summary: JobSummary, out: str) -> str:
    fresh = summary.files - summary.done_before
    parts = [f"{fresh:,} file{'s' * (fresh != 1)} in {duration(summary.seconds)}", f"{summary.faces:,} faces"]
    parts += [f"{summary.done_before:,} done before"] * bool(summary.done_before)
    parts += [f"{summary.broken:,} that cannot be decoded, see the column error"] * bool(summary.broken)
    parts += [f"{summary.unread:,} that could not be read, which the next run tries again"] * bool(summary.unread)
    parts += [f"{summary.removed:,} out-of-date parts deleted"] * bool(summary.removed)
    parts += [f"{len(summary.hosts)} machines"] * (len(summary.hosts) > 1)
    return f"{', '.join(parts)}: {plain(out)}"


def _with_progress(results: Iterable[PartResult], files: int, done: int) -> Iterator[PartResult]:
    """Adds a progress bar on standard error if it is a terminal."""
    if not sys.stderr.isatty():
        yield from results
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    look = TextColumn("files"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*look, console=errors, transient=True) as bar:
        task = bar.add_task("files", total=files, completed=done)
        for result in results:
            bar.update(task, advance=result.files)
            yield result
