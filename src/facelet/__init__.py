"""Facelet makes face models small, and proves it.

>>> import facelet
>>> for face in facelet.analyze("photo.jpg", model="student-int8.onnx"):
...     print(face.box, face.expression, face.probabilities[face.expression])

- ``load(file, threads=0)``: an open model file, a ``Model``.
- ``analyze(photo, model="", detector="", identity="")``: the ``Face`` s of a photo.
- ``Analyzer(model, detector)``: the same, kept open, for many photos or ready crops.
- ``verify(a, b, model="", threshold=None)``: a ``Verification``: whether two photos show the same person.
- ``Gallery(file, model)``: people enrolled under names, and found again in other photos.
- ``watch(video, model="", every=0.0)``: the faces of a video or webcam, frame by frame, each followed.
- ``run(recipe, ...)``: make a model; needs the extra ``train``.

A model is a file, or one that comes with Facelet by its name: `facelet models` lists them.

Names are imported when they are first used, so ``import facelet`` costs next to nothing and never brings torch, OpenCV or
ONNX Runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facelet.errors import FaceletError

if TYPE_CHECKING:
    from facelet.recipes.runner import run
    from facelet.runtime.analyzer import Analyzer, Face, analyze
    from facelet.runtime.detector import Detector
    from facelet.runtime.media.watch import watch
    from facelet.runtime.model import Model
    from facelet.runtime.people.gallery import Gallery
    from facelet.runtime.people.verify import Verification, verify

    load = Model.load

__version__ = "0.1.0"
__all__ = [
    "Analyzer",
    "Detector",
    "Face",
    "FaceletError",
    "Gallery",
    "Model",
    "Verification",
    "analyze",
    "load",
    "run",
    "verify",
    "watch",
]

_HOME = {
    "Analyzer": "facelet.runtime.analyzer",
    "Detector": "facelet.runtime.detector",
    "Face": "facelet.runtime.analyzer",
    "Gallery": "facelet.runtime.people.gallery",
    "Model": "facelet.runtime.model",
    "Verification": "facelet.runtime.people.verify",
    "analyze": "facelet.runtime.analyzer",
    "load": "facelet.runtime.model:Model.load",
    "run": "facelet.recipes.runner",
    "verify": "facelet.runtime.people.verify",
    "watch": "facelet.runtime.media.watch",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'facelet' has no attribute {name!r}")
    module, _, path = _HOME[name].partition(":")
    try:
        thing: Any = import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("facelet") or not module.startswith("facelet.recipes"):
            raise
        # Not an AttributeError: help() and inspect look at every public name, and should find this one, too.
        from facelet.installation import needs_training

        return needs_training(name, error.name or "the training side")
    for part in (path or name).split("."):
        thing = getattr(thing, part)
    globals()[name] = thing
    return thing


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
