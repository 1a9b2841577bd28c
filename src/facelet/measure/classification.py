"""Classification, measured: a model's answers on one split, kept face by face, and the figures that follow.

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

One split tells how a model does on faces like those; it does not tell how it does on others.
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

from facelet.errors import FaceletError
from facelet.faces import SPLITS, FaceSet
from facelet.io.files import writing
from facelet.measure.metrics.calibration import cooled
from facelet.measure.metrics.intervals import Difference, paired_difference
from facelet.measure.metrics.labels import match_labels
from facelet.measure.metrics.scores import Scores, score

CHUNK = 4096
Predict = Callable[[NDArray[np.uint8]], NDArray[Any]]
"""``predict(images uint8 (N, H, W, C)) -> probabilities (N, K)``, rows sum to 1."""


@dataclass(frozen=True, eq=False)
class Classification:
    """A model's answers on one split, and what follows from them.

    Attributes:
        probabilities: float32 (N, len(labels)). truth: int64 (N,), index into ``classes``.
        index: int64 (N,), position of each face in the FaceSet that was evaluated (faces without a label are left out).
        classes: of the faces. labels: of the model.
        protocol: hash of the faces' protocol. split: its name.
        identical: bool (N,), faces that are also in training, or None when not looked for.
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
                f"the model gave answers of shape {self.probabilities.shape} for {n} faces and {width} labels; "
                f"({n}, {width}) was expected"
            )
        totals = self.probabilities.sum(1)
        if not (np.isfinite(totals).all() and self.probabilities.min() >= 0 and np.abs(totals - 1).max() < 1e-3):
            raise FaceletError(
                "the model's answers are not probabilities: they must be finite, not negative, and sum to 1 per face"
            )
        if len(self.index) != n or (self.identical is not None and len(self.identical) != n):
            raise FaceletError(f"{len(self.index)} positions and {n} labels: every face needs both")
        if not (self.columns >= 0).any():
            raise FaceletError(
                f"the model's labels ({', '.join(self.labels)}) and the faces' classes ({', '.join(self.classes)}) "
                "share no name"
            )

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        """int64 (len(classes),): the model's label of each class, -1 where it has none."""
        return match_labels(self.classes, self.labels)

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """int64 (N,): index into ``labels``."""
        return self.probabilities.argmax(1)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """bool (N,): a face whose class the model lacks is wrong."""
        return self.predicted == self.columns[self.truth]

    @property
    def same_labels(self) -> bool:
        return len(self.labels) == len(self.classes) and bool((self.columns >= 0).all())

    @cached_property
    def all(self) -> Scores:
        """Over all labelled faces."""
        return score(self.probabilities, self.truth, self.classes, self.labels)

    @cached_property
    def shared(self) -> Scores:
        """Over faces of classes that the model knows, its answers restricted to the shared labels."""
        known = np.flatnonzero(self.columns >= 0)
        kept = (self.columns >= 0)[self.truth]
        if not kept.any():
            raise FaceletError(f"no {self.split} face is of a class that the model knows ({', '.join(self.labels)})")
        restricted = self.probabilities[kept][:, self.columns[known]].astype(np.float64)
        restricted = (restricted + 1e-12) / (restricted + 1e-12).sum(1, keepdims=True)
        names = tuple(self.classes[k] for k in known)
        return score(restricted, np.searchsorted(known, self.truth[kept]), names, names)

    @cached_property
    def fresh(self) -> Scores | None:
        """Over the faces that are not identical to a training face; None when not looked for or when there are none."""
        if self.identical is None or self.identical.all():
            return None
        kept = ~self.identical
        return score(self.probabilities[kept], self.truth[kept], self.classes, self.labels)

    @property
    def accuracy(self) -> float:
        """Over all labelled faces."""
        return self.all.accuracy

    def against(self, other: Classification) -> Difference:
        """Accuracy of this minus ``other`` on the same faces. Raises FaceletError when they are not the same."""
        if (self.protocol, self.split) != (other.protocol, other.split) or not np.array_equal(self.index, other.index):
            raise FaceletError(
                f"results on different faces cannot be compared: {self.split} of [{self.protocol}] "
                f"and {other.split} of [{other.protocol}]"
            )
        return paired_difference(self.correct, other.correct)

    def cooled(self, factor: float) -> Classification:
        """The same answers with their logits divided by ``factor``; itself for 1."""
        return self if factor == 1 else replace(self, probabilities=cooled(self.probabilities, factor))

    def worst(self, count: int = 24) -> NDArray[np.int64]:
        """Rows (into ``truth``) of the wrong answers, surest first, at most ``count``."""
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
        """Every answer in one ``.npz``, so that a later row can be compared on the same faces."""
        names = ("probabilities", "truth", "index", "classes", "labels", "protocol", "split", "identical", "annotator")
        kept: dict[str, Any] = {n: np.array(getattr(self, n)) for n in names if getattr(self, n) is not None}
        with writing(path) as beside, beside.open("wb") as file:
            np.savez_compressed(file, **kept)

    @classmethod
    def load(cls, path: str | Path) -> Classification:
        """Raises FaceletError when the file is missing or is not one that ``save`` wrote."""
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
            raise FaceletError(f"cannot read the answers in {path}: {error}") from None


def evaluate(
    predict: Predict,
    faces: FaceSet,
    model_labels: Sequence[str],
    *,
    identical: NDArray[np.bool_] | None = None,
    annotator: float | None = None,
    protocol: str | None = None,
) -> Classification:
    """Asks ``predict`` about every labelled face of one split.

    Args:
        faces: one split (``faces.split("test")``).
        model_labels: names of the answers' columns; matched with the faces' classes by name.
        identical: bool (len(faces),), True where the face is also in training (``faces.leaks.identical_to_train``).
        annotator: see Classification.
        protocol: hash of the whole set's protocol; of ``faces`` alone when not given.

    Raises FaceletError for no labelled faces, several splits, no shared label, or answers that are not probabilities.
    """
    splits = np.unique(faces.splits)
    if len(splits) > 1:
        raise FaceletError(f"{faces.source}: evaluate one split at a time, not {', '.join(SPLITS[s] for s in splits)}")
    split = SPLITS[splits[0]] if len(splits) else "test"
    index = np.flatnonzero(faces.labels >= 0)
    if not len(index):
        raise FaceletError(f"{faces.source} has no labelled {split} faces to evaluate")
    match_labels(faces.classes, tuple(model_labels))
    answers = [
        np.asarray(predict(faces.images[index[at : at + CHUNK]]), np.float32) for at in range(0, len(index), CHUNK)
    ]
    return Classification(
        np.concatenate(answers),
        faces.labels[index],
        index,
        faces.classes,
        tuple(model_labels),
        protocol or faces.protocol.hash,
        split,
        None if identical is None else np.asarray(identical, bool)[index],
        annotator,
    )
