"""Photo in, faces out: detect, crop as the model file says, answer for all faces at once.

>>> for face in analyze("photo.jpg", model="student-int8.onnx"):
...     print(face.box, face.expression, face.probabilities[face.expression])
>>> analyze("photo.jpg", model="student-int8.onnx", identity="mobileface.onnx")[0].identity  # unit vector, float32 (D,)

An expression is what a face shows to the annotators of one data set; it is not what the person feels.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.io import pixels
from facelet.io.pixels import Image
from facelet.models import bundled
from facelet.models.model_file import ModelInfo
from facelet.runtime import align
from facelet.runtime.detector import Detector, Finder
from facelet.runtime.model import Model, require_task

Photo = str | Path | bytes | NDArray[np.uint8]
VARIABLE = "FACELET_MODEL"
AT_ONCE = 64
AT_ONCE_PIXELS = 50_000_000
"""Crops, and their pixels, that ``cropped`` gathers before they are classified together."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face and what is known of it.

    Attributes:
        box: left, top, width, height in pixels of the upright photo; may reach beyond it.
        score: the detector's, 0 to 1; 1 for a ready crop.
        landmarks: float32 (5, 2): eyes, nose tip, mouth corners, of each pair the left one in the photo first; None for
            a ready crop.
        expression: the most likely label.
        probabilities: label -> probability, in the model's order; they sum to 1.
        identity: unit vector of an identity model, None otherwise.
        warnings: what speaks against the answer: that the face is smaller than those the model was measured on.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: NDArray[np.float32] | None = None
    expression: str | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    identity: NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``: pixels to a tenth, probabilities to five digits."""
        return {
            "box": [round(value, 1) for value in self.box],
            "score": round(self.score, 4),
            "landmarks": None if self.landmarks is None else np.round(self.landmarks.astype(float), 1).tolist(),
            "expression": self.expression,
            "probabilities": {label: round(value, 5) for label, value in self.probabilities.items()},
            "identity": None if self.identity is None else self.identity.tolist(),
            "warnings": list(self.warnings),
        }


class Analyzer:
    """A detector and a model, kept open. May be used by several threads.

    Args:
        model: a model file for expression or identity, a model that comes with Facelet by its name, or one loaded; when
            empty $FACELET_MODEL, else the expression model that comes with Facelet.
        detector: YuNet's file, a Detector, or what answers like one; found by ``yunet.find`` when empty. Opened when
            first needed: ready crops need none.
        threads: of the models, 0 takes all cores.
        speed: of a model that stops early, see ``Model.load``; both belong to a file, not to a loaded model.
        identity: an identity model beside an expression model, so that faces have both.

    Raises FaceletError when there is no model, and when two are of tasks that do not go together.
    """

    def __init__(
        self,
        model: Model | str | Path = "",
        detector: Finder | str | Path = "",
        threads: int = 0,
        speed: float | None = None,
        identity: Model | str | Path = "",
    ) -> None:
        self.model = model if isinstance(model, Model) else Model.load(find_model(model), threads, speed)
        self.models: tuple[Model, ...] = (self.model,)
        if identity:
            second = identity if isinstance(identity, Model) else Model.load(identity, threads)
            require_task(self.model, "expression")
            require_task(second, "identity")
            self.models = (self.model, second)
        self._detector = detector

    @property
    def detector(self) -> Finder:
        if not callable(self._detector):
            self._detector = Detector(self._detector)
        return self._detector

    def analyze(self, photo: Photo) -> list[Face]:
        """Faces of one photo, largest first; empty when there is none.

        Args:
            photo: a path, an encoded file's bytes, or RGB (or grey) uint8 (H, W, 3), (H, W, 1) or (H, W).

        Raises FaceletError when the photo cannot be read.
        """
        image = read_photo(photo)
        found = self.detector(pixels.to_channels(image, 3))
        known: list[dict[str, Any]] = [{} for _ in found]
        for model in self.models:
            info = model.info
            crops = [align.cut(image, face.box, face.landmarks, info.crop, info.input.cut_size) for face in found]
            _answer(known, model, crops)
            self._warn(known, info, [align.side(face.box, face.landmarks, info.crop) for face in found])
        return [Face(face.box, face.score, face.landmarks, **more) for face, more in zip(found, known, strict=True)]

    def cropped(self, images: Iterable[Photo]) -> Iterator[Face]:
        """A Face for each image that is a face already, in order, its box the whole image. Raises as ``analyze`` does."""
        waiting: list[Image] = []
        for image in images:
            waiting.append(read_photo(image))
            if len(waiting) == AT_ONCE or sum(one.size for one in waiting) > AT_ONCE_PIXELS:
                yield from self._ready(waiting)
                waiting = []
        yield from self._ready(waiting)

    def _ready(self, images: list[Image]) -> Iterator[Face]:
        known: list[dict[str, Any]] = [{} for _ in images]
        for model in self.models:
            _answer(known, model, images)
            self._warn(known, model.info, [min(image.shape[:2]) for image in images])
        for image, more in zip(images, known, strict=True):
            height, width = image.shape[:2]
            yield Face((0.0, 0.0, float(width), float(height)), 1.0, None, **more)

    def _warn(self, known: list[dict[str, Any]], info: ModelInfo, sides: Sequence[float]) -> None:
        """Adds a warning to the faces that fill fewer photo pixels a side than a model was measured from."""
        least, of = info.measured_from, f" for {info.task}" if len(self.models) > 1 else ""
        for face, side in zip(known, map(round, sides), strict=True):
            if side < least:
                told = f"small{of}: {side} px, measured from {least} px"
                face["warnings"] = (*face.get("warnings", ()), told)


def _answer(known: list[dict[str, Any]], model: Model, crops: list[Image]) -> None:
    """Adds what a model says of each crop to the fields that are known of its face."""
    if model.info.task == "identity":
        for face, vector in zip(known, model.embeddings(crops), strict=True):
            face["identity"] = vector
        return
    labels = model.labels
    for face, row in zip(known, model.probabilities(crops), strict=True):
        face["expression"] = labels[int(row.argmax())]
        face["probabilities"] = dict(zip(labels, row.tolist(), strict=True))


def read_photo(photo: Photo) -> Image:
    """RGB or grey uint8 (H, W, C) of a path, bytes or array. Raises FaceletError for what is none of them."""
    if isinstance(photo, str | os.PathLike):
        return pixels.read(photo)
    if isinstance(photo, bytes | bytearray | memoryview):
        return pixels.decode(bytes(photo), "photo")
    return pixels.of_array(photo, "the photo", "uint8 RGB (height, width, 3), a path or bytes")


def find_model(path: str | Path = "") -> Path:
    """The model: ``path``, else $FACELET_MODEL, else the expression model that comes with Facelet.

    Raises FaceletError, saying how to make one, without any of them.
    """
    named = path or os.environ.get(VARIABLE, "") or bundled.default("expression")
    if not named:
        raise FaceletError(
            f"no model: give one (--model FILE, model=) or set {VARIABLE}; make one with: facelet run tsnet"
        )
    return Path(named)


def analyze(
    photo: Photo,
    model: Model | str | Path = "",
    detector: Finder | str | Path = "",
    speed: float | None = None,
    identity: Model | str | Path = "",
) -> list[Face]:
    """``Analyzer(...).analyze(photo)``; models and detector named by their files stay open for the next call."""
    if isinstance(model, Model) or isinstance(identity, Model) or callable(detector):
        return Analyzer(model, detector, speed=speed, identity=identity).analyze(photo)
    return cached_analyzer(find_model(model), detector, speed, identity).analyze(photo)


def cached_analyzer(
    model: Path, detector: str | Path = "", speed: float | None = None, identity: str | Path = "", threads: int = 0
) -> Analyzer:
    """An Analyzer that stays open: the same one for the same files, a new one when they have changed."""
    files = [bundled.found(file) for file in (model, identity) if file]
    changed = [file.stat().st_mtime_ns for file in files]
    state = os.environ.get("FACELET_YUNET", ""), *changed
    return _cached(str(files[0]), str(detector), threads, speed, str(files[1]) if identity else "", state)


@lru_cache(maxsize=4)
def _cached(
    model: str, detector: str, threads: int, speed: float | None, identity: str, state: tuple[str | int, ...]
) -> Analyzer:
    """``state`` only tells one answer from another: a new file under the same name is opened anew."""
    return Analyzer(model, detector, threads, speed, identity)
