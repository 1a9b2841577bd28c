"""`facelet eval`: evaluates a model file on a split of labelled faces, or on pairs by LFW's protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facelet import plugins
from facelet.cli import eval_pairs
from facelet.cli.options import Allow, ClassPrior, Json, Plugin, Speed, Threads, console
from facelet.errors import FaceletError

if TYPE_CHECKING:
    from facelet.measure.classification import Classification
    from facelet.measure.metrics.scores import Scores


def evaluate(
    model: Annotated[str, typer.Argument(help="A model file, or the name of a bundled model.")],
    faces: Annotated[
        str, typer.Option(help="Source of labelled faces; for an identity model, pairs such as lfw:PATH.")
    ],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    mirror: Annotated[
        bool, typer.Option("--mirror", help="For pairs: also evaluate with the embeddings of mirror images added.")
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
        threads=threads,
        speed=speed,
        mirror=mirror,
        prior=prior,
        as_json=as_json,
        console=console,
    )


def command(
    model: str,
    faces: str,
    *,
    split: str,
    threads: int,
    speed: float | None,
    mirror: bool,
    prior: str = "training",
    as_json: bool,
    console: Console,
) -> None:
    """Prints the result of ``evaluate_file``, or calls ``eval_pairs.command`` if the faces are pairs."""
    from facelet.faces import Protocol
    from facelet.faces.loading import has_pairs
    from facelet.measure.evaluation import evaluate_file
    from facelet.models import bundled, model_file
    from facelet.models.priors import TRAINING, parsed

    if has_pairs(faces):
        if prior != TRAINING:
            raise FaceletError("--prior is about classes; pairs of faces have none")
        eval_pairs.command(
            model, faces, split=split, threads=threads, speed=speed, mirror=mirror, as_json=as_json, console=console
        )
        return
    if mirror:
        raise FaceletError("--mirror requires an identity model and pairs of faces, such as lfw:PATH")
    result = evaluate_file(model, faces, split, threads, speed, parsed(prior))
    if as_json:
        print(json.dumps(result.to_json()))
        return
    show(result, console, model)
    protocol = model_file.read(bundled.found(model)).protocol
    if protocol and (trained := Protocol.from_json(protocol)).hash != result.protocol:
        console.print(f"The model was trained with another protocol: {escape(str(trained))}", style="yellow")
        for note in trained.notes:
            console.print(f"! {escape(note)}", style="yellow")


def show(result: Classification, console: Console, name: str = "model") -> None:
    """Prints the main metrics, then a table with a row per class."""
    from facelet.measure.metrics.scores import BINS

    scores = result.all
    console.print(f"[bold]{escape(name)}[/] on {scores.n:,} {result.split} faces \\[protocol {result.protocol}]")
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


def _interval(scores: Scores) -> str:
    return f"{scores.accuracy:.1%} ({scores.accuracy_low:.1%} to {scores.accuracy_high:.1%})"
