"""`facelet eval` for identity models: prints the results on pairs of faces by LFW's protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facelet.cli.options import errors
from facelet.errors import FaceletError
from facelet.text import percent

if TYPE_CHECKING:
    from facelet.faces import PairSet
    from facelet.measure.metrics.roc import OperatingPoint
    from facelet.measure.verification import PairScores
    from facelet.models.model_file import ModelInfo


def command(
    path: str,
    sources: Sequence[str],
    *,
    split: str,
    threads: int,
    speed: float | None,
    mirror: bool,
    conditions: bool,
    as_json: bool,
    console: Console,
) -> None:
    """Prints the result of ``evaluate_pairs_model`` on one source, or a table of several, and tables by condition.

    Raises FaceletError for unreadable or unsuitable files.
    """
    from facelet.faces import load_pairs
    from facelet.measure.pair_conditions import EYES, eye_distance, pair_conditions
    from facelet.measure.pair_evaluation import evaluate_pairs_model, require_identity
    from facelet.runtime.model import Model

    if split != "test":
        raise FaceletError(f"split {split!r}: pairs have no splits; leave out --split, all pairs are for testing")
    model = Model.load(path, threads=threads, speed=speed, fall_back=False)
    require_identity(model)
    results: list[tuple[str, PairScores]] = []
    by_source: dict[str, dict[str, PairScores]] = {}
    for source in sources:
        pairs = load_pairs(source)
        result = evaluate_pairs_model(model, pairs, mirror, errors)
        results.append((source, result))
        if conditions:
            found = pair_conditions(model, pairs, errors)
            by_source[source] = {each.name: each.scores for each in found}
        if as_json:
            continue
        if len(sources) == 1:
            show(result, console, path, model.info, pairs)
        if conditions:
            console.print(f"\n[bold]{escape(source)}[/], both faces changed")
            console.print(table(list(by_source[source].items()), model.info.threshold, "condition"))
            if left := [str(eyes) for eyes in EYES if eyes > round(eye_distance(pairs))]:
                console.print(
                    f"these faces are too small to measure {' and '.join(left)} px between the eyes", style="dim"
                )
    if as_json:
        values = [
            _json(source, result, by_source.get(source, {}))
            for source, (_, result) in zip(sources, results, strict=True)
        ]
        print(json.dumps(values[0] if len(values) == 1 else values))
    elif len(sources) > 1:
        console.print(f"\n[bold]{escape(path)}[/]")
        console.print(table(results, model.info.threshold, "source"))


def _json(source: str, result: PairScores, conditions: Mapping[str, PairScores]) -> dict[str, Any]:
    shown = {name: scores.to_json() for name, scores in conditions.items()}
    return {"source": source, **result.to_json(), **({"conditions": shown} if shown else {})}


def table(results: Sequence[tuple[str, PairScores]], threshold: float | None, heading: str) -> Table:
    """Table with a row per source or condition: accuracy, TAR at each FAR of FARS, and both rates at the file's ``threshold``."""
    from facelet.measure.verification import FARS

    rows = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    rows.add_column(heading, overflow="fold")
    headings = ["pairs", "accuracy", *(f"TAR at FAR {_rate(far)}" for far in FARS), "EER"]
    headings += ["TAR", "FAR at the file's threshold"] if threshold is not None else []
    for name in headings:
        rows.add_column(name, justify="right")
    for name, result in results:
        cells = [f"{len(result.same):,}", _accuracy(result)]
        cells += [_tar(result.at_far(far)) if far in result.supported else "" for far in FARS]
        cells.append(percent(result.eer, 2))
        if threshold is not None:
            point = result.at_threshold(threshold)
            cells += [_tar(point), f"{percent(point.far, 2)} ({100 * point.far_low:.2f}–{100 * point.far_high:.2f})"]
        rows.add_row(escape(name), *cells)
    return rows


def show(
    result: PairScores,
    console: Console,
    name: str = "model",
    info: ModelInfo | None = None,
    pairs: PairSet | None = None,
) -> None:
    """Prints the main metrics, the results at the threshold stored in the model file, and warnings."""
    source = escape(str(pairs.protocol)) if pairs else f"\\[protocol {result.protocol}]"
    console.print(f"[bold]{escape(name)}[/] on {len(result.same):,} pairs: {source}")
    figures = Table.grid(padding=(0, 2))
    figures.add_row("accuracy", f"[bold]{_accuracy(result)}[/]", _folds(result))
    baseline = float(max(result.same.mean(), 1 - result.same.mean()))
    figures.add_row("baseline", f"{100 * baseline:.2f} %", "predicting the same for all pairs")
    for far in result.supported:
        point = result.at_far(far)
        figures.add_row(f"TAR at FAR {_rate(far)}", _tar(point), f"of {point.same:,}; {_accepted(point)}")
    figures.add_row("equal error rate", percent(result.eer, 2), f"area under the curve {result.auc:.4f}")
    if info and info.threshold is not None:
        point = result.at_threshold(info.threshold)
        figures.add_row("the file's threshold", _tar(point), f"TAR at FAR {percent(point.far, 2)}: {_accepted(point)}")
    if result.mirrored:
        figures.add_row("with mirror images", _accuracy(result.mirrored), "sum of both embeddings: two passes per face")
        for far in result.mirrored.supported:
            point = result.mirrored.at_far(far)
            figures.add_row(f"  TAR at FAR {_rate(far)}", _tar(point), f"threshold {point.threshold:.4f}")
    console.print(figures)
    different = int((~result.same).sum())
    console.print(
        f"{different:,} pairs of different people are too few to measure a FAR below {_rate(result.smallest_far)}."
    )
    notes = list(pairs.notes) if pairs else []
    if info and info.crop.align != "five-points":
        notes.append(f"the model crops photos by {info.crop.align}; these faces are aligned by five points")
    if result.interval[0] <= baseline:
        notes.append("no better than predicting the same for all pairs")
    for note in notes:
        console.print(f"! {escape(note)}", style="yellow")


def _accuracy(result: PairScores) -> str:
    return f"{100 * result.accuracy:.2f} ± {100 * result.standard_error:.2f} %"


def _folds(result: PairScores) -> str:
    low, high = min(result.thresholds), max(result.thresholds)
    return (
        f"mean and standard error of {len(result.thresholds)} folds, each at the threshold of the others "
        f"({low:.4f} to {high:.4f})"
    )


def _tar(point: OperatingPoint) -> str:
    return f"{percent(point.tar, 2)} ({100 * point.tar_low:.2f} to {100 * point.tar_high:.2f})"


def _accepted(point: OperatingPoint) -> str:
    return (
        f"threshold {point.threshold:.4f} accepts {point.accepted:,} of {point.different:,} pairs of different people"
    )


def _rate(far: float) -> str:
    return f"{100 * far:.2g} %"
