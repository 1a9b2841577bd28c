"""`facelet eval`: evaluates a model file on one split of a source of faces.

>>> result = evaluate_file("student-int8.onnx", "ferplus:ferplus.zip")
>>> result.all.accuracy, result.all.accuracy_low, result.all.accuracy_high
"""

from __future__ import annotations

import json

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facelet.errors import FaceletError, unknown
from facelet.faces import SPLITS, FaceSet, Protocol, load
from facelet.faces.faceset import annotator_agreement
from facelet.faces.inspect.leaks import identical_to_train
from facelet.faces.loading import has_pairs
from facelet.measure import pair_evaluation
from facelet.measure.classification import Classification, evaluate
from facelet.measure.metrics.scores import BINS, Scores
from facelet.models import model_file
from facelet.runtime.model import Model


def evaluate_model(model: Model, faces: FaceSet, split: str = "test") -> Classification:
    """Evaluates a model on one split of ``faces``; checks for training faces in it and records annotators and protocol."""
    some = faces.split(split)
    return evaluate(
        model.probabilities,
        some,
        model.info.labels,
        identical=identical_to_train(faces, split) if split != "train" and faces.has("train") else None,
        annotator=annotator_agreement(some),
        protocol=faces.protocol.hash,
    )


def evaluate_file(
    path: str, source: str, split: str = "test", threads: int = 0, speed: float | None = None
) -> Classification:
    """Evaluates a model file on a source of faces.

    Raises FaceletError for files and sources that cannot be read or do not fit each other.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    model = Model.load(path, threads=threads, speed=speed, fall_back=False)
    if model.info.task != "expression":
        raise FaceletError(
            f"{path} is a model for {model.info.task}, which is measured on pairs of faces, not on classes: --faces lfw:PATH"
        )
    size, channels = model.info.input.cut_size, model.info.input.channels
    return evaluate_model(model, load(source, size=size, channels=channels), split)


def command(
    model: str,
    faces: str,
    *,
    split: str,
    threads: int,
    speed: float | None,
    mirror: bool,
    as_json: bool,
    console: Console,
) -> None:
    """Prints the result of ``evaluate_file``; calls ``pair_evaluation.command`` for pairs."""
    if has_pairs(faces):
        pair_evaluation.command(
            model, faces, split=split, threads=threads, speed=speed, mirror=mirror, as_json=as_json, console=console
        )
        return
    if mirror:
        raise FaceletError("--mirror is for identity models on pairs of faces, as lfw:PATH")
    result = evaluate_file(model, faces, split, threads, speed)
    if as_json:
        print(json.dumps(result.to_json()))
        return
    show(result, console, model)
    told = model_file.read(model).protocol
    if told and (trained := Protocol.from_json(told)).hash != result.protocol:
        console.print(f"The model was made under another protocol: {escape(str(trained))}", style="yellow")
        for note in trained.notes:
            console.print(f"! {escape(note)}", style="yellow")


def show(result: Classification, console: Console, name: str = "model") -> None:
    """Prints the main metrics, then one line per class."""
    scores = result.all
    console.print(f"[bold]{escape(name)}[/] on {scores.n:,} {result.split} faces \\[protocol {result.protocol}]")
    figures = Table.grid(padding=(0, 2))
    figures.add_row("accuracy", f"[bold]{_interval(scores)}[/]", f"of {scores.n:,}, 95 % interval")
    figures.add_row("baseline", f"{scores.baseline:.1%}", f"always answering {escape(repr(scores.largest.name))}")
    figures.add_row(
        "balanced accuracy",
        f"{scores.balanced_accuracy:.1%}",
        f"mean recall of the classes, which spread by {scores.recall_spread:.1%}",
    )
    figures.add_row("calibration error", f"{scores.ece:.1%}", f"ECE, {BINS} bins")
    if not result.same_labels:
        missing = [c for c, column in zip(result.classes, result.columns, strict=True) if column < 0]
        note = f"of {result.shared.n:,}" + (f"; the model has no {escape(', '.join(missing))}" if missing else "")
        figures.add_row("shared labels only", _interval(result.shared), note)
    if result.identical is not None:
        fresh, seen = result.fresh, f"{int(result.identical.sum()):,} are identical to a train face of this source"
        told = (_interval(fresh), f"of {fresh.n:,}; {seen}") if fresh else ("none", f"all {seen}")
        figures.add_row("unseen faces only", *told)
    if result.annotator is not None:
        figures.add_row("one annotator", f"{result.annotator:.1%}", "agrees with the label")
    console.print(figures)
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("class", "faces", "recall", "95 % interval", "precision", "F1", "most often taken for"):
        left = column in ("class", "most often taken for")
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
        always = f"always answering {scores.largest.name!r}"
        console.print(f"! no better than {always} ({scores.baseline:.1%})", style="yellow", markup=False)
    if never := [row.name for row in scores.per_class if row.n and not row.recall]:
        console.print(f"! no face recognised of: {', '.join(never)}", style="yellow", markup=False)


def _interval(scores: Scores) -> str:
    return f"{scores.accuracy:.1%} ({scores.accuracy_low:.1%} to {scores.accuracy_high:.1%})"
