"""A teacher's answers on faces, kept in a ``.npz``: paid once, and made by anything: a net, an ONNX file, an array.

>>> answers = answer("runs/big/steps/teacher/net.safetensors", faces.split("train"))
>>> answers.save("answers.npz")
>>> aligned = Predictions.load("answers.npz").aligned(train)

The file holds ``names`` (N,), ``logits`` (N, K) and/or ``embeddings`` (N, D), the same of mirror images if it has them
(``mirrored_logits``, ``mirrored_embeddings``), and ``meta``, a JSON object: ``classes``, ``protocol`` (split hash), ``teacher``.
A student that is taught from it sees faces shifted and turned which the teacher saw upright: cheaper, and a little worse.
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

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.io import files
from facelet.learn.data.augment import plain
from facelet.learn.device import precision
from facelet.learn.teachers.frozen import FrozenNet

ARRAYS = ("logits", "embeddings", "mirrored_logits", "mirrored_embeddings")
Images = NDArray[np.uint8]
Given = tuple[NDArray[Any] | None, NDArray[Any] | None]
"""(logits (N, K) or None, embeddings (N, D) or None)"""


@dataclass(frozen=True)
class Predictions:
    """Answers of one teacher, a row a face.

    Attributes:
        names: str (N,), the faces' names.
        logits: float32 (N, K) or None; embeddings: float16 or float32 (N, D) or None; one of them is there.
        mirrored_logits, mirrored_embeddings: of the mirrored faces, or None.
        classes: label names of the logits' columns, empty when unknown.
        protocol: split hash of the faces, "" when unknown.
        teacher: who answered: a file's hash, or a word.
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
            raise FaceletError(f"{self.source}: there are neither logits nor embeddings in it")
        for name in ARRAYS:
            array = getattr(self, name)
            if array is None:
                continue
            if array.ndim != 2 or len(array) != len(self.names) or array.dtype.kind != "f":
                raise FaceletError(
                    f"{self.source}: {name} should be floats ({len(self.names)}, ...), not {array.dtype} {array.shape}"
                )
            if not np.isfinite(array).all():
                raise FaceletError(f"{self.source}: {name} holds values that are not finite")
        if self.classes and self.logits is not None and self.logits.shape[1] != len(self.classes):
            raise FaceletError(f"{self.source}: {self.logits.shape[1]} logits for {len(self.classes)} classes")

    def save(self, path: str | Path) -> None:
        meta = {"classes": list(self.classes), "protocol": self.protocol, "teacher": self.teacher}
        arrays = {name: getattr(self, name) for name in ARRAYS if getattr(self, name) is not None}
        with files.writing(path) as beside, beside.open("wb") as file:
            np.savez(file, names=self.names, meta=np.array(json.dumps(meta)), **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Predictions:
        """Raises FaceletError when the file is missing, damaged or holds no answers."""
        try:
            with np.load(path, allow_pickle=False) as file:
                content = {name: file[name] for name in file.files if name in (*ARRAYS, "names", "meta")}
            meta = json.loads(str(content.pop("meta", "{}")))
            names = content.pop("names").astype(np.str_)
        except OSError as error:
            raise FaceletError(f"cannot read {path}: {error.strerror or error}") from None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            expected = "an .npz with names, logits or embeddings, and meta"
            raise FaceletError(f"{path} is not a file of answers ({expected}): {error}") from None
        if not isinstance(meta, dict):
            raise FaceletError(f"{path}: meta should be a JSON object")
        classes = tuple(map(str, meta.get("classes") or ()))
        protocol, teacher = (str(meta.get(key) or "") for key in ("protocol", "teacher"))
        return cls(names, **content, classes=classes, protocol=protocol, teacher=teacher, source=str(path))

    def aligned(self, faces: FaceSet, protocol: str = "") -> Predictions:
        """The rows of ``faces``, in their order, and columns in the order of their classes.

        Args:
            faces: the faces to find the rows of.
            protocol: split hash that the predictions must have, if they have one; "" checks nothing.

        Raises FaceletError when a face has no answer, or the classes or the protocol are others.
        """
        if protocol and self.protocol and protocol != self.protocol:
            raise FaceletError(
                f"{self.source}: its answers belong to protocol {self.protocol}, these faces are {protocol}; "
                "answers to other splits could have seen the test faces"
            )
        place = self._places()
        missing = [name for name in faces.names.tolist() if name not in place]
        if missing:
            raise FaceletError(
                f"{self.source}: no answer for {len(missing):,} of {len(faces):,} faces, first {missing[0]!r}"
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
        """Row of each name. The first folder may be left out, as sources do where all their faces lie in one."""
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
            raise FaceletError(f"{self.source}: its classes are not those of the faces ({', '.join(odd[:5])} differ)")
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
    """
    ask = model if callable(model) else _ask(Path(model), device, wish)
    teacher = teacher or (digest(Path(model)) if not callable(model) else "callable")
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ARRAYS}
    for start in range(0, len(faces), batch):
        images = np.asarray(faces.images[start : start + batch])
        views = [("", images), ("mirrored_", images[:, :, ::-1])] if mirrored else [("", images)]
        for prefix, view in views:
            logits, embeddings = ask(np.ascontiguousarray(view))
            if logits is not None:
                parts[f"{prefix}logits"].append(np.asarray(logits, np.float32))
            if embeddings is not None:
                parts[f"{prefix}embeddings"].append(np.asarray(embeddings, np.float16))
    arrays: dict[str, Any] = {name: np.concatenate(part) for name, part in parts.items() if part}
    classes = faces.classes if "logits" in arrays and arrays["logits"].shape[1] == len(faces.classes) else ()
    return Predictions(
        faces.names, **arrays, classes=classes, protocol=protocol, teacher=teacher, source=f"answers of {teacher}"
    )


def digest(path: Path) -> str:
    """A file's SHA-256, 16 digits of it."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise FaceletError(f"cannot read {path}: {error.strerror}") from None


def _ask(path: Path, device: str, wish: precision.Wish) -> Callable[[Images], Given]:
    if path.suffix == ".onnx":
        from facelet.runtime.model import Model

        model = Model.load(path)
        if model.info.task == "identity":
            return lambda images: (None, model.logits(images))
        return lambda images: (model.logits(images), None)
    net, where = FrozenNet(*nets.load(path), wish), precision.pick_device(device)
    net.place(where)

    def ask(images: Images) -> Given:
        seen = net(plain(torch.from_numpy(images).to(where)))
        assert seen.embedding is not None
        return None if seen.logits is None else seen.logits.cpu().numpy(), seen.embedding.cpu().numpy()

    return ask
