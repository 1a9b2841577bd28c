"""Exports a model file to another runtime: converts, runs the parity gate, then writes the files and their metadata.

>>> exported = export("expression", "litert", "expression.tflite")
>>> exported.verdict.passed, exported.files
(True, (PosixPath('expression.tflite'), PosixPath('expression.tflite.json')))
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facelet.deploy import gate
from facelet.deploy.gate import Verdict
from facelet.deploy.target import TARGETS, Target, reason
from facelet.errors import FaceletError
from facelet.io.files import size_of, write_json, writing
from facelet.models import bundled, model_file
from facelet.models.model_file import ModelInfo
from facelet.models.session import open_session

SIDE_FILE = ".json"
"""Added to the main file's name for the file with the metadata."""


@dataclass(frozen=True)
class Exported:
    """A finished export.

    Attributes:
        target: name of the target.
        runtime: its package and version.
        files: the written files; the first is the main file, the last has the metadata.
        bytes: size of the files without the metadata.
        verdict: of the parity gate; None where the runtime does not work on this machine.
        elsewhere: where the runtime works, if not here.
    """

    target: str
    runtime: str
    files: tuple[Path, ...]
    bytes: int
    verdict: Verdict | None
    elsewhere: str = ""

    def to_json(self) -> dict[str, Any]:
        """All values, for JSON."""
        passed = None if self.verdict is None else self.verdict.passed
        return {**asdict(self), "files": [str(path) for path in self.files], "passed": passed}


def export(model: str | Path, to: str, out: str | Path = "", *, allow: bool = False) -> Exported:
    """Writes a model file or bundled model for the target ``to``.

    Args:
        model: a model file, or the name of a bundled model.
        to: name of a target, see ``TARGETS``.
        out: main file to write; default: the model's name with the target's suffix, in the working directory.
        allow: write the files even if the gate refuses them.

    Raises FaceletError when a package is missing, for a node that the target cannot represent, and when the gate refuses the
    export; no file is left then.
    """
    target = TARGETS[to]()
    source = bundled.found(model)
    info = model_file.read(source)
    path = Path(out) if out else Path(source.stem + target.suffix)
    if not path.name.endswith(target.suffix):
        raise FaceletError(f"{path} is not a name for {target.title}; expected a name that ends with {target.suffix}")
    with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
        built = Path(folder) / path.name
        verdict = build(target, source, info, built)
        if verdict and not verdict.passed and not allow:
            raise FaceletError(f"the parity gate refuses {path}: {verdict}; --allow writes it all the same")
        files = target.files(built)
        size = sum(size_of(file) for file in files)
        for file in files:
            _place(file, path.with_name(file.name))
    written = [path.with_name(file.name) for file in files]
    side = path.with_name(path.name + SIDE_FILE)
    write_json(side, side_file(target, info, written, verdict))
    return Exported(target.name, target.version(), (*written, side), size, verdict, target.elsewhere)


def build(target: Target, source: Path, info: ModelInfo, path: Path) -> Verdict | None:
    """Converts to ``path`` and returns the gate's verdict; None where the runtime does not work here."""
    convert(target, source, info, path)
    return None if target.elsewhere else gate.check(target.open(path, info), source, info)


def convert(target: Target, source: Path, info: ModelInfo, path: Path) -> None:
    """Writes the files of a target.

    Raises FaceletError when a package is missing, for a file that ONNX Runtime refuses, for one that stops early, and for a node
    that the target cannot represent.
    """
    target.require()
    open_session(source, 1)
    if info.exits:
        raise FaceletError(
            f"{source} stops early: it has branches, which exports cannot have; use the step `exit` to cut it first"
        )
    try:
        target.convert(source, info, path)
    except FaceletError:
        raise
    except (
        Exception
    ) as error:  # an operator with attributes that ONNX Runtime accepts and the converter does not expect
        kind = type(error).__name__
        raise FaceletError(f"{target.title} cannot represent {source}: {kind}: {reason(error)}") from error


def side_file(target: Target, info: ModelInfo, files: list[Path], verdict: Verdict | None) -> dict[str, Any]:
    """The metadata of an export: the model file's own under ``facelet``, and what the target changes under ``export``."""
    return {
        "facelet": info.model_dump(mode="json", exclude={"card"}),
        "export": {
            "target": target.name,
            "runtime": target.version(),
            "layout": target.layout,
            "files": {file.name: _digest(file) for file in files},
            "gate": None if verdict is None else {**asdict(verdict), "passed": verdict.passed},
            "elsewhere": target.elsewhere,
        },
    }


def _regular(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _digest(path: Path) -> str:
    """SHA-256 in hex; of a folder: of all its files in the order of their names."""
    digest = hashlib.sha256()
    for file in _regular(path):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _place(built: Path, path: Path) -> None:
    """Copies a file to its place atomically; a folder (of CoreML) replaces one of the same name."""
    if built.is_dir():
        if path.exists() and not (path / "Manifest.json").is_file():
            raise FaceletError(f"cannot write {path}: it exists and is not a model package")
        try:
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(built, path)
        except OSError as error:
            raise FaceletError(f"cannot write {path}: {error.strerror or error}") from None
        return
    with writing(path) as beside:
        shutil.copyfile(built, beside)
