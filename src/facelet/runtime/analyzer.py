"""Detects the faces of a photo, crops them as the model file specifies, and classifies them in one batch.

>>> for face in analyze("photo.jpg", model="student-int8.onnx"):
...     print(face.box, face.expression, face.probabilities[face.expression])
>>> analyze("photo.jpg", model="student-int8.onnx", identity="mobileface.onnx")[0].identity  # unit vector, float32 (D,)

A predicted expression is the label that a data set's annotators would give the face, not what the person feels.
"""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
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
from facelet.models.priors import TRAINING, Prior
from facelet.runtime import align, quality
from facelet.runtime.detector import Detector, Finder
from facelet.runtime.face import Face, PreparedPhoto
from facelet.runtime.model import Model, require_task

Photo = str | Path | bytes | NDArray[np.uint8]
VARIABLE = "FACELET_MODEL"
AT_ONCE = 64
AT_ONCE_PIXELS = 50_000_000
"""Limits of a batch of ``cropped``: number of crops, and their total number of pixel values."""


class Analyzer:
    """Face detector and models, kept open. Thread-safe.

    Args:
        model: an expression or identity model: a file, the name of a bundled model, or a loaded model; default:
            $FACELET_MODEL, else the bundled expression model.
        detector: YuNet's file, a Detector, or a function with the same signature; default: see ``yunet.find``. It is
            opened on first use; ready crops do not need it.
        threads: number of ONNX Runtime threads, 0 for all cores; ignored for a loaded model.
        speed: for early-exit models, see ``Model.load``; ignored for a loaded model.
        identity: an identity model to run in addition to the expression model.
        prior: of the expressions, "training", "uniform", "uniform^POWER", or label -> share (see ``models.priors``); ignored for a
            loaded model.
        min_quality: leave out faces whose quality score is lower, 0 to 1.

    Raises FaceletError when there is no model, when the tasks of the two models do not fit, and for values out of range.
    """

    def __init__(
        self,
        model: Model | str | Path = "",
        detector: Finder | str | Path = "",
        threads: int = 0,
        speed: float | None = None,
        identity: Model | str | Path = "",
        prior: Prior = TRAINING,
        min_quality: float = 0.0,
    ) -> None:
        require_quality(min_quality)
        self.min_quality = min_quality
        self.model = model if isinstance(model, Model) else Model.load(find_model(model), threads, speed, prior=prior)
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

    def with_min_quality(self, least: float) -> Analyzer:
        """The same models and detector, without faces whose quality score is lower than ``least``."""
        require_quality(least)
        other = copy.copy(self)
        other.min_quality = least
        return other

    def analyze(self, photo: Photo) -> list[Face]:
        """Faces of one photo, largest first; empty when there is none.

        Args:
            photo: a path, an encoded file's bytes, or RGB (or grey) uint8 (H, W, 3), (H, W, 1) or (H, W).

        Raises FaceletError when the photo cannot be read.
        """
        return self.predict([self.prepare(photo)])[0]

    def prepare(self, photo: Photo, most: int | None = None) -> PreparedPhoto:
        """Detects and crops the faces of a photo for ``predict``, which can join the crops of several photos in one run.

        Args:
            photo: as for ``analyze``.
            most: use only this number of faces, the largest.
        """
        image = read_photo(photo)
        detections = self.detector(pixels.to_channels(image, 3))
        used = detections[:most]
        crops, sides = [], []
        for info in (model.info for model in self.models):
            size = info.input.cut_size
            crops.append([align.cut(image, face.box, face.landmarks, info.crop, size, face.roll) for face in used])
            sides.append([align.side(face.box, face.landmarks, info.crop) for face in used])
        qualities = [
            quality.measure(crop, side, face.landmarks)
            for crop, side, face in zip(crops[0], sides[0], used, strict=True)
        ]
        faces = [
            Face(face.box, face.score, face.landmarks, roll=face.roll, quality=seen)
            for face, seen in zip(used, qualities, strict=True)
        ]
        good = [seen.score >= self.min_quality for seen in qualities]
        return PreparedPhoto(
            tuple(itertools.compress(faces, good)),
            tuple(list(itertools.compress(each, good)) for each in crops),
            tuple(list(itertools.compress(each, good)) for each in sides),
            image.shape[1::-1],
            len(detections) - len(used),
        )

    def prepare_crop(self, image: Photo) -> PreparedPhoto:
        """A ready crop for ``predict``: one face, whose box is the whole image."""
        crop = read_photo(image)
        height, width = crop.shape[:2]
        seen = quality.measure(crop, min(width, height))
        face = Face((0.0, 0.0, float(width), float(height)), 1.0, quality=seen)
        count = len(self.models)
        return PreparedPhoto((face,), ([crop],) * count, ([float(min(width, height))],) * count, (width, height))

    def predict(self, photos: Sequence[PreparedPhoto]) -> list[list[Face]]:
        """Faces of each photo with their predictions; the crops of all photos share the runs of each model."""
        fields: list[dict[str, Any]] = [{} for photo in photos for _ in photo.faces]
        for number, model in enumerate(self.models):
            _predict(fields, model, [crop for photo in photos for crop in photo.crops[number]])
            self._warn(fields, model.info, [side for photo in photos for side in photo.sides[number]])
        rest = iter(fields)
        return [[replace(face, **next(rest)) for face in photo.faces] for photo in photos]

    def cropped(self, images: Iterable[Photo]) -> Iterator[Face]:
        """Yields a Face for each ready crop, in order; its box is the whole image. Raises as ``analyze`` does."""
        waiting: list[PreparedPhoto] = []
        for image in images:
            waiting.append(self.prepare_crop(image))
            pixel_values = sum(photo.crops[0][0].size for photo in waiting)
            if len(waiting) == AT_ONCE or pixel_values > AT_ONCE_PIXELS:
                yield from itertools.chain(*self.predict(waiting))
                waiting = []
        yield from itertools.chain(*self.predict(waiting))

    def _warn(self, fields: list[dict[str, Any]], info: ModelInfo, sides: Sequence[float]) -> None:
        """Adds a warning to faces whose crop is smaller, in photo pixels, than ``measured_from``."""
        least, of = info.measured_from, f" for {info.task}" if len(self.models) > 1 else ""
        for face, side in zip(fields, map(round, sides), strict=True):
            if side < least:
                warning = f"small{of}: {side} px, measured from {least} px"
                face["warnings"] = (*face.get("warnings", ()), warning)


