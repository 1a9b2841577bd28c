"""`facelet predict`: predicts expressions in photos or a video; prints a table, JSON or CSV and draws photos.

With ``--out`` it writes Parquet files instead, see ``batch``.

A photo without a face is not an error. An unreadable photo is reported and skipped; the command fails only if no photo can be
read.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from facelet.cli import batch, watch
from facelet.cli.options import (
    Allow,
    ClassPrior,
    Detail,
    DetectorFile,
    Every,
    Json,
    MinQuality,
    MinScore,
    Speed,
    Threads,
    TurnsChoice,
    configured_detector,
    console,
)
from facelet.cli.printing import drawings_in, drawn, print_training_notes, require_one, short_names, with_progress
from facelet.errors import FaceletError
from facelet.text import plain

if TYPE_CHECKING:
    from pathlib import Path

    from facelet.models.priors import Prior
    from facelet.runtime.analyzer import Analyzer
    from facelet.runtime.detector import Finder
    from facelet.runtime.media.predictions import Prediction


def predict(
    photos: Annotated[
        list[str],
        typer.Argument(help="Photos, folders or globs; or one video, webcam (0) or stream (rtsp://, http://)."),
    ],
    model: Annotated[
        str, typer.Option(help="Expression model: file or name; default: $FACELET_MODEL, else expression.")
    ] = "",
    detector: DetectorFile = "",
    min_score: MinScore = None,
    detail: Detail = None,
    min_quality: MinQuality = 0.0,
    turns: TurnsChoice = "",
    save: Annotated[str, typer.Option(help="Write drawn photos to this folder.")] = "",
    cropped: Annotated[bool, typer.Option("--cropped", help="Images are cropped faces; skip detection.")] = False,
    every: Every = 0.0,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    threads: Threads = 0,
    speed: Speed = None,
    prior: ClassPrior = "training",
    allow: Allow = False,
    out: Annotated[
        str,
        typer.Option(help="Write Parquet files to this folder or object store; a second run makes what is missing."),
    ] = "",
    ray: Annotated[
        str | None,
        typer.Option(
            help="With --out: work on a Ray cluster; without an address, the running one or else this machine.",
            metavar="[ADDRESS]",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Number of Ray workers; 0: one per CPU of the cluster.")] = 0,
) -> None:
    """Predict the expressions of faces in photos or a video."""
    if as_json and as_csv:
        raise FaceletError("use only one of --json and --csv")
    if cropped and min_quality:
        raise FaceletError("--min-quality is for photos, and every --cropped image gets an answer; leave it out")
    if cropped and not (min_score is None and detail is None and not turns):
        raise FaceletError("--cropped skips detection: leave out --min-score, --detail and --turns")
    from facelet.models.priors import parsed
    from facelet.runtime.media.address import is_footage

    if out or ray is not None or workers:
        if save or as_csv:
            raise FaceletError("--out writes Parquet files: leave out --save and --csv")
        given = {"score": min_score, "detail": detail, "turns": turns or None}
        batch.command(
            photos,
            out,
            model=model,
            detector=detector,
            detect={name: value for name, value in given.items() if value is not None},
            cropped=cropped,
            min_quality=min_quality,
            every=every,
            threads=threads,
            speed=speed,
            prior=parsed(prior),
            allow=allow,
            ray=ray,
            workers=workers,
            as_json=as_json,
            console=console,
        )
        return
    command(
        photos,
        model=model,
        detector=configured_detector(detector, min_score, detail, turns, is_footage(photos)),
        save=save,
        cropped=cropped,
        min_quality=min_quality,
        every=every,
        form="json" if as_json else "csv" if as_csv else "table",
        threads=threads,
        speed=speed,
        prior=parsed(prior),
        console=console,
    )


def command(
    places: Sequence[str],
    *,
    model: str = "",
    detector: Finder | str | Path = "",
    save: str = "",
    cropped: bool = False,
    min_quality: float = 0.0,
    every: float = 0.0,
    form: Literal["table", "json", "csv"] = "table",
    threads: int = 0,
    speed: float | None = None,
    prior: Prior = "training",
    console: Console,
) -> None:
    """Analyzes photos, prints the results and draws them; a video or webcam must be the only place.

    Raises FaceletError when there is no model or no readable photo.
    """
    from facelet.runtime.analyzer import Analyzer
    from facelet.runtime.media import photos
    from facelet.runtime.media.address import is_footage
    from facelet.runtime.media.predictions import predictions
    from facelet.runtime.media.video import require_every
    from facelet.runtime.model import require_task

    require_every(every)
    if is_footage(places):
        if cropped or form == "csv":
            raise FaceletError("--cropped and --csv do not work with a video; --json prints a line per frame")
        analyzer = Analyzer(model, detector, threads, speed, prior=prior, min_quality=min_quality)
        require_task(analyzer.model, "expression")
        watch.command(
            places[0], analyzer, watch.Expressions(), every=every, save=save, as_json=form == "json", console=console
        )
        return
    others: list[Path] = []
    files = photos.find(places, others)
    analyzer = Analyzer(model, detector, threads, speed, prior=prior, min_quality=min_quality)
    require_task(analyzer.model, "expression")
    drawings = drawings_in(save, files)
    print_training_notes(analyzer.model.info)
    results: list[Prediction] = []
    start = time.perf_counter()
    if form == "csv":
        _write_rows([_csv_head(analyzer)])
    found = predictions(analyzer, files, cropped)
    for result in found if form == "csv" else with_progress(found, len(files)):
        if drawings and not result.error:
            result = drawn(result, drawings)
        if result.error and len(files) > 1:
            print(f"skipped: {result.error}", file=sys.stderr)
        if form == "csv":
            _write_rows(_csv_rows(analyzer, result))
        results.append(replace(result, photo=None))  # drops the pixels: a thousand photos do not fit in memory
    seconds = time.perf_counter() - start
    for line in photos.passed_over(others):
        print(line, file=sys.stderr)
    require_one(results)
    if form == "json":
        print(json.dumps(_document(analyzer, results) | {"passed_over": [plain(str(file)) for file in others]}))
    elif form == "table":
        _show(results, seconds, save, console)


def _document(analyzer: Analyzer, results: list[Prediction]) -> dict[str, Any]:
    info = analyzer.model.info
    model = {"file": str(analyzer.model.path), "name": info.name, "labels": list(info.labels)}
    return {"model": model, "photos": [result.to_json() for result in results]}


def _csv_head(analyzer: Analyzer) -> list[str]:
    face = [
        "face",
        "left",
        "top",
        "width",
        "height",
        "score",
        "expression",
        *analyzer.model.labels,
        "quality",
        "warnings",
    ]
    return ["file", *face, "error"]


def _csv_rows(analyzer: Analyzer, result: Prediction) -> list[list[Any]]:
    """One row per face; a photo without faces, or an unreadable photo, has one row with empty fields."""
    rows = []
    for number, face in enumerate(result.faces, 1):
        values = face.to_json()
        rows.append([result.name, number, *values["box"], values["score"], face.expression])
        rows[-1] += [*values["probabilities"].values(), values["quality"], "; ".join(face.warnings), ""]
    return rows or [[result.name, *[""] * (len(_csv_head(analyzer)) - 2), result.error]]


def _write_rows(rows: list[list[Any]]) -> None:
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
    sys.stdout.flush()


def _show(results: list[Prediction], seconds: float, folder: str, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("photo", "face", "detected", "expression", "", "left, top, w x h"):
        table.add_column(title, overflow="fold", no_wrap=title != "photo")
    warn = any(face.warnings for result in results for face in result.faces)
    if warn:
        table.add_column("warnings", overflow="fold")
    names = short_names([result.name for result in results])
    for name, result in zip(names, results, strict=True):
        if result.error:
            table.add_row(Text(name), "", "", Text("cannot be read", "red"))
        elif not result.faces:
            table.add_row(Text(name), "", "", Text("no face found", "dim"))
        for number, face in enumerate(result.faces, 1):
            share = face.probabilities[face.expression] if face.expression else 0.0
            left, top, width, height = (round(value) for value in face.box)
            bar = Text("█" * max(1, round(10 * share)), "cyan") + Text(f" {share:.0%}")
            table.add_row(
                Text(name if number == 1 else ""),
                str(number),
                f"{face.score:.2f}",
                Text(face.expression or ""),
                bar,
                f"{left}, {top}, {width} x {height}",
                *[Text("; ".join(face.warnings), "yellow")] * warn,
            )
    console.print(table)
    read = [result for result in results if not result.error]
    faces, empty = sum(len(result.faces) for result in read), sum(not result.faces for result in read)
    parts = [f"{len(read)} photo{'s' * (len(read) != 1)}", f"{faces} face{'s' * (faces != 1)}"]
    parts += [f"{empty} without a face"] * bool(empty)
    parts += [f"{len(results) - len(read)} skipped"] * (len(read) < len(results))
    parts += [f"{1000 * seconds / len(results):.0f} ms per photo"]
    console.print(Text(", ".join(parts), "dim"))
    if folder:
        console.print(Text(f"drawn: {folder}{os.sep}", "dim"), soft_wrap=True)
