"""Accuracy check of quantized files: validation score of a model file compared with that of its fp32 parent.

>>> guard = guard_for(model_file.read("student.onnx"), faces, "student.onnx")
>>> guard("student-int8.onnx").within(0.3, guard("student.onnx"))

For classes the score is the accuracy. For identity it is the accuracy on pairs, at the thresholds of the other folds, and the mean
cosine similarity to the parent's embeddings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.faces.pairset import draw_pairs
from facelet.measure.pair_evaluation import evaluate_pairs_model
from facelet.measure.progress import faces_bar
from facelet.models.model_file import ModelInfo
from facelet.runtime.model import Model


@dataclass(frozen=True)
class ValidationScore:
    """Validation accuracy: ``right`` of ``n`` faces or pairs; ``cosine``: mean similarity to the parent's embeddings."""

    right: int
    n: int
    cosine: float | None = None

    @property
    def share(self) -> float:
        return self.right / self.n

    @property
    def unit(self) -> str:
        return "faces" if self.cosine is None else "pairs"

    def within(self, allowance: float, of: ValidationScore, cosine: float = 0.0) -> bool:
        """Returns whether the score is at most ``allowance`` percentage points below ``of``, with at least this ``cosine``."""
        near = self.cosine is None or self.cosine >= cosine
        return near and 100 * (of.right - self.right) / self.n <= allowance + 1e-9

    def __str__(self) -> str:
        near = "" if self.cosine is None else f", cosine {self.cosine:.4f}"
        return f"{100 * self.share:.2f} %{near}"


Guard = Callable[[Path], ValidationScore]


def guard_for(info: ModelInfo, faces: FaceSet, parent: Path, console: Console | None = None) -> Guard:
    """Returns the scoring function for quantized versions of ``parent``; it draws progress bars on ``console``.

    Raises FaceletError for unsuitable ``faces``.
    """
    val = faces.split("val")
    return _of_identity(val, parent, console) if info.task == "identity" else _of_classes(val, info, console)


def _of_classes(val: FaceSet, info: ModelInfo, console: Console | None) -> Guard:
    if tuple(info.labels) != tuple(val.classes):
        raise FaceletError(
            f"{info.name} has the labels {', '.join(info.labels)}; the faces have the classes {', '.join(val.classes)}"
        )
    known = val.take(np.flatnonzero(val.labels >= 0))
    if not len(known):
        raise FaceletError(f"quantize needs labelled val faces to check the allowance, and {val.source} has none")

    def score(path: Path) -> ValidationScore:
        with faces_bar(f"{path.stem}, val", len(known), console) as advance:
            predicted = replace(Model.load(path), after_batch=advance).logits(known.images).argmax(1)
        return ValidationScore(int((predicted == known.labels).sum()), len(known))

    return score


def _of_identity(val: FaceSet, parent: Path, console: Console | None) -> Guard:
    pairs = draw_pairs(val)
    before = Model.load(parent).embeddings(pairs.images)

    def score(path: Path) -> ValidationScore:
        model = Model.load(path)
        result = evaluate_pairs_model(model, pairs, console=console)
        near = (model.embeddings(pairs.images) * before).sum(1).mean()
        return ValidationScore(int(result.correct.sum()), len(pairs), float(near))

    return score
