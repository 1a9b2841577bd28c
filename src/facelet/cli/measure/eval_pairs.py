"""`facelet eval` for identity models: prints the results on pairs of faces by LFW's protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facelet.errors import FaceletError
from facelet.text import percent

if TYPE_CHECKING:
    from facelet.faces import PairSet
    from facelet.measure.metrics.roc import OperatingPoint
    from facelet.measure.verification import PairScores
    from facelet.models.model_file import ModelInfo


def command(
    path: str,
    source: str,
    *,
    split: str,
    threads: int,
    speed: float | None,
    mirror: bool,
    as_json: bool,
    console: Console,
) -> None:
    """Prints the result of ``evaluate_pairs_model``. Raises FaceletError for unreadable or unsuitable files."""
    from facelet.faces import load_pairs
    from facelet.measure.pair_evaluation import evaluate_pairs_model, require_identity
    from facelet.runtime.model import Model

    if split != "test":
        raise FaceletError(f"split {split!r}: pairs have no splits; leave out --split, all pairs are for testing")
    model = Model.load(path, threads=threads, speed=speed, fall_back=False)
    require_identity(model)
    pairs = load_pairs(source)
    result = evaluate_pairs_model(model, pairs, mirror)
    if as_json:
        print(json.dumps(result.to_json()))
        return
    show(result, console, path, model.info, pairs)


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
