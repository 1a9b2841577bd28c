"""The report of a run: a self-contained HTML file with metrics, costs, plots and errors of all models.

>>> write_report("runs/tsnet/report.html", title="T-SNet", ledger=ledger, protocol=faces.protocol,
...              evaluations={"student": result}, faces=faces.split("test"), curves={"student": rows})

The file has no scripts and loads nothing: plots are inline SVG, faces are data URIs. All text is escaped, because names come from
users.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from facelet.errors import FaceletError
from facelet.faces import FaceSet, PairSet, Protocol
from facelet.io import files
from facelet.measure.classification import Classification
from facelet.measure.ledger.ledger import Ledger, Summary
from facelet.measure.ledger.table import about_pairs, accuracy, change, headline, legend
from facelet.measure.metrics.scores import Scores
from facelet.measure.report import plots
from facelet.measure.report.curves import AXES, roc_plot, trade
from facelet.measure.report.mistakes import embedded, wrong_faces, wrong_pairs
from facelet.measure.report.svg import SERIES
from facelet.measure.verification import PairScores
from facelet.text import amount, duration, hundredths, megabytes, milliseconds, percent, points, signed

MODELS_COMPARED = 5
UNIT = re.compile(r"([\d.]) (?=%|[MGk]B?\b|ms\b|s\b|points\b)")  # keeps a number and its unit on one line
FILTERS: dict[str, Any] = {
    "percent": percent,
    "amount": amount,
    "megabytes": megabytes,
    "milliseconds": milliseconds,
    "duration": duration,
    "points": points,
    "signed": signed,
    "hundredths": hundredths,
    "accuracy": accuracy,
    "change": change,
    "bound": lambda text: UNIT.sub("\\1\u00a0", text),
}


def write_report(
    path: str | Path,
    *,
    title: str,
    ledger: Ledger,
    protocol: Protocol,
    evaluations: Mapping[str, Classification | PairScores],
    faces: FaceSet | PairSet,
    curves: Mapping[str, plots.Curve] | None = None,
    stopping: Mapping[str, plots.Curve] | None = None,
    trained: float = 0.0,
    made: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    paper: str = "",
    about: str = "",
    machine: str = "",
    recipe_text: str = "",
    command: str = "",
    notes: Sequence[str] = (),
) -> None:
    """Writes ``report.html`` atomically.

    Args:
        path: file to write.
        title: heading of the report.
        ledger: rows of the run.
        protocol: protocol of the faces.
        evaluations: by model name, on ``faces``; a single seed per model. All for classes, or all for pairs.
        faces: the evaluated split or pairs, at any size.
        curves: rows of ``curves.csv`` by model name; further seeds as "NAME-s1".
        stopping: operating points of early-exit models, see ``curves.trade``.
        trained: total seconds of training; 0: sum over the ledger's rows.
        made: quality of synthetic faces by step: per class ``Quality.to_json`` with a ``picture``, the path of a PNG.
        paper: citation of the method.
        about: what is from the paper and what was chosen here.
        machine: where latency was measured.
        recipe_text: the resolved recipe as YAML.
        command: command line that repeats the run.
        notes: further notes to show.

    Raises FaceletError when an evaluation is not on ``faces``, or the file cannot be written.
    """
    for name, result in evaluations.items():
        if not _are_of(result, faces):
            raise FaceletError(
                f"the predictions of {name!r} are not on the {len(faces):,} faces or pairs given to the report"
            )
    pairs = {name: result for name, result in evaluations.items() if isinstance(result, PairScores)}
    classes = {name: result for name, result in evaluations.items() if isinstance(result, Classification)}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= FILTERS
    template = environment.from_string(resources.files(__package__).joinpath("report.html.j2").read_text("utf-8"))
    summaries = ledger.summaries()
    numbers = plots.colours(summaries)
    shown = [s.row.name for s in summaries if not s.row.control and s.row.name in evaluations]
    shown += [name for name in evaluations if name not in numbers]
    numbers = {**{name: len(numbers) + k for k, name in enumerate(shown)}, **numbers}
    compared = shown if len(shown) <= MODELS_COMPARED else [shown[0], *shown[1 - MODELS_COMPARED :]]
    first, small = ledger.ends() or (None, None)
    inspected = small.row.name if small and small.row.name in evaluations else next(iter(shown), "")
    annotator = next((r.annotator for r in classes.values() if r.annotator is not None), None)
    detailed = [(name, classes[name]) for name in compared if name in classes]
    text = template.render(
        title=title,
        paper=paper,
        about=about,
        headline=headline(ledger),
        small=small,
        first=first,
        lead=ledger.lead(),
        summaries=summaries,
        bars=_bars(summaries),
        numbers={name: number % SERIES for name, number in numbers.items()},
        legend=legend(ledger),
        about_pairs=about_pairs(ledger),
        roc=_drawn(roc_plot({name: pairs[name] for name in compared if name in pairs}, numbers)),
        protocol=protocol,
        machine=machine,
        recipe=recipe_text,
        command=command,
        notes=[*notes, *ledger.notes()],
        trained=trained or sum(row.seconds for row in ledger.rows),
        annotator=annotator,
        pareto=_drawn(
            plots.pareto(summaries, "p50_ms", "latency p50, ms per face (log)", annotator),
            plots.pareto(summaries, "bytes", "file size, MB (log)", annotator),
        ),
        # Separate colours: among many models, the early-exit ones could share a colour.
        stopping=_drawn(
            *(trade(stopping or {}, {name: k for k, name in enumerate(stopping or {})}, axis) for axis in AXES)
        ),
        made={
            name: [{**row, "picture": embedded(row["picture"])} for row in rows] for name, rows in (made or {}).items()
        },
        learning=_drawn(
            plots.learning_curves(curves or {}, summaries, "val_accuracy", "validation accuracy, %"),
            plots.learning_curves(curves or {}, summaries, "train_loss", "training loss"),
        ),
        recall=_recall({name: result.all for name, result in detailed}),
        confusions=[(name, result.all, _shares(result.all)) for name, result in detailed],
        reliability=[
            (name, result.all, Markup(plots.reliability_diagram(result, numbers[name]))) for name, result in detailed
        ],
        others=[
            (name, result) for name, result in classes.items() if result.identical is not None or not result.same_labels
        ],
        wrong_name=inspected,
        wrong_count=int((~evaluations[inspected].correct).sum()) if inspected else 0,
        wrong=wrong_faces(classes[inspected], faces) if inspected in classes and isinstance(faces, FaceSet) else [],
        wrong_pairs=wrong_pairs(pairs[inspected], faces) if inspected in pairs and isinstance(faces, PairSet) else [],
    )
    files.write_text(path, text)


def _drawn(*drawings: str) -> list[Markup]:
    """Returns the plots that are not empty, marked as safe HTML: matplotlib has escaped their text."""
    return [Markup(svg) for svg in drawings if svg]


def _bars(summaries: Sequence[Summary]) -> dict[str, tuple[float, float, float]]:
    """Returns low end, centre and high end of each model's interval, in percent of a common scale."""
    rows = [summary.row for summary in summaries]
    if not rows:
        return {}
    low, high = min(row.accuracy_low for row in rows), max(row.accuracy_high for row in rows)
    room = max(high - low, 1e-6)
    return {
        row.name: (
            100 * (row.accuracy_low - low) / room,
            100 * (row.accuracy - low) / room,
            100 * (row.accuracy_high - low) / room,
        )
        for row in rows
    }


def _recall(scores: Mapping[str, Scores]) -> dict[str, Any]:
    """Returns the data of the recall chart: start of its scale and, per class, largest first, each model's ClassScore."""
    if not scores:
        return {}
    first = next(iter(scores.values()))
    order = sorted((k for k, row in enumerate(first.per_class) if row.n), key=lambda k: -first.per_class[k].n)
    lowest = min(each.per_class[k].recall_low for each in scores.values() for k in order)
    rows = [[(name, each.per_class[k]) for name, each in scores.items()] for k in order]
    return {"start": 20 * int(5 * lowest), "rows": rows, "names": list(scores)}


def _shares(scores: Scores) -> list[list[float]]:
    """Returns the confusion matrix with rows normalized to 1."""
    return (scores.confusion / np.maximum(scores.confusion.sum(1, keepdims=True), 1)).tolist()


def _are_of(result: Classification | PairScores, faces: FaceSet | PairSet) -> bool:
    if isinstance(result, PairScores):
        return isinstance(faces, PairSet) and faces.protocol.hash == result.protocol
    return (
        isinstance(faces, FaceSet)
        and result.index.max() < len(faces)
        and np.array_equal(faces.labels[result.index], result.truth)
    )
