"""A model file on sources of faces.

>>> result = evaluate_file("student-int8.onnx", "ferplus:ferplus.zip")
>>> result.all.accuracy, result.all.accuracy_low, result.all.accuracy_high
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from facelet.errors import FaceletError, unknown
from facelet.faces import SPLITS, FaceSet, load
from facelet.faces.faceset import annotator_agreement
from facelet.faces.inspect.leaks import identical_to_train
from facelet.measure.classification import ALL, Classification, evaluate
from facelet.measure.cross_set import CrossSetRow, cross_set_row, trained_on
from facelet.measure.progress import faces_bar
from facelet.models.model_file import ModelInfo
from facelet.models.priors import TRAINING, Prior
from facelet.runtime.model import Model


def evaluate_model(model: Model, faces: FaceSet, split: str = "test", console: Console | None = None) -> Classification:
    """Evaluates a model on one split of ``faces``, or on ALL of them.

    Checks for training faces in the split, and records annotators and protocol. ``console``: where a progress bar is drawn.
    """
    some = faces if split == ALL else faces.split(split)
    checked = split in ("val", "test") and faces.has("train")
    with faces_bar(f"{model.path.stem}, {split}", int((some.labels >= 0).sum()), console) as advance:
        return evaluate(
            replace(model, after_batch=advance).probabilities,
            some,
            model.info.labels,
            identical=identical_to_train(faces, split) if checked else None,
            annotator=annotator_agreement(some),
            protocol=faces.protocol.hash,
            split=split,
        )


def evaluate_file(
    path: str,
    source: str,
    split: str = "test",
    threads: int = 0,
    speed: float | None = None,
    prior: Prior = TRAINING,
    console: Console | None = None,
) -> Classification:
    """Evaluates a model file on a source of faces, for a class prior (see ``models.priors``).

    ``console``: where a progress bar is drawn.

    Raises FaceletError for files and sources that cannot be read or do not fit each other.
    """
    _require_split(split)
    model = _expression_model(path, threads, speed, prior)
    return evaluate_model(model, _faces_for(model, source), split, console)


def evaluate_sources(
    path: str,
    sources: Sequence[str],
    split: str = "",
    threads: int = 0,
    speed: float | None = None,
    classes: Sequence[str] = (),
    prior: Prior = TRAINING,
    console: Console | None = None,
) -> list[CrossSetRow]:
    """Evaluates a model file on several sources of faces; a row per source, in their order.

    Args:
        path: model file, or the name of a bundled model.
        sources: written sources.
        split: see SPLITS and ALL; default: ALL of a source that the model's training protocol does not name, else test.
        threads: see ``Model.load``.
        speed: see ``Model.load``.
        classes: only faces of these classes, and predictions among them; default: all.
        prior: see ``Model.load``.
        console: where progress bars are drawn.

    Raises FaceletError as ``evaluate_file``.
    """
    _require_split(split or ALL)
    model = _expression_model(path, threads, speed, prior)
    rows = []
    for source in sources:
        faces = _faces_for(model, source)
        result = evaluate_model(model, faces, split or part_of(model.info, faces.source, "test"), console)
        rows.append(cross_set_row(result.among(classes) if classes else result, faces.protocol, model.info))
    return rows


def part_of(info: ModelInfo, source: str, split: str) -> str:
    """Returns the part of a source to measure a model on: ``split``, or ALL if the training protocol does not name the source."""
    return ALL if trained_on(info, source) is False else split


def _require_split(split: str) -> None:
    if split not in (*SPLITS, ALL):
        raise unknown("split", split, (*SPLITS, ALL))


def _expression_model(path: str, threads: int, speed: float | None, prior: Prior) -> Model:
    model = Model.load(path, threads=threads, speed=speed, fall_back=False, prior=prior)
    if model.info.task != "expression":
        raise FaceletError(
            f"{path} is a model for {model.info.task}, which is measured on pairs of faces, not on classes: --faces lfw:PATH"
        )
    return model


def _faces_for(model: Model, source: str) -> FaceSet:
    """The faces of a source, as the model takes them."""
    return load(source, size=model.info.input.cut_size, channels=model.info.input.channels)
