"""Facelet makes face models small, and measures what that costs.

>>> import facelet
>>> for face in facelet.analyze("photo.jpg", model="student-int8.onnx"):
...     print(face.box, face.expression, face.probabilities[face.expression])

Photos and videos:

- ``analyze(photo, model="", detector="", identity="")``: a list of ``Face``, largest first; ``Face.quality`` is a ``Quality``.
- ``Analyzer(model, detector)``: the same, kept open, for many photos or ready crops; ``prepare`` and ``predict`` are its halves,
  with a ``PreparedPhoto`` between them.
- ``watch(video, model="", every=0.0)``: a ``FrameResult`` for each frame of a video, webcam or stream, with the ``Track`` of each
  face.
- ``Detector(file)``: faces only, without a model: a list of ``Detection``.
- ``load_model(file, threads=0)``, or ``load``: an open model file, a ``Model``; its metadata is a ``ModelInfo``.

People:

- ``verify(a, b, model="", threshold=None)``: a ``Verification``: whether two photos show the same person.
- ``Gallery(file, model)``: people enrolled under names (an ``Enrollment``, with each ``Lookalike`` under another name) and found in
  other photos (a ``Match`` for each face). It lists an ``EnrolledPerson`` for each name, an ``EnrolledFace`` for each vector,
  and the ``GalleryModel`` that made them.

Many machines:

- ``FacePredictor(model)``: a picklable callable for Ray Data, Spark and Dask: a table of photos in, a table of faces out. Its
  ``predictions`` gives a ``Prediction`` for each photo.

Training:

- ``run(recipe, ...)``: makes a model and returns the run's folder; needs the extra ``train``.

Errors: ``FaceletError`` for what the user can correct; ``UnprovenModelError``, one of them, for a model that this machine computes
wrongly; ``FaceletWarning`` for what should be known although the work goes on.

A model is a file, or one that comes with Facelet by its name: `facelet models` lists them.

Names are imported when they are first used, so ``import facelet`` is fast and never imports torch, OpenCV or ONNX Runtime.
"""

from __future__ import annotations

import ast
import pkgutil
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_STUB = ast.parse(pkgutil.get_data(__name__, "__init__.pyi") or b"")
_MODULES = {
    alias.name: str(node.module) for node in _STUB.body if isinstance(node, ast.ImportFrom) for alias in node.names
}
"""Public name -> the module that defines it. The stub is the one list: type checkers read it, and so does this."""

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'facelet' has no attribute {name!r}")
    try:
        value = getattr(import_module(_MODULES[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("facelet") or not _MODULES[name].startswith("facelet.recipes"):
            raise
        # Not an AttributeError: help() and inspect look at every public name, and should find this one, too.
        from facelet.installation import needs_training

        return needs_training(name, error.name or "the training side")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
