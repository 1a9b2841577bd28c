"""The models that come inside the package: which there are, and their files, each held to the hash it was released with.

>>> found("expression")         # a model that comes with Facelet
PosixPath('/home/me/.venv/lib/python3.13/site-packages/facelet/models/expression.onnx')
>>> found("student-int8.onnx")  # a file of one's own, which is used as it is
PosixPath('student-int8.onnx')

``models/models.json`` lists them; `python reproduce/ship.py MODEL.onnx NAME` writes it.
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
"""Well above what a model in the package may have."""


@dataclass(frozen=True)
class BundledModel:
    """A model that comes with Facelet, as the manifest has it.

    Attributes:
        name: what users call it; the one that is named for its task is the task's default.
        file: its name in FOLDER. sha256: of the file, in hex. bytes: its size.
        description: one line.
        twin: name of the same model in fp32; empty where there is none.
        card: its page in the repository; empty where there is none.
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
    """All of them, by name. Raises FaceletError when the manifest is damaged."""
    manifest = FOLDER / MANIFEST
    try:
        return [BundledModel(**entry) for entry in read_json(manifest)]
    except (FaceletError, TypeError) as error:
        raise FaceletError(f"{manifest} is damaged ({error}); reinstall Facelet") from None


def default(task: str) -> Path | None:
    """The file that answers where no model is given, that of the one named for its task; None while there is none.

    A file of that name in the user's folder is not meant. Raises FaceletError as ``path_of`` does.
    """
    return path_of(task) if any(model.name == task for model in models()) else None


def path_of(name: str) -> Path:
    """A model's file, by its name in the manifest.

    Raises FaceletError for an unknown name, and for a file that is missing or has other bytes than it was released with.
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
            f"{path} is not the file that Facelet was released with ({wrong}); reinstall Facelet, or give a model of yours"
        )
    return path


def entry_of(path: str | Path) -> BundledModel | None:
    """The manifest's line of a file inside the package; None for any other file."""
    place = Path(path)
    return next((model for model in models() if FOLDER / model.file == place), None)


def twin_of(path: str | Path) -> str | None:
    """Name of the fp32 twin of a model that comes with Facelet, by its file; None for any other file."""
    entry = entry_of(path)
    return entry.twin or None if entry else None


@lru_cache(maxsize=16)
def _digest(path: Path, changed: int, size: int) -> str:
    """Read anew only when the file has changed: `facelet.analyze` asks at each call."""
    return hashlib.sha256(read_bytes(path, MAX_BYTES)).hexdigest()


def found(model: str | Path) -> Path:
    """The file of a model as users name it: an existing file, else the name of a model that comes with Facelet.

    Raises FaceletError, with the nearest name, for what is neither, and as ``path_of`` does.
    """
    place, name = Path(model), str(model)
    if os.path.isfile(place):
        return place
    names = [one.name for one in models()]
    if name in names:
        return path_of(name)
    if place.name == name and nearest(name, names):
        raise unknown("model", name, names)
    return existing(place, "model file")
