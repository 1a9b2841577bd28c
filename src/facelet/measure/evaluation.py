"""A model file on one split of a source of faces.

>>> result = evaluate_file("student-int8.onnx", "ferplus:ferplus.zip")
>>> result.all.accuracy, result.all.accuracy_low, result.all.accuracy_high
"""

from __future__ import annotations

from facelet.errors import FaceletError, unknown
from facelet.faces import SPLITS, FaceSet, load
from facelet.faces.faceset import annotator_agreement
from facelet.faces.inspect.leaks import identical_to_train
from facelet.measure.classification import Classification, evaluate
from facelet.models.priors import TRAINING, Prior
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
    path: str,
    source: str,
    split: str = "test",
    threads: int = 0,
    speed: float | None = None,
    prior: Prior = TRAINING,
) -> Classification:
    """Evaluates a model file on a source of faces, for a class prior (see ``models.priors``).

    Raises FaceletError for files and sources that cannot be read or do not fit each other.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    model = Model.load(path, threads=threads, speed=speed, fall_back=False, prior=prior)
    if model.info.task != "expression":
        raise FaceletError(
            f"{path} is a model for {model.info.task}, which is measured on pairs of faces, not on classes: --faces lfw:PATH"
        )
    size, channels = model.info.input.cut_size, model.info.input.channels
    return evaluate_model(model, load(source, size=size, channels=channels), split)
