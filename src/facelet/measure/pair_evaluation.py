"""`facelet eval` on pairs: evaluates an identity model with LFW's protocol.

>>> result = evaluate_pairs_model(Model.load("student.onnx"), load_pairs("lfw:lfw_112.zip"))
>>> result.accuracy, result.standard_error, result.at_far(1e-3).tar
"""

from __future__ import annotations

import json

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facelet.errors import FaceletError
from facelet.faces import PairSet, load_pairs
from facelet.measure.metrics.roc import OperatingPoint
from facelet.measure.verification import PairScores, evaluate_pairs
from facelet.models.model_file import ModelInfo
from facelet.runtime.model import Model
from facelet.text import percent


def evaluate_pairs_model(model: Model, pairs: PairSet, mirror: bool = False) -> PairScores:
    """Evaluates a model on ``pairs``, see ``evaluate_pairs``. Raises FaceletError unless it is an identity model."""
    require_identity(model)
    return evaluate_pairs(model.logits, framed(pairs, model.info), mirror=mirror)


def framed(pairs: PairSet, info: ModelInfo) -> PairSet:
    """Returns ``pairs`` at the model's input size and channels and, for five-point alignment, with the model's crop margin."""
    return pairs.fitted(
        info.input.cut_size, info.input.channels, info.crop.margin if info.crop.align == "five-points" else None
    )


def require_identity(model: Model) -> None:
    """Raises FaceletError unless ``model`` is an identity model."""
    if model.info.task != "identity":
        raise FaceletError(
            f"{model.path} is a model for {model.info.task}; pairs of faces are for identity models: "
            "measure it on faces with classes, as --faces ferplus:PATH"
        )


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
    """Prints the result of ``evaluate_pairs_model``. Raises FaceletError for files and sources that do not fit."""
    if split != "test":
        raise FaceletError(f"split {split!r}: pairs have no splits; they are all for testing, so leave --split out")
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
    """Prints the main metrics, the rates at the model file's threshold, and warnings."""
    told = escape(str(pairs.protocol)) if pairs else f"\\[protocol {result.protocol}]"
    console.print(f"[bold]{escape(name)}[/] on {len(result.same):,} pairs: {told}")
    figures = Table.grid(padding=(0, 2))
    figures.add_row("accuracy", f"[bold]{_accuracy(result)}[/]", _folds(result))
    alike = float(max(result.same.mean(), 1 - result.same.mean()))
    figures.add_row("baseline", f"{100 * alike:.2f} %", "answering all pairs alike")
    for far in result.supported:
        point = result.at_far(far)
        figures.add_row(f"TAR at FAR {_rate(far)}", _tar(point), f"of {point.same:,}; {_accepted(point)}")
    figures.add_row("equal error rate", percent(result.eer, 2), f"area under the curve {result.auc:.4f}")
    if info and info.threshold is not None:
        point = result.at_threshold(info.threshold)
        figures.add_row("the file's threshold", _tar(point), f"TAR at FAR {percent(point.far, 2)}: {_accepted(point)}")
    if result.mirrored:
        figures.add_row("with mirror images", _accuracy(result.mirrored), "their embeddings added: two passes a face")
        for far in result.mirrored.supported:
            point = result.mirrored.at_far(far)
            figures.add_row(f"  TAR at FAR {_rate(far)}", _tar(point), f"threshold {point.threshold:.4f}")
    console.print(figures)
    different = int((~result.same).sum())
    console.print(f"{different:,} pairs of two people say nothing of a FAR below {_rate(result.smallest_far)}.")
    notes = list(pairs.notes) if pairs else []
    if info and info.crop.align != "five-points":
        notes.append(f"the model cuts faces from photos by {info.crop.align}; these are aligned by five points")
    if result.interval[0] <= alike:
        notes.append("no better than answering all pairs alike")
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
    return f"threshold {point.threshold:.4f} accepts {point.accepted:,} of {point.different:,} pairs of two people"


def _rate(far: float) -> str:
    return f"{100 * far:.2g} %"
