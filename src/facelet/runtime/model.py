"""Runs a model file on face crops and returns logits, probabilities or embeddings.

>>> model = Model.load("student-int8.onnx")
>>> model.probabilities(crops)  # uint8 (N, H, W, C), or a list of (H, W, C) of any size and colour -> float32 (N, K)
>>> Model.load("mobileface.onnx").embeddings(crops)  # identity model: unit vectors, float32 (N, D)

Calibration depends on the temperature in the file; a model without one is usually overconfident.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, FaceletWarning, UnprovenModelError
from facelet.io import pixels
from facelet.io.files import read_bytes
from facelet.models import model_file, priors
from facelet.models import session as model_session
from facelet.models.bundled import found, twin_of
from facelet.models.model_file import InputInfo, ModelInfo
from facelet.models.priors import Prior

if TYPE_CHECKING:
    import onnxruntime

Faces = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]

BATCH = 64
"""Faces per call of ONNX Runtime. Bounds memory; larger batches do not speed up small nets."""


@dataclass(frozen=True, eq=False)
class Model:
    """An open model file. Thread-safe.

    Attributes:
        path: the file.
        info: the file's metadata.
        session: the ONNX Runtime session.
        threshold: confidence at which an early-exit model stops; None: the threshold stored in the file.
        weights: factor of each label's probability for another class prior, (K,); None: the prior of the training faces.
        after_batch: called with the number of faces after each run of ONNX Runtime, for a progress bar.
    """

    path: Path
    info: ModelInfo
    session: onnxruntime.InferenceSession = field(repr=False)
    threshold: float | None = None
    weights: NDArray[np.float64] | None = None
    after_batch: Callable[[int], object] | None = field(default=None, repr=False)

    @classmethod
    def load(
        cls,
        path: str | Path,
        threads: int = 0,
        speed: float | None = None,
        *,
        fall_back: bool = True,
        prior: Prior = priors.TRAINING,
    ) -> Model:
        """Opens a model file or a bundled model.

        Args:
            path: a model file, or the name of a bundled model.
            threads: number of ONNX Runtime threads; 0 uses all cores.
            speed: for early-exit models, 0 (always the last exit) to 1 (always the first); None: the threshold in the file.
            fall_back: if a bundled model fails its self-test on this machine, open its fp32 twin and warn.
            prior: of the classes, see ``models.priors``: "training", "uniform", "uniform^POWER", or label -> share.

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
            return cls.load(twin, threads, speed, prior=prior)
        info = model_file.parse(session.get_modelmeta().custom_metadata_map, str(place))
        if info.selftest is None:
            warnings.warn(
                f"{place} has no self-test: cannot verify that its outputs on this machine match the measured model",
                FaceletWarning,
                stacklevel=2,
            )
        threshold = None if speed is None else _threshold(info, speed, place)
        return cls(place, info, session, threshold, priors.weights(info, prior))

    @property
    def labels(self) -> tuple[str, ...]:
        return self.info.labels

    @cached_property
    def sha256(self) -> str:
        """Hash of the file in hex. A gallery stores it, since embeddings of two models cannot be compared."""
        return hashlib.sha256(read_bytes(self.path, model_file.MAX_BYTES)).hexdigest()

    def logits(self, images: Faces, batch: int = BATCH) -> NDArray[np.float32]:
        """Raw outputs: scores before softmax, or embeddings for an identity model.

        Args:
            images: crops as uint8 (N, H, W, C) or a sequence of (H, W, C) or (H, W); C is 1 or 3 (RGB), any size.
            batch: faces per call of ONNX Runtime.

        Returns:
            float32 (N, K).

        Raises FaceletError for invalid crops, when the graph fails, and when an output is NaN or infinite.
        """
        rows = [
            self._run(prepared(images[start : start + batch], self.info.input))
            for start in range(0, len(images), batch)
        ]
        if not rows:
            width = self.session.get_outputs()[0].shape[1]
            return np.zeros((0, width if isinstance(width, int) else len(self.labels)), np.float32)
        outputs = np.concatenate(rows)
        if not np.isfinite(outputs).all():
            raise FaceletError(f"{self.path} returned NaN or infinity; its weights are damaged")
        return outputs

    def _run(self, faces: NDArray[np.float32]) -> NDArray[np.float32]:
        feed = {self.info.input.name: faces}
        if self.threshold is not None:
            feed["threshold"] = np.array(self.threshold, np.float32)
        try:
            outputs = np.asarray(self.session.run(None, feed)[0])
        except Exception as error:  # ONNX Runtime raises its own classes, without a common base
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise FaceletError(f"{self.path} failed on a batch of {len(faces)} faces: {reason}") from error
        columns = len(self.labels) if self.info.task == "expression" else outputs.size // len(faces)
        if outputs.dtype != np.float32 or outputs.shape != (len(faces), columns):
            raise FaceletError(f"{self.path} returned {outputs.dtype} {outputs.shape} for {len(faces)} faces")
        if self.after_batch:
            self.after_batch(len(faces))
        return outputs

    def probabilities(self, images: Faces, batch: int = BATCH) -> NDArray[np.float32]:
        """Softmax of ``logits`` / temperature, for the chosen class prior: float32 (N, K), rows sum to 1."""
        logits = self.logits(images, batch) / np.float32(self.info.temperature)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        return probabilities if self.weights is None else priors.reweighted(probabilities, self.weights)

    def embeddings(self, images: Faces, batch: int = BATCH) -> NDArray[np.float32]:
        """Normalized outputs of an identity model: unit vectors, float32 (N, D), whose dot product is their cosine."""
        vectors = self.logits(images, batch).astype(np.float64)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not lengths.all():
            raise FaceletError(f"{self.path} returned an embedding of length 0; its weights are damaged")
        return (vectors / lengths).astype(np.float32)


USES = {
    "expression": "facelet predict PHOTO --model FILE",
    "identity": "facelet verify A B --model FILE, and facelet enroll and identify",
}
"""Task -> commands that use a model of it."""


def require_task(model: Model, task: str) -> None:
    """Raises FaceletError if the model has another task."""
    if model.info.task != task:
        raise FaceletError(
            f"{model.path} is a model for {model.info.task}; expected a model for {task}. "
            f"Use it with: {USES.get(model.info.task, 'facelet models')}"
        )


def _threshold(info: ModelInfo, speed: float, path: str | Path) -> float:
    if info.exits is None:
        raise FaceletError(f"{path} has no early exits, so speed cannot be set; the step early-exit makes such a model")
    return info.exits.at(speed)


def prepared(images: Faces, info: InputInfo) -> NDArray[np.float32]:
    """Preprocesses crops to the net's input: float32 (N, C, size, size), (x / 255 - mean) / std.

    A crop of another size is first resized to ``info.cut_size``, the size of the training faces, then to the input size.

    Raises FaceletError, with the crop's position, for arrays other than uint8 (H, W), (H, W, 1) or (H, W, 3).
    """
    shape = (len(images), info.size, info.size, info.channels)
    if isinstance(images, np.ndarray) and images.shape == shape and images.dtype == np.uint8:
        ready = images  # faces of a FaceSet need no conversion
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
