"""Pairs of faces: an identity model's file by LFW's protocol.

>>> result = evaluate_pairs_model(Model.load("student.onnx"), load_pairs("lfw:lfw_112.zip"))
>>> result.accuracy, result.standard_error, result.at_far(1e-3).tar
"""

from __future__ import annotations

from facelet.errors import FaceletError
from facelet.faces import PairSet
from facelet.measure.verification import PairScores, evaluate_pairs
from facelet.models.model_file import ModelInfo
from facelet.runtime.model import Model


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