def _predict(fields: list[dict[str, Any]], model: Model, crops: list[Image]) -> None:
    """Adds the model's prediction for each crop to the fields of its face."""
    if model.info.task == "identity":
        for face, vector in zip(fields, model.embeddings(crops), strict=True):
            face["identity"] = vector
        return
    labels = model.labels
    for face, row in zip(fields, model.probabilities(crops), strict=True):
        face["expression"] = labels[int(row.argmax())]
        face["probabilities"] = dict(zip(labels, row.tolist(), strict=True))


def read_photo(photo: Photo) -> Image:
    """Reads a path, encoded bytes or an array: RGB or grey uint8 (H, W, C). Raises FaceletError for other input."""
    if isinstance(photo, str | os.PathLike):
        return pixels.read(photo)
    if isinstance(photo, bytes | bytearray | memoryview):
        return pixels.decode(bytes(photo), "photo")
    return pixels.of_array(photo, "the photo", "uint8 RGB (height, width, 3), a path or bytes")


def require_quality(least: float) -> None:
    """Raises FaceletError if the minimum quality of a face is not a probability."""
    if not 0 <= least <= 1:
        raise FaceletError(f"the minimum quality of a face is {least:g}; expected 0 to 1")


def find_model(path: str | Path = "") -> Path:
    """Returns ``path``, else $FACELET_MODEL, else the bundled expression model.

    Raises FaceletError, with a hint how to make a model, when there is none.
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
    prior: Prior = TRAINING,
) -> list[Face]:
    """Same as ``Analyzer(...).analyze(photo)``; models and detector given by file stay open for the next call."""
    if isinstance(model, Model) or isinstance(identity, Model) or callable(detector):
        return Analyzer(model, detector, speed=speed, identity=identity, prior=prior).analyze(photo)
    return cached_analyzer(find_model(model), detector, speed, identity, prior=prior).analyze(photo)


def cached_analyzer(
    model: Path,
    detector: str | Path = "",
    speed: float | None = None,
    identity: str | Path = "",
    threads: int = 0,
    prior: Prior = TRAINING,
) -> Analyzer:
    """Returns a cached Analyzer; it is reopened when the files have changed."""
    files = [bundled.found(file) for file in (model, identity) if file]
    changed = [file.stat().st_mtime_ns for file in files]
    state = os.environ.get("FACELET_YUNET", ""), *changed
    shares = prior if isinstance(prior, str) else tuple(prior.items())
    return _cached(str(files[0]), str(detector), threads, speed, str(files[1]) if identity else "", shares, state)


@lru_cache(maxsize=4)
def _cached(
    model: str,
    detector: str,
    threads: int,
    speed: float | None,
    identity: str,
    prior: str | tuple[tuple[str, float], ...],
    state: tuple[str | int, ...],
) -> Analyzer:
    """``state`` is only part of the cache key, so that a changed file is reopened."""
    return Analyzer(model, detector, threads, speed, identity, prior if isinstance(prior, str) else dict(prior))
