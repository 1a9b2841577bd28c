"""Cross-set rows: what an expression model reaches on data sets with other cameras, people and label sets.

>>> row = cross_set_row(evaluate_model(model, faces, "all"), faces.protocol, model.info)
>>> row.source, row.classes, row.n, row.forced.value, row.free.value, row.trained_on
('ckplus', ('anger', ..., 'surprise'), 981, 0.61, 0.49, False)

Only faces whose class the model has are counted. *Forced* restricts the prediction to the classes that faces and model share, which
is how papers compare models with other label sets; *free* lets the model answer with any of its labels, as it does in use. Two data
sets may define a class differently, so a part of the loss is the labels' and not the model's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from facelet.faces import Protocol
from facelet.measure.classification import Classification
from facelet.measure.metrics.intervals import Estimate, wilson
from facelet.measure.metrics.resampling import calibration_error
from facelet.measure.metrics.scores import Scores
from facelet.models.model_file import ModelInfo

GENERIC = frozenset({"faces", "folder", "identities"})
"""Sources that read any data set: two sets with this name may be different ones."""


@dataclass(frozen=True)
class CrossSetRow:
    """Figures of a model on a source, over the faces of the shared classes.

    Attributes:
        source, split, protocol: of the faces.
        classes: shared classes that have faces. missing: classes with faces that the model does not have.
        n: number of faces of the shared classes.
        forced: accuracy of predictions among the shared classes.
        free: accuracy of predictions among all labels of the model.
        balanced: mean recall over the shared classes, of forced predictions.
        ece: calibration error of the free predictions.
        trained_on: whether the model's training protocol names this source; None if that is not known.
    """

    source: str
    split: str
    protocol: str
    classes: tuple[str, ...]
    missing: tuple[str, ...]
    n: int
    forced: Estimate
    free: Estimate
    balanced: Estimate
    ece: Estimate
    trained_on: bool | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def cross_set_row(result: Classification, protocol: Protocol, info: ModelInfo) -> CrossSetRow:
    """Returns the row of ``result``, a model's predictions on faces of ``protocol``; ``info``: metadata of the model.

    Raises FaceletError when no face has a class among the model's labels.
    """
    forced = result.shared
    here = [row.name for row in result.all.per_class if row.n]
    shared = [row.name for row in forced.per_class if row.n]
    known = result.known
    correct = result.correct[known]
    count, n = int(correct.sum()), len(correct)
    return CrossSetRow(
        source=protocol.source,
        split=result.split,
        protocol=result.protocol,
        classes=tuple(shared),
        missing=tuple(name for name in here if name not in shared),
        n=n,
        forced=_accuracy(forced),
        free=Estimate(count / n, *wilson(count, n)),
        balanced=forced.balanced,
        ece=calibration_error(result.probabilities[known].max(1), correct),
        trained_on=trained_on(info, protocol.source),
    )


def trained_on(info: ModelInfo, source: str) -> bool | None:
    """Returns whether the training protocol in ``info`` names ``source``, or a part of it.

    None if that is not known: without a protocol, and for a source of GENERIC that the model was trained on, too.
    """
    if not info.protocol:
        return None
    common = set(Protocol.from_json(info.protocol).source.split(" + ")) & set(source.split(" + "))
    if common - GENERIC:
        return True
    return None if common else False


def _accuracy(scores: Scores) -> Estimate:
    return Estimate(scores.accuracy, scores.accuracy_low, scores.accuracy_high)
