"""A picklable callable that predicts the faces of batches of photos, for Ray Data, Spark, Dask or a plain loop.

>>> predictor = FacePredictor("student-int8.onnx")
>>> predictor({"path": ["a.jpg"], "bytes": [open("a.jpg", "rb").read()]})["expression"]
array(['happiness'], dtype=object)

It carries the bytes of its files, so other machines need neither them nor a network, and all use the same model. A machine that
computes the model wrongly raises UnprovenModelError; the fp32 twin, which ``Model.load`` would use, would give other answers.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from facelet.batch import columns
from facelet.errors import FaceletError
from facelet.io import pixels
from facelet.io.files import read_bytes
from facelet.io.pixels import Image
from facelet.models import bundled, model_file
from facelet.models.priors import TRAINING, Prior, weights
from facelet.models.session import require_threads, unproven_models_allowed
from facelet.runtime import detector as detection
from facelet.runtime import yunet
from facelet.runtime.analyzer import AT_ONCE, Analyzer, find_model, require_quality
from facelet.runtime.face import Face
from facelet.runtime.media.predictions import Prediction, predictions_of
from facelet.runtime.model import Model
from facelet.text import plain

NAMES = ("path", "file", "name")
"""Columns with the name of a photo, in the order of preference."""
PHOTOS = ("image", "bytes", "content", "path")
"""Columns with the photo itself: RGB arrays, an encoded file (Ray's and Spark's names), or a path that the worker can open."""


@dataclass(frozen=True)
class _File:
    """A file that travels with the predictor."""

    name: str
    sha256: str
    data: bytes = field(repr=False, compare=False)

    @classmethod
    def read(cls, path: Path) -> _File:
        data = read_bytes(path, model_file.MAX_BYTES)
        return cls(path.name, hashlib.sha256(data).hexdigest(), data)


@dataclass(frozen=True)
class _Settings:
    """All that the answers depend on; the key under which a process keeps its open models."""

    model: _File
    identity: _File | None
    detector: _File | None
    detect: tuple[tuple[str, Any], ...]
    min_quality: float
    threads: int
    speed: float | None
    prior: str | tuple[tuple[str, float], ...]
    allow: bool


class FacePredictor:
    """Predicts the faces of a batch of photos: a table of photos in, a table of faces of the same type out.

    In: a dict of arrays, a pandas DataFrame, or an Arrow Table or RecordBatch, with one of the columns ``image`` (RGB uint8
    arrays), ``bytes`` or ``content`` (an encoded file) or ``path`` (a file that the process can open). The column ``path``,
    ``file`` or ``name`` names the photo.

    Out: one row per face, largest first. A photo without a face, or one that cannot be read, has one row with ``face`` 0; the
    reason is in ``error``. Columns: ``file``, ``seconds`` (of a video's frame), ``face`` (from 1), ``track`` (of a video, from 1),
    ``left``, ``top``, ``width``, ``height`` in pixels of the upright photo, ``score`` (the detector's), ``roll`` and ``quality``
    (see ``Face``), ``expression``, ``p_LABEL`` for each label, ``identity`` (with an identity model), ``landmarks`` (x and y of the
    five points), ``warnings``, ``error``.

    The models are opened at the first batch, once per process and settings.

    Args:
        model: a model file or the name of a bundled model; default: $FACELET_MODEL, else the bundled expression model.
        detector: YuNet's file; default: see ``yunet.find``.
        identity: an identity model to run in addition.
        detect: keyword arguments of ``Detector``, such as ``{"score": 0.8}``.
        cropped: images are cropped faces; no detection.
        min_quality: leave out faces of lower quality, see ``Analyzer``.
        threads: number of threads of ONNX Runtime, and of OpenCV in the whole process; 0 for all cores.
        speed: for early-exit models, see ``Model.load``.
        prior: of the expressions, see ``Analyzer``.
        allow: use models that saturate or fail their self-test on a machine.

    Raises FaceletError when a file is missing or is no model, and for settings out of range.
    """

    def __init__(
        self,
        model: str | Path = "",
        detector: str | Path = "",
        *,
        identity: str | Path = "",
        detect: Mapping[str, Any] | None = None,
        cropped: bool = False,
        min_quality: float = 0.0,
        threads: int = 1,
        speed: float | None = None,
        prior: Prior = TRAINING,
        allow: bool = False,
    ) -> None:
        require_threads(threads)
        file = bundled.found(find_model(model))
        self._info = model_file.read(file)
        found = None if cropped else yunet.find(detector)
        self._settings = _Settings(
            _File.read(file),
            _File.read(bundled.found(identity)) if identity else None,
            _File.read(found) if found else None,
            tuple(sorted((detect or {}).items())),
            min_quality,
            threads,
            speed,
            prior if isinstance(prior, str) else tuple(sorted(prior.items())),
            allow,
        )
        require_quality(min_quality)
        if self._info.task == "expression":
            weights(self._info, prior)  # reports a wrong prior here
        if found and detect:
            detection.Detector(found, **detect)  # reports a wrong setting here, not on another machine
        self._columns = columns.columns(self._info.labels, bool(identity) or self._info.task == "identity")

    @property
    def task(self) -> str:
        """The model's task: "expression" or "identity"."""
        return self._info.task

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's labels; empty for an identity model."""
        return self._info.labels

    @property
    def fingerprint(self) -> str:
        """Hash in hex of all that the answers depend on: the files and the settings, but not the number of threads."""
        used = self._settings
        files = [file and file.sha256 for file in (used.model, used.identity, used.detector)]
        return hashlib.sha256(
            repr((files, used.detect, used.min_quality, used.speed, used.prior, self._columns)).encode()
        ).hexdigest()

    @property
    def spark_schema(self) -> str:
        """The output columns as Spark's DDL, for ``mapInPandas`` and ``mapInArrow``."""
        return columns.spark_schema(self._columns)

    @property
    def arrow_schema(self) -> Any:
        """The output columns as a ``pyarrow.Schema``."""
        return columns.arrow_schema(self._columns)

    @property
    def meta(self) -> Any:
        """An empty DataFrame with the output columns, for Dask's ``map_partitions``."""
        import pandas

        return columns.to_table([], self._columns, pandas.DataFrame())

    def __call__(self, batch: Any) -> Any:
        """The faces of a batch: a table of the same type. Raises FaceletError for a batch without a column of photos."""
        column = next((name for name in PHOTOS if columns.read_column(batch, name) is not None), None)
        if column is None:
            given = ", ".join(columns.names_of(batch)) or "none"
            raise FaceletError(f"a batch has the columns {given}; expected one of {', '.join(PHOTOS)} with the photos")
        photos = columns.read_column(batch, column) or []
        named = next((values for name in NAMES if (values := columns.read_column(batch, name)) is not None), None)
        names = [f"photo {place}" for place in range(len(photos))] if named is None else list(map(str, named))
        rows: list[columns.Row] = []
        for result in self.predictions(list(zip(names, photos, strict=True))):
            rows += prediction_rows(result)
        return columns.to_table(rows, self._columns, batch)

    def stream(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The faces of each batch: the function for Spark's ``mapInPandas`` and ``mapInArrow``."""
        return map(self, batches)

    def table(self, rows: Sequence[columns.Row]) -> Any:
        """Rows of ``prediction_rows`` as an Arrow Table."""
        return columns.to_arrow(rows, self._columns)

    def predictions(self, photos: Sequence[tuple[str, Any]]) -> Iterator[Prediction]:
        """One Prediction per (name, photo), in order, without its pixels. A photo is a path, an encoded file or an RGB array."""
        analyzer = self.open()
        cropped = self._settings.detector is None
        step = AT_ONCE if cropped else 1
        for start in range(0, len(photos), step):
            yield from _guarded(analyzer, photos[start : start + step], cropped)

    def open(self, frames: bool = False) -> Analyzer:
        """The Analyzer of this process, opened at the first call. ``frames``: with the detector's settings for a video."""
        with _opening:
            return _open(self._settings, frames)


def prediction_rows(result: Prediction) -> list[columns.Row]:
    """The rows of a photo."""
    if result.error or not result.faces:
        return [{"file": result.name, "error": result.error or None}]
    return [{"file": result.name, "face": number, **face_values(face)} for number, face in enumerate(result.faces, 1)]


def face_values(face: Face) -> dict[str, Any]:
    """The values of a face, by column."""
    return {
        **dict(zip(("left", "top", "width", "height"), face.box, strict=True)),
        "score": face.score,
        "roll": face.roll,
        "quality": None if face.quality is None else face.quality.score,
        "expression": face.expression,
        **{columns.PROBABILITY + label: share for label, share in face.probabilities.items()},
        "identity": face.identity,
        "landmarks": None if face.landmarks is None else face.landmarks.ravel(),
        "warnings": "; ".join(face.warnings) or None,
    }


def _guarded(analyzer: Analyzer, photos: Sequence[tuple[str, Any]], cropped: bool) -> list[Prediction]:
    """The predictions of some photos. Any error becomes that photo's: one photo in a million must not end the job."""
    try:
        results = predictions_of(analyzer, ((name, _decoded(name, photo)) for name, photo in photos), cropped)
        return [Prediction(result.file, None, result.faces, result.error, result.size) for result in results]
    except Exception as error:
        if len(photos) > 1:
            return [result for photo in photos for result in _guarded(analyzer, [photo], cropped)]
        name = photos[0][0]
        return [Prediction(name, error=plain(f"{name}: {type(error).__name__}: {error}"))]


def _decoded(name: str, photo: Any) -> Image | FaceletError:
    try:
        if isinstance(photo, bytes | bytearray | memoryview):
            return pixels.decode(bytes(photo), name)
        if isinstance(photo, str):
            return pixels.read(photo)
        if photo is None or isinstance(photo, float):  # pandas' missing value
            return FaceletError(f"{name}: the row has no photo")
        return pixels.of_array(photo, name, "RGB uint8 (height, width, 3), an encoded file or a path")
    except FaceletError as error:
        return error
    except MemoryError:
        return FaceletError(f"{name}: not enough memory for this photo")


_opening = threading.Lock()  # Dask's threads share a process, which must not open the models twice


@lru_cache(maxsize=4)
def _open(settings: _Settings, frames: bool) -> Analyzer:
    if settings.threads:
        pixels.cv2.setNumThreads(settings.threads)
    finder: Any = ""
    if settings.detector:
        usual = detection.FRAMES if frames else {}
        finder = detection.Detector(_local(settings.detector), **usual | dict(settings.detect))
    model = _model(settings.model, settings.threads, settings.speed, settings.prior, settings.allow)
    identity = _model(settings.identity, settings.threads, None, TRAINING, settings.allow) if settings.identity else ""
    return Analyzer(model, finder, identity=identity, min_quality=settings.min_quality)


@lru_cache(maxsize=4)
def _model(
    file: _File, threads: int, speed: float | None, prior: str | tuple[tuple[str, float], ...], allow: bool
) -> Model:
    with unproven_models_allowed() if allow else nullcontext():
        return Model.load(_local(file), threads, speed, prior=prior if isinstance(prior, str) else dict(prior))


def _local(file: _File) -> Path:
    """The file in a private temporary folder of this process."""
    place = _folder() / file.sha256 / file.name
    if not place.exists():
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(file.data)
    return place


@lru_cache(maxsize=1)
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="facelet-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
