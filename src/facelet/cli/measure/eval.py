"""`facelet eval`: evaluates a model file on a split of labelled faces, or on pairs by LFW's protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facelet import plugins
from facelet.cli.measure import eval_pairs
from facelet.cli.options import Allow, ClassPrior, Json, Plugin, Speed, Threads, console, errors
from facelet.errors import FaceletError
from facelet.text import percent

if TYPE_CHECKING:
    from facelet.measure.classification import Classification
    from facelet.measure.cross_set import CrossSetRow
    from facelet.measure.metrics.intervals import Estimate
    from facelet.measure.metrics.scores import Scores


def evaluate(
    model: Annotated[str, typer.Argument(help="A model file, or the name of a bundled model.")],
    faces: Annotated[
        list[str],
        typer.Option(
            help="Source of labelled faces; for an identity model, pairs such as lfw:PATH. Repeat it for a row per source."
        ),
    ],
    split: Annotated[
        str,
        typer.Option(
            help="train, val, test or all; default: test. Of several sources, all of those that the model was not trained on."
        ),
    ] = "",
    classes: Annotated[
        str,
        typer.Option(help="Only faces of these classes, with predictions among them, such as anger,fear,happiness."),
    ] = "",
    mirror: Annotated[
        bool, typer.Option("--mirror", help="For pairs: also evaluate with the embeddings of mirror images added.")
    ] = False,
    conditions: Annotated[
        bool,
        typer.Option(
            "--conditions", help="For pairs: also evaluate on small faces, by eye distance, and on grey ones."
        ),
    ] = False,
    threads: Threads = 0,
    speed: Speed = None,
    prior: ClassPrior = "training",
    allow: Allow = False,
    as_json: Json = False,
    plugin: Plugin = None,
) -> None:
    """Evaluate a model: accuracy with interval, per class, calibration; identity models: LFW protocol, TAR at FAR."""
    plugins.load_files(plugin or [])
    command(
        model,
        faces,
        split=split,
        classes=[name.strip() for name in classes.split(",") if name.strip()],
        threads=threads,
        speed=speed,
        mirror=mirror,
        conditions=conditions,
        prior=prior,
        as_json=as_json,
        console=console,
    )


def command(
    model: str,
    faces: Sequence[str],
    *,
    split: str,
    classes: Sequence[str],
    threads: int,
    speed: float | None,
    mirror: bool,
    conditions: bool,
    prior: str = "training",
    as_json: bool,
    console: Console,
) -> None:
    """Prints all figures on one source, or a table of several; calls ``eval_pairs.command`` if the faces are pairs."""
    from facelet.faces import Protocol
    from facelet.faces.loading import has_pairs
    from facelet.measure.evaluation import evaluate_file, evaluate_sources
    from facelet.models import bundled, model_file
    from facelet.models.priors import TRAINING, parsed

    paired = [has_pairs(source) for source in faces]
    if any(paired) and prior != TRAINING:
        raise FaceletError("--prior is about classes; pairs of faces have none")
    if all(paired) and not classes:
        eval_pairs.command(
            model,
            faces,
            split=split or "test",
            threads=threads,
            speed=speed,
            mirror=mirror,
            conditions=conditions,
            as_json=as_json,
            console=console,
        )
        return
    if any(paired):
        other = "--classes is for expression models" if all(paired) else "give sources of faces, or of pairs"
        raise FaceletError(f"pairs, such as {faces[paired.index(True)]}, are for identity models; {other}")
    if mirror or conditions:
        option = "--mirror" if mirror else "--conditions"
        raise FaceletError(f"{option} requires an identity model and pairs of faces, such as lfw:PATH")
    if len(faces) > 1:
        rows = evaluate_sources(model, faces, split, threads, speed, classes, parsed(prior), errors)
        if as_json:
            print(json.dumps([row.to_json() for row in rows]))
        else:
            show_sources(rows, console, model)
        return
    result = evaluate_file(model, faces[0], split or "test", threads, speed, parsed(prior), errors)
    if classes:
        result = result.among(classes)
    if as_json:
        print(json.dumps(result.to_json()))
        return
    show(result, console, model)
    protocol = model_file.read(bundled.found(model)).protocol
    if protocol and (trained := Protocol.from_json(protocol)).hash != result.protocol:
        console.print(f"The model was trained with another protocol: {escape(str(trained))}", style="yellow")
        for note in trained.notes:
            console.print(f"! {escape(note)}", style="yellow")


def show_sources(rows: Sequence[CrossSetRow], console: Console, name: str = "model") -> None:
    """Prints a table with a row per source: accuracy, balanced accuracy and calibration error with their 95 % intervals."""
    console.print(f"[bold]{escape(name)}[/] on faces of the classes that source and model share")
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    headings = ("source", "classes", "faces", "accuracy, forced", "all labels", "balanced", "calibration error")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "source" else "right", overflow="fold")
    for row in rows:
        known = f"{len(row.classes)} of {len(row.classes) + len(row.missing)}"
        figures = (_estimate(figure) for figure in (row.forced, row.free, row.balanced, row.ece))
        table.add_row(escape(f"{row.source}, {row.split}"), known, f"{row.n:,}", *figures)
    console.print(table)
    console.print(
        "forced, balanced: predictions among the shared classes; all labels, calibration error: among the model's labels",
        style="dim",
    )


def _estimate(figure: Estimate) -> str:
    return f"{percent(figure.value)} ({100 * figure.low:.1f}–{100 * figure.high:.1f})"


def show(result: Classification, console: Console, name: str = "model") -> None:
    """Prints the main metrics, then a table with a row per class."""
    from facelet.measure.metrics.scores import BINS

    scores = result.all
    console.print(f"[bold]{escape(name)}[/] on {scores.n:,} {_of(result.split)} \\[protocol {result.protocol}]")
    figures = Table.grid(padding=(0, 2))
    figures.add_row("accuracy", f"[bold]{_interval(scores)}[/]", f"of {scores.n:,}, 95 % interval")
    figures.add_row("baseline", f"{scores.baseline:.1%}", f"always predicting {escape(repr(scores.largest.name))}")
    figures.add_row(
        "balanced accuracy",
        f"{scores.balanced_accuracy:.1%}",
        f"mean recall of the classes, spread {scores.recall_spread:.1%}",
    )
    figures.add_row("calibration error", f"{scores.ece:.1%}", f"ECE, {BINS} bins")
    if not result.same_labels:
        missing = [c for c, column in zip(result.classes, result.columns, strict=True) if column < 0]
        note = f"of {result.shared.n:,}" + (f"; the model has no {escape(', '.join(missing))}" if missing else "")
        figures.add_row("shared labels only", _interval(result.shared), note)
    if result.identical is not None:
        fresh, copies = result.fresh, f"{int(result.identical.sum()):,} are identical to a train face of this source"
        unseen = (_interval(fresh), f"of {fresh.n:,}; {copies}") if fresh else ("none", f"all {copies}")
        figures.add_row("unseen faces only", *unseen)
    if result.annotator is not None:
        figures.add_row("one annotator", f"{result.annotator:.1%}", "agrees with the label")
    console.print(figures)
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("class", "faces", "recall", "95 % interval", "precision", "F1", "most often confused with"):
        left = column in ("class", "most often confused with")
        table.add_column(column, justify="left" if left else "right", no_wrap=not left, overflow="fold")
    for k, row in enumerate(scores.per_class):
        others = scores.confusion[k].copy()
        others[k] = 0
        taken = f"{escape(scores.labels[others.argmax()])} ({others.max() / row.n:.0%})" if others.any() else ""
        table.add_row(
            escape(row.name),
            f"{row.n:,}",
            f"{row.recall:.1%}" if row.n else "",
            f"{row.recall_low:.1%} to {row.recall_high:.1%}" if row.n else "",
            "" if row.precision is None else f"{row.precision:.1%}",
            f"{row.f1:.1%}" if row.n else "",
            taken,
        )
    console.print(table)
    if not scores.beats_baseline:
        always = f"always predicting {scores.largest.name!r}"
        console.print(f"! no better than {always} ({scores.baseline:.1%})", style="yellow", markup=False)
    if never := [row.name for row in scores.per_class if row.n and not row.recall]:
        console.print(f"! no face recognized of: {', '.join(never)}", style="yellow", markup=False)


def _of(split: str) -> str:
    return "faces of all splits" if split == "all" else f"{split} faces"


def _interval(scores: Scores) -> str:
    return f"{scores.accuracy:.1%} ({scores.accuracy_low:.1%} to {scores.accuracy_high:.1%})"
