"""Evaluation of a classifier: its predictions on one split, stored per face, and the metrics computed from them.

    >>> import numpy as np
    >>> from facelet.faces import FaceSet
    >>> images = np.array([0, 0, 255, 255], np.uint8).reshape(4, 1, 1, 1)
    >>> labels, splits, names = np.array([0, 0, 1, 1]), np.full(4, 2, np.int8), np.array(list("abcd"))
    >>> faces = FaceSet(images, labels, splits, names, ("sad", "happy"), "mine")
    >>> def predict(images):  # bright is happy
    ...     bright = images.mean((1, 2, 3)) / 255
    ...     return np.stack([bright, 1 - bright], 1)
    >>> result = evaluate(predict, faces, ("Happiness", "Sadness"))
    >>> result.all.accuracy, result.all.n, [row.recall for row in result.all.per_class]
    (1.0, 4, [1.0, 1.0])

The metrics of a split hold for faces from the same distribution only.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, unknown
from facelet.faces import SPLITS, FaceSet
from facelet.io.files import writing
from facelet.measure.metrics.calibration import cooled
from facelet.measure.metrics.intervals import Difference, paired_difference
from facelet.measure.metrics.labels import match_labels
from facelet.measure.metrics.scores import Scores, score

CHUNK = 4096
ALL = "all"
"""Name of the union of all splits, to evaluate a model on a source that it was not trained on."""
Predict = Callable[[NDArray[np.uint8]], NDArray[Any]]
"""``predict(images uint8 (N, H, W, C)) -> probabilities (N, K)``, rows sum to 1."""


@dataclass(frozen=True, eq=False)
class Classification:
    """Predictions of a classifier on one split, and their metrics.

    Attributes:
        probabilities: float32 (N, len(labels)). truth: int64 (N,), index into ``classes``.
        index: int64 (N,), position of each face in the evaluated FaceSet (faces without a label are left out).
        classes: classes of the faces. labels: labels of the model.
        protocol: hash of the faces' protocol. split: name of the split.
        identical: bool (N,), faces that are also in the training split; None when not checked.
        annotator: share of faces on which one annotator agrees with the label, or None.
    """

    probabilities: NDArray[np.float32]
    truth: NDArray[np.int64]
    index: NDArray[np.int64]
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    protocol: str
    split: str
    identical: NDArray[np.bool_] | None = None
    annotator: float | None = None

    def __post_init__(self) -> None:
        n, width = len(self.truth), len(self.labels)
        if not n:
            raise FaceletError(f"there are no labelled {self.split} faces to evaluate")
        if self.probabilities.shape != (n, width):
            raise FaceletError(
                f"the model returned shape {self.probabilities.shape} for {n} faces and {width} labels; "
                f"expected ({n}, {width})"
            )
        totals = self.probabilities.sum(1)
        if not (np.isfinite(totals).all() and self.probabilities.min() >= 0 and np.abs(totals - 1).max() < 1e-3):
            raise FaceletError(
                "the model's outputs are not probabilities: they must be finite, not negative, and sum to 1 per face"
            )
        if len(self.index) != n or (self.identical is not None and len(self.identical) != n):
            raise FaceletError(f"{len(self.index)} positions and {n} labels: every face needs both")
        if not (self.columns >= 0).any():
            raise FaceletError(
                f"the model's labels ({', '.join(self.labels)}) and the faces' classes ({', '.join(self.classes)}) "
                "have no name in common"
            )

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        """Index of the model's label for each class, int64 (len(classes),); -1 if the model has no such label."""
        return match_labels(self.classes, self.labels)

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """Predicted label of each face, int64 (N,), index into ``labels``."""
        return self.probabilities.argmax(1)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each face is classified correctly, bool (N,); False for classes that the model does not have."""
        return self.predicted == self.columns[self.truth]

    @property
    def same_labels(self) -> bool:
        return len(self.labels) == len(self.classes) and bool((self.columns >= 0).all())

    @cached_property
    def all(self) -> Scores:
        """Scores over all labelled faces."""
        return score(self.probabilities, self.truth, self.classes, self.labels)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Whether the class of each face is a label of the model, bool (N,)."""
        return (self.columns >= 0)[self.truth]

    @cached_property
    def shared(self) -> Scores:
        """Scores over faces whose class is a label of the model, with predictions restricted to the shared labels."""
        return self.among([name for name, column in zip(self.classes, self.columns, strict=True) if column >= 0]).all

    def among(self, classes: Sequence[str]) -> Classification:
        """Returns the faces of ``classes`` (names that faces and model have), with predictions restricted to these classes.

        The probabilities of a face are divided by their sum over these classes. Raises FaceletError for names that the faces or the
        model do not have, and when there are no such faces.
        """
        wanted = match_labels(tuple(classes), self.classes)
        for name, number in zip(classes, wanted, strict=True):
            if number < 0:
                raise unknown("class of the faces", name, self.classes)
            if self.columns[number] < 0:
                raise unknown("label of the model", name, self.labels)
        places = np.full(len(self.classes), -1, np.int64)
        places[wanted] = np.arange(len(wanted))
        kept = places[self.truth] >= 0
        if not kept.any():
            raise FaceletError(f"no {self.split} face has one of the classes {', '.join(classes)}")
        restricted = self.probabilities[kept][:, self.columns[wanted]].astype(np.float64) + 1e-12
        names = tuple(self.classes[number] for number in wanted)
        return replace(
            self,
            probabilities=(restricted / restricted.sum(1, keepdims=True)).astype(np.float32),
            truth=places[self.truth[kept]],
            index=self.index[kept],
            classes=names,
            labels=names,
            identical=None if self.identical is None else self.identical[kept],
            annotator=None,
        )

    @cached_property
    def fresh(self) -> Scores | None:
        """Scores over faces that are not identical to a training face; None when not checked or when there are none."""
        if self.identical is None or self.identical.all():
            return None
        kept = ~self.identical
        return score(self.probabilities[kept], self.truth[kept], self.classes, self.labels)

    @property
    def accuracy(self) -> float:
        """Accuracy over all labelled faces."""
        return self.all.accuracy

    def against(self, other: Classification) -> Difference:
        """Returns this accuracy minus that of ``other``, paired by face. Raises FaceletError for different faces."""
        if (self.protocol, self.split) != (other.protocol, other.split) or not np.array_equal(self.index, other.index):
            raise FaceletError(
                f"results on different faces cannot be compared: {self.split} of [{self.protocol}] "
                f"and {other.split} of [{other.protocol}]"
            )
        return paired_difference(self.correct, other.correct)

    def cooled(self, factor: float) -> Classification:
        """Returns a copy with all logits divided by ``factor``; ``self`` for 1."""
        return self if factor == 1 else replace(self, probabilities=cooled(self.probabilities, factor))

    def worst(self, count: int = 24) -> NDArray[np.int64]:
        """Returns the rows of the misclassified faces, most confident first, at most ``count``."""
        wrong = np.flatnonzero(~self.correct)
        return wrong[np.argsort(-self.probabilities[wrong].max(1), kind="stable")][:count]

    def to_json(self) -> dict[str, Any]:
        return {
            "split": self.split,
            "protocol": self.protocol,
            "labels": self.labels,
            "all": self.all.to_json(),
            "shared_labels_only": None if self.same_labels else self.shared.to_json(),
            "without_faces_of_training": self.fresh.to_json() if self.fresh else None,
            "faces_of_training": None if self.identical is None else int(self.identical.sum()),
            "annotator_agrees": self.annotator,
        }

    def save(self, path: str | Path) -> None:
        """Saves the predictions as ``.npz``, so that later models can be compared on the same faces."""
        names = ("probabilities", "truth", "index", "classes", "labels", "protocol", "split", "identical", "annotator")
        kept: dict[str, Any] = {n: np.array(getattr(self, n)) for n in names if getattr(self, n) is not None}
        with writing(path) as beside, beside.open("wb") as file:
            np.savez_compressed(file, **kept)

    @classmethod
    def load(cls, path: str | Path) -> Classification:
        """Loads a file that ``save`` wrote. Raises FaceletError when it is missing or of another format."""
        try:
            with np.load(path, allow_pickle=False) as kept:
                return cls(
                    kept["probabilities"],
                    kept["truth"],
                    kept["index"],
                    tuple(kept["classes"].tolist()),
                    tuple(kept["labels"].tolist()),
                    str(kept["protocol"]),
                    str(kept["split"]),
                    kept.get("identical"),
                    float(kept["annotator"]) if "annotator" in kept else None,
                )
        except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile, zlib.error) as error:
            raise FaceletError(f"cannot read the predictions in {path}: {error}") from None


