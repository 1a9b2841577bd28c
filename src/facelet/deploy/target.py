"""The interface of an export target, and their registry.

>>> target = TARGETS["litert"]()
>>> target.convert(Path("student.onnx"), info, Path("student.tflite"))
>>> run = target.open(Path("student.tflite"), info)
>>> run(faces)  # float32 (1, C, H, W), prepared as for the .onnx -> (1, K)

A target handles one face at a time, which is what a device does. To add one, write a module with a subclass of ``Target`` and
import it in ``facelet/deploy/__init__.py``.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.installation import install_command
from facelet.models.model_file import ModelInfo
from facelet.registry import Registry

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Runs a model on one face: float32 (1, C, H, W), as ``runtime.model.prepared`` returns it, to float32 (1, K)."""


class Target(ABC):
    """One runtime for exported models.

    Attributes:
        name: name on the command line, and of the extra that installs it.
        title: name for people.
        suffix: ending of the main file.
        modules: module to import -> package that installs it.
        layout: order of the input's axes in the exported file.
        elsewhere: where the runtime works, if not on this machine; "" if it does.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    suffix: ClassVar[str]
    modules: ClassVar[Mapping[str, str]]
    layout: ClassVar[str] = "NCHW"
    elsewhere: ClassVar[str] = ""

    def require(self) -> None:
        """Raises FaceletError with the command that installs what is missing."""
        missing = [package for module, package in self.modules.items() if importlib.util.find_spec(module) is None]
        if missing:
            raise FaceletError(f"{self.title} needs {' and '.join(missing)}: {install_command(self.name)}")

    def version(self) -> str:
        """The runtime's package and version: "ai-edge-litert 2.3.0"."""
        package = next(iter(self.modules.values()))
        try:
            return f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            return package

    def files(self, path: Path) -> list[Path]:
        """The files that make up the export with the main file ``path``."""
        return [path]

    @abstractmethod
    def convert(self, source: Path, info: ModelInfo, path: Path) -> None:
        """Writes the model file ``source`` as ``path``. Raises FaceletError for a node that the target cannot represent."""

    @abstractmethod
    def open(self, path: Path, info: ModelInfo, threads: int = 1) -> Run:
        """Opens an export in the target's runtime. Raises FaceletError when the runtime refuses it."""


TARGETS: Registry[type[Target]] = Registry("target")


def reason(error: BaseException, limit: int = 300) -> str:
    """The first line of an error of a foreign library."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:limit]


def unrepresentable(target: str, operation: Any, detail: str = "") -> FaceletError:
    """The error for a node that a target has no operator for."""
    return FaceletError(f"{target} cannot represent {operation}" + (f": {detail}" if detail else ""))
