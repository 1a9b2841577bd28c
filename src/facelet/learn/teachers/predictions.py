"""A teacher's predictions on faces, stored in a ``.npz``: computed once, by a net, an ONNX file or any other program.

>>> predictions = answer("runs/big/steps/teacher/net.safetensors", faces.split("train"))
>>> predictions.save("answers.npz")
>>> aligned = Predictions.load("answers.npz").aligned(train)

The file holds ``names`` (N,), ``logits`` (N, K) and/or ``embeddings`` (N, D), optionally the same for mirror images
(``mirrored_logits``, ``mirrored_embeddings``), and ``meta``, a JSON object: ``classes``, ``protocol`` (split hash), ``teacher``.
The teacher's predictions are on faces without augmentation, while the student's faces are shifted and rotated: training is
cheaper than with a live teacher, and a little less accurate.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.io import files
from facelet.learn.data.augment import plain
from facelet.learn.device import precision
from facelet.learn.teachers.frozen import FrozenNet
from facelet.measure.progress import faces_bar

ARRAYS = ("logits", "embeddings", "mirrored_logits", "mirrored_embeddings")
Images = NDArray[np.uint8]
Given = tuple[NDArray[Any] | None, NDArray[Any] | None]
"""(logits (N, K) or None, embeddings (N, D) or None)"""


@dataclass(frozen=True)
class Predictions:
    """Predictions of one teacher, one row per face.

    Attributes:
        names: str (N,), the faces' names.
        logits: float32 (N, K), or None when there are embeddings.
        embeddings: float16 or float32 (N, D), or None when there are logits.
        mirrored_logits, mirrored_embeddings: of the mirrored faces, or None.
        classes: label names of the logits' columns, empty when unknown.
        protocol: split hash of the faces, "" when unknown.
        teacher: the teacher's file hash, or a name.
        source: file or teacher, for messages.
    """

    names: NDArray[np.str_]
    logits: NDArray[Any] | None = None
    embeddings: NDArray[Any] | None = None
    mirrored_logits: NDArray[Any] | None = None
    mirrored_embeddings: NDArray[Any] | None = None
    classes: tuple[str, ...] = ()
    protocol: str = ""
    teacher: str = ""
    source: str = field(default="answers", compare=False)

    def __post_init__(self) -> None:
        if self.logits is None and self.embeddings is None:
            raise FaceletError(f"{self.source}: contains neither logits nor embeddings")
        for name in ARRAYS:
            array = getattr(self, name)
            if array is None:
                continue
            if array.ndim != 2 or len(array) != len(self.names) or array.dtype.kind != "f":
                raise FaceletError(
                    f"{self.source}: {name} should be floats ({len(self.names)}, ...), not {array.dtype} {array.shape}"
                )
            if not np.isfinite(array).all():
                raise FaceletError(f"{self.source}: {name} contains values that are not finite")
        if self.classes and self.logits is not None and self.logits.shape[1] != len(self.classes):
            raise FaceletError(f"{self.source}: {self.logits.shape[1]} logits for {len(self.classes)} classes")

    def save(self, path: str | Path) -> None:
        meta = {"classes": list(self.classes), "protocol": self.protocol, "teacher": self.teacher}
        arrays = {name: getattr(self, name) for name in ARRAYS if getattr(self, name) is not None}
        with files.writing(path) as beside, beside.open("wb") as file:
            np.savez(file, names=self.names, meta=np.array(json.dumps(meta)), **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Predictions:
        """Predictions from a file. Raises FaceletError when it is missing, damaged or of another format."""
        try:
            with np.load(path, allow_pickle=False) as file:
                content = {name: file[name] for name in file.files if name in (*ARRAYS, "names", "meta")}
            meta = json.loads(str(content.pop("meta", "{}")))
            names = content.pop("names").astype(np.str_)
        except OSError as error:
            raise FaceletError(f"cannot read {path}: {error.strerror or error}") from None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            expected = "an .npz with names, logits or embeddings, and meta"
            raise FaceletError(f"{path} is not a file of predictions ({expected}): {error}") from None
        if not isinstance(meta, dict):
            raise FaceletError(f"{path}: meta should be a JSON object")
        classes = tuple(map(str, meta.get("classes") or ()))
        protocol, teacher = (str(meta.get(key) or "") for key in ("protocol", "teacher"))
        return cls(names, **content, classes=classes, protocol=protocol, teacher=teacher, source=str(path))

    def aligned(self, faces: FaceSet, protocol: str = "") -> Predictions:
        """The predictions on ``faces``, with rows in their order and columns in the order of their classes.

        Args:
            faces: the faces to find the rows of.
            protocol: split hash that the predictions must have, if they have one; "" checks nothing.

        Raises FaceletError when a face has no predictions, or the classes or the protocol differ.
        """
        if protocol and self.protocol and protocol != self.protocol:
            raise FaceletError(
                f"{self.source}: its predictions belong to protocol {self.protocol}, these faces are {protocol}; "
                "a teacher trained on other splits could have seen the test faces"
            )
        place = self._places()
        missing = [name for name in faces.names.tolist() if name not in place]
        if missing:
            raise FaceletError(
                f"{self.source}: no prediction for {len(missing):,} of {len(faces):,} faces, first {missing[0]!r}"
            )
        rows = np.array([place[name] for name in faces.names.tolist()], np.int64)
        columns = self._columns(faces.classes)
        taken: dict[str, Any] = {}
        for name in ARRAYS:
            array = getattr(self, name)
            if array is not None:
                reorder = columns is not None and name.endswith("logits")
                taken[name] = array[rows][:, columns] if reorder else array[rows]
        return replace(self, names=faces.names, classes=faces.classes if columns is not None else self.classes, **taken)

    def _places(self) -> dict[str, int]:
        """Row of each name, with and without its first folder: sources omit the folder when all faces are in it."""
        names = self.names.tolist()
        inside = [name.partition("/")[2] for name in names]
        counts = Counter(inside)
        short = {name: row for row, name in enumerate(inside) if name and counts[name] == 1}
        return short | {name: row for row, name in enumerate(names)}

    def _columns(self, classes: tuple[str, ...]) -> list[int] | None:
        if self.logits is None or (not self.classes and self.logits.shape[1] == len(classes)):
            return None
        if not self.classes:
            raise FaceletError(f"{self.source}: {self.logits.shape[1]} unnamed logits for {len(classes)} classes")
        if set(self.classes) != set(classes):
            odd = sorted(set(self.classes) ^ set(classes))
            raise FaceletError(f"{self.source}: its classes differ from those of the faces ({', '.join(odd[:5])})")
        return [self.classes.index(name) for name in classes]


def answer(
    model: str | Path | Callable[[Images], Given],
    faces: FaceSet,
    *,
    teacher: str = "",
    protocol: str = "",
    mirrored: bool = True,
    device: str = "auto",
    wish: precision.Wish = "auto",
    batch: int = 256,
    console: Console | None = None,
) -> Predictions:
    """Predictions of ``model`` on every face and, with ``mirrored``, on its mirror image.

    Args:
        model: a checkpoint (.safetensors), a model file (.onnx: logits, or an identity model's embeddings), or a callable from
            uint8 (N, H, W, C) to (logits or None, embeddings or None).
        faces: the faces to predict.
        teacher: name to store; default: the file's hash.
        protocol: split hash of the set that ``faces`` are from, which ``Predictions.aligned`` checks.
        mirrored: whether to predict the mirror images too.
        device: device on which a checkpoint runs.
        wish: precision in which a checkpoint runs.
        batch: faces per forward pass.
        console: where a progress bar is drawn.
    """
    predict = model if callable(model) else _predictor(Path(model), device, wish)
    teacher = teacher or (digest(Path(model)) if not callable(model) else "callable")
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ARRAYS}
    with faces_bar("teacher", len(faces) * (2 if mirrored else 1), console) as advance:
        for start in range(0, len(faces), batch):
            images = np.asarray(faces.images[start : start + batch])
            views = [("", images), ("mirrored_", images[:, :, ::-1])] if mirrored else [("", images)]
            for prefix, view in views:
                logits, embeddings = predict(np.ascontiguousarray(view))
                if logits is not None:
                    parts[f"{prefix}logits"].append(np.asarray(logits, np.float32))
                if embeddings is not None:
                    parts[f"{prefix}embeddings"].append(np.asarray(embeddings, np.float16))
                advance(len(view))
    arrays: dict[str, Any] = {name: np.concatenate(part) for name, part in parts.items() if part}
    classes = faces.classes if "logits" in arrays and arrays["logits"].shape[1] == len(faces.classes) else ()
    return Predictions(
        faces.names, **arrays, classes=classes, protocol=protocol, teacher=teacher, source=f"answers of {teacher}"
    )


def digest(path: Path) -> str:
    """The first 16 hex digits of a file's SHA-256."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise FaceletError(f"cannot read {path}: {error.strerror}") from None


def _predictor(path: Path, device: str, wish: precision.Wish) -> Callable[[Images], Given]:
    if path.suffix == ".onnx":
        from facelet.runtime.model import Model

        model = Model.load(path)
        if model.info.task == "identity":
            return lambda images: (None, model.logits(images))
        return lambda images: (model.logits(images), None)
    net, where = FrozenNet(*nets.load(path), wish), precision.pick_device(device)
    net.place(where)

    def predict(images: Images) -> Given:
        outputs = net(plain(torch.from_numpy(images).to(where)))
        assert outputs.embedding is not None
        return None if outputs.logits is None else outputs.logits.cpu().numpy(), outputs.embedding.cpu().numpy()

    return predict
