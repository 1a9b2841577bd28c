"""Pairs of faces: an identity model's file by LFW's protocol.

>>> result = evaluate_pairs_model(Model.load("student.onnx"), load_pairs("lfw:lfw_112.zip"))
>>> result.accuracy, result.standard_error, result.at_far(1e-3).tar
"""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from facelet.errors import FaceletError
from facelet.faces import PairSet
from facelet.measure.progress import faces_bar
from facelet.measure.verification import PairScores, evaluate_pairs
from facelet.models.model_file import ModelInfo
from facelet.runtime.model import Model


def evaluate_pairs_model(
    model: Model, pairs: PairSet, mirror: bool = False, console: Console | None = None
) -> PairScores:
    """Evaluates a model on ``pairs``, see ``evaluate_pairs``. ``console``: where a progress bar is drawn.

    Raises FaceletError unless it is an identity model.
    """
    require_identity(model)
    fitted = framed(pairs, model.info)
    with faces_bar(f"{model.path.stem}, faces of pairs", len(fitted.images) * (2 if mirror else 1), console) as advance:
        return evaluate_pairs(replace(model, after_batch=advance).logits, fitted, mirror=mirror)


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
