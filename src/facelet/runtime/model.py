"""A model file at work: faces in, logits, probabilities or embeddings out.

>>> model = Model.load("student-int8.onnx")
>>> model.probabilities(crops)  # uint8 (N, H, W, C), or a list of (H, W, C) of any size and colour -> float32 (N, K)
>>> Model.load("mobileface.onnx").embeddings(crops)  # of an identity model: unit vectors, float32 (N, D)

Probabilities are as calibrated as the temperature in the file; a model without one is usually too sure of itself.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, FaceletWarning, UnprovenModelError
from facelet.io import pixels
from facelet.io.files import read_bytes
from facelet.models import model_file
from facelet.models import session as model_session
from facelet.models.bundled import found, twin_of
from facelet.models.model_file import InputInfo, ModelInfo

if TYPE_CHECKING:
    import onnxruntime

Faces = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]

BATCH = 64
"""Faces a call of the runtime. Small nets gain nothing above; it bounds memory whatever the number of faces."""


@dataclass(frozen=True, eq=False)
class Model:
    """An open model file. Safe to use from several threads.

    Attributes:
        path: the file.
        info: what it says about itself.
        threshold: confidence at which a model that stops early does; None for the file's own.
    """

    path: Path
    info: ModelInfo
    session: onnxruntime.InferenceSession = field(repr=False)
    threshold: float | None = None

    @classmethod
    def load(cls, path: str | Path, threads: int = 0, speed: float | None = None, *, fall_back: bool = True) -> Model:
        """Opens a model file, or a model that comes with Facelet by its name.

        Args:
            path: a model file, or the name of a bundled model.
            threads: number of ONNX Runtime threads; 0 uses all cores.
            speed: for early-exit models, 0 (always the last exit) to 1 (always the first); None: the threshold in the file.
            fall_back: if a bundled model fails its self-test on this machine, open its fp32 twin and warn.

        Raises FaceletError if the file is missing, damaged or not a Facelet model, and UnprovenModelError if it fails its
        self-test here. Warns if the file has no self-test.
        """
        model_session.require_threads(threads)
        place = found(path)
        try:
            session = model_session.open_session(place, threads)
        except UnprovenModelError as error:
            if not fall_back or not (twin := twin_of(place)):
                raise
            warnings.warn(f"{error.reason}; using {twin} instead", FaceletWarning, stacklevel=2)
            return cls.load(twin, threads, speed)
        info = model_file.parse(session.get_modelmeta().custom_metadata_map, str(place))
        if info.selftest is None:
            warnings.warn(
                f"{place} has no self-test: nothing shows that this machine computes it as it was measured",
                FaceletWarning,
                stacklevel=2,
            )
        return cls(place, info, session, None if speed is None else _threshold(info, speed, place))

    @property
    def labels(self) -> tuple[str, ...]:
        return self.info.labels

    @cached_property
    def sha256(self) -> str:
        """Of the file, in hex: embeddings of two models cannot be compared, and a gallery tells them apart by this."""
        return hashlib.sha256(read_bytes(self.path, model_file.MAX_BYTES)).hexdigest()

    def logits(self, images: Faces, batch: int = BATCH) -> NDArray[np.float32]:
        """Scores before softmax (embeddings, for an identity model).

        Args:
            images: crops as uint8 (N, H, W, C) or a sequence of (H, W, C) or (H, W); C is 1 or 3 (RGB), any size.
            batch: faces computed at once.

        Returns:
            float32 (N, K).

        Raises FaceletError for what is not such crops, when the graph fails, and when an answer is not a number.
        """
        rows = [
            self._answers(prepared(images[start : start + batch], self.info.input))
            for start in range(0, len(images), batch)
        ]
        if not rows:
            width = self.session.get_outputs()[0].shape[1]
            return np.zeros((0, width if isinstance(width, int) else len(self.labels)), np.float32)
        answers = np.concatenate(rows)
        if not np.isfinite(answers).all():
            raise FaceletError(f"{self.path} answered with NaN or infinity; its weights are damaged")
        return answers

    def _answers(self, faces: NDArray[np.float32]) -> NDArray[np.float32]:
        feed = {self.info.input.name: faces}
        if self.threshold is not None:
            feed["threshold"] = np.array(self.threshold, np.float32)
        try:
            answers = np.asarray(self.session.run(None, feed)[0])
        except Exception as error:  # ONNX Runtime raises its own classes, without a common base
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise FaceletError(f"{self.path} fails on {len(faces)} faces at once: {reason}") from error
        columns = len(self.labels) if self.info.task == "expression" else answers.size // len(faces)
        if answers.dtype != np.float32 or answers.shape != (len(faces), columns):
            raise FaceletError(f"{self.path} answers {len(faces)} faces with {answers.dtype} {answers.shape}")
        return answers

    def probabilities(self, images: Faces, batch: int = BATCH) -> NDArray[np.float32]:
        """Softmax of ``logits`` / temperature: float32 (N, K), rows sum to 1."""
        logits = self.logits(images, batch) / np.float32(self.info.temperature)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def embeddings(self, images: Faces, batch: int = BATCH) -> NDArray[np.float32]:
        """``logits`` of an identity model at length 1: float32 (N, D); the product of two is the cosine of their angle."""
        vectors = self.logits(images, batch).astype(np.float64)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not lengths.all():
            raise FaceletError(f"{self.path} answered with an embedding of length 0; its weights are damaged")
        return (vectors / lengths).astype(np.float32)


USES = {
    "expression": "facelet predict PHOTO --model FILE",
    "identity": "facelet verify A B --model FILE, and facelet enroll and identify",
}
"""Commands that take a model of each task."""


def require_task(model: Model, task: str) -> None:
    """Raises FaceletError, naming the file, for a model of another task."""
    if model.info.task != task:
        raise FaceletError(
            f"{model.path} is a model for {model.info.task}; expected one for {task}. "
            f"It is for: {USES.get(model.info.task, 'facelet models')}"
        )


def _threshold(info: ModelInfo, speed: float, path: str | Path) -> float:
    if info.exits is None:
        raise FaceletError(f"{path} has one speed; a model that stops early is made by the step early-exit")
    return info.exits.at(speed)


def prepared(images: Faces, info: InputInfo) -> NDArray[np.float32]:
    """Crops as the net's input: float32 (N, C, size, size), resized, in its colour, (x / 255 - mean) / std.

    Crops of another size than the net's come by way of the size of the faces that it learned from, where that was another.

    Raises FaceletError, naming the crop by its position, for what is not uint8 (H, W) or (H, W, 1 or 3).
    """
    shape = (len(images), info.size, info.size, info.channels)
    if isinstance(images, np.ndarray) and images.shape == shape and images.dtype == np.uint8:
        ready = images  # a FaceSet's own faces: no work a face
    else:
        ready = np.empty(shape, np.uint8)
        for position, image in enumerate(images):
            crop = pixels.to_channels(pixels.of_array(image, f"crop {position}"), info.channels)
            if crop.shape[:2] != (info.size, info.size):
                crop = pixels.resize(pixels.resize(crop, info.cut_size), info.size)
            ready[position] = crop
    scale = 1 / (255 * np.asarray(info.std, np.float32))
    shift = -np.asarray(info.mean, np.float32) / np.asarray(info.std, np.float32)
    planes = np.empty((shape[0], info.channels, info.size, info.size), np.float32)
    for channel in range(info.channels):
        np.multiply(ready[..., channel], scale[channel], out=planes[:, channel], dtype=np.float32)
        planes[:, channel] += shift[channel]
    return planes


load = load_model = Model.load
