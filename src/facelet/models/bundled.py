"""The models inside the package: their names, files and SHA-256 hashes.

>>> found("expression")         # a bundled model
PosixPath('/home/me/.venv/lib/python3.13/site-packages/facelet/models/expression.onnx')
>>> found("student-int8.onnx")  # any other path is returned as given
PosixPath('student-int8.onnx')

The manifest ``models/models.json`` lists them; `python reproduce/ship.py MODEL.onnx NAME` writes it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from facelet.errors import FaceletError, nearest, unknown
from facelet.io.files import existing, read_bytes, read_json

FOLDER = Path(__file__).parent
MANIFEST = "models.json"
MAX_BYTES = 1 << 26
"""Upper limit for a bundled file, well above the size of any real one."""


@dataclass(frozen=True)
class BundledModel:
    """Manifest entry of a model that comes with Facelet.

    Attributes:
        name: public name. The model whose name equals its task is the default for that task.
        file: file name in FOLDER.
        task: "expression" or "identity".
        sha256: hash of the file, in hex.
        bytes: size of the file.
        description: one line.
        twin: name of the same model in fp32, or empty.
        card: its model card in the repository, or empty.
    """

    name: str
    file: str
    task: str
    sha256: str
    bytes: int
    description: str = ""
    twin: str = ""
    card: str = ""


def models() -> list[BundledModel]:
    """All bundled models, in the manifest's order. Raises FaceletError when the manifest is damaged."""
    manifest = FOLDER / MANIFEST
    try:
        return [BundledModel(**entry) for entry in read_json(manifest)]
    except (FaceletError, TypeError) as error:
        raise FaceletError(f"{manifest} is damaged ({error}); reinstall Facelet") from None


def default(task: str) -> Path | None:
    """The default model file for a task (the bundled model of that name), or None when there is none.

    A file of that name in the working directory is ignored. Raises FaceletError as ``path_of`` does.
    """
    return path_of(task) if any(model.name == task for model in models()) else None


def path_of(name: str) -> Path:
    """The file of a bundled model.

    Raises FaceletError for an unknown name, and for a file that is missing or whose hash differs from the manifest's.
    """
    known = {model.name: model for model in models()}
    if name not in known:
        raise unknown("model", name, known)
    model, path = known[name], FOLDER / known[name].file
    try:
        state = path.stat()
        digest = _digest(path, state.st_mtime_ns, state.st_size)
        wrong = f"its SHA-256 is {digest[:12]}, not {model.sha256[:12]}" if digest != model.sha256 else ""
    except (FaceletError, OSError) as error:
        wrong = getattr(error, "strerror", None) or str(error)
    if wrong:
        raise FaceletError(
            f"{path} is not the file that Facelet was released with ({wrong}); reinstall Facelet, or use your own model file"
        )
    return path


def entry_of(path: str | Path) -> BundledModel | None:
    """The manifest entry of a file inside the package, or None for any other file."""
    place = Path(path)
    return next((model for model in models() if FOLDER / model.file == place), None)


def twin_of(path: str | Path) -> str | None:
    """Name of the fp32 twin of a bundled model's file, or None for any other file."""
    entry = entry_of(path)
    return entry.twin or None if entry else None


@lru_cache(maxsize=16)
def _digest(path: Path, changed: int, size: int) -> str:
    """SHA-256 in hex, cached until the file changes: `facelet.analyze` needs it at each call."""
    return hashlib.sha256(read_bytes(path, MAX_BYTES)).hexdigest()


def found(model: str | Path) -> Path:
    """Resolves a path or a bundled model's name to a file; an existing file takes precedence.

    Raises FaceletError with the nearest name when ``model`` is neither, and as ``path_of`` does.
    """
    place, name = Path(model), str(model)
    if os.path.isfile(place):
        return place
    names = [entry.name for entry in models()]
    if name in names:
        return path_of(name)
    if place.name == name and nearest(name, names):
        raise unknown("model", name, names)
    return existing(place, "model file")