def evaluate(
    predict: Predict,
    faces: FaceSet,
    model_labels: Sequence[str],
    *,
    identical: NDArray[np.bool_] | None = None,
    annotator: float | None = None,
    protocol: str | None = None,
    split: str = "",
) -> Classification:
    """Evaluates ``predict`` on all labelled faces of one split, or of ALL.

    Args:
        predict: function from uint8 images (N, H, W, C) to probabilities (N, K).
        faces: one split (``faces.split("test")``).
        model_labels: names of the K columns; matched with the faces' classes by name.
        identical: bool (len(faces),), True where the face is also in the training split
            (``faces.inspect.leaks.identical_to_train``).
        annotator: see Classification.
        protocol: hash of the whole set's protocol; default: that of ``faces``.
        split: name of the split; default: that of the faces. ALL allows faces of several splits.

    Raises FaceletError for no labelled faces, several splits, no shared label, or outputs that are not probabilities.
    """
    splits = np.unique(faces.splits)
    if len(splits) > 1 and split != ALL:
        raise FaceletError(f"{faces.source}: evaluate one split at a time, not {', '.join(SPLITS[s] for s in splits)}")
    split = split or (SPLITS[splits[0]] if len(splits) else "test")
    index = np.flatnonzero(faces.labels >= 0)
    if not len(index):
        raise FaceletError(f"{faces.source} has no labelled {split} faces to evaluate")
    match_labels(faces.classes, tuple(model_labels))
    probabilities = [
        np.asarray(predict(faces.images[index[at : at + CHUNK]]), np.float32) for at in range(0, len(index), CHUNK)
    ]
    return Classification(
        np.concatenate(probabilities),
        faces.labels[index],
        index,
        faces.classes,
        tuple(model_labels),
        protocol or faces.protocol.hash,
        split,
        None if identical is None else np.asarray(identical, bool)[index],
        annotator,
    )
