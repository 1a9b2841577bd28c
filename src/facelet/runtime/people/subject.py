"""One person a photo: the identity model, its threshold, and the face that a photo is about.

>>> analyzer = identity_analyzer("mobileface.onnx")
>>> only_face(analyzer, "anna.jpg").vector  # unit vector, float32 (D,)

A photo with several faces is refused, unless the largest is asked for: the largest need not be the one who was meant.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.models.bundled import default
from facelet.models.model_file import ModelInfo
from facelet.runtime import align
from facelet.runtime.analyzer import Analyzer, Face, Photo, cached_analyzer
from facelet.runtime.detector import Finder
from facelet.runtime.media import photos
from facelet.runtime.model import Model, require_task
from facelet.text import plain

VARIABLE = "FACELET_IDENTITY_MODEL"
SMALL_SHARE = 0.5
"""Share of the pixels a side that a model was measured from below which a face is not enrolled unasked."""
FAR_SMALLER = 0.25
"""Share of the main face's area up to which another is far smaller."""
WEAKER = 0.1
"""How much lower the detector's score of such a face is, where it is more likely a pattern, or someone far behind."""


@dataclass(frozen=True, eq=False)
class Subject:
    """The face that a photo is about.

    Attributes:
        photo: name of its file without folders; empty for bytes and arrays.
        note: what the user should know of the choice and of the face; empty when there is nothing.
    """

    face: Face
    photo: str = ""
    note: str = ""

    @property
    def vector(self) -> NDArray[np.float32]:
        assert self.face.identity is not None
        return self.face.identity


def find_identity_model(path: str | Path = "") -> Path:
    """The identity model: ``path``, else $FACELET_IDENTITY_MODEL, else the one that comes with Facelet.

    Raises FaceletError, saying how to make one, without any of them.
    """
    named = path or os.environ.get(VARIABLE, "") or default("identity")
    if not named:
        raise FaceletError(
            f"no identity model: give one (--model FILE, model=) or set {VARIABLE}; "
            "make one with: facelet run mobileface"
        )
    return Path(named)


def identity_analyzer(model: Model | str | Path = "", detector: Finder | str | Path = "", threads: int = 0) -> Analyzer:
    """An Analyzer with an identity model, kept open for the next call when both are named by their files.

    Raises FaceletError when there is no model, and for one of another task.
    """
    if isinstance(model, Model) or callable(detector):
        whole = model if isinstance(model, Model) else find_identity_model(model)
        analyzer = Analyzer(whole, detector, threads)
    else:
        analyzer = cached_analyzer(find_identity_model(model), detector, threads=threads)
    require_task(analyzer.model, "identity")
    return analyzer


def threshold_of(model: Model, given: float | None = None) -> float:
    """The cosine from which two faces count as one person's: ``given``, else the model file's own.

    Raises FaceletError when there is neither, and for one that is no cosine.
    """
    threshold = model.info.threshold if given is None else given
    if threshold is None:
        raise FaceletError(
            f"{model.path} has no threshold of its own; give one (--threshold, threshold=) from -1 to 1, "
            "chosen on pairs of photos like yours"
        )
    if not -1 <= threshold <= 1:
        raise FaceletError(f"threshold: {threshold:g}; expected a cosine, -1 to 1")
    return threshold


def only_face(analyzer: Analyzer, photo: Photo, largest: bool = False) -> Subject:
    """The one face of a photo; of several the largest, when ``largest``.

    What is far smaller than the largest, and weaker, is ignored, which the note says.

    Raises FaceletError, naming the photo, for one that cannot be read, without a face, or with several.
    """
    name = "the photo"
    if isinstance(photo, str | os.PathLike):
        files = photos.find([photo])
        if len(files) > 1:
            raise FaceletError(f"{photo}: {len(files)} photos where one is expected")
        photo, name = files[0], plain(str(files[0]))
    faces = analyzer.analyze(photo)
    if not faces:
        raise FaceletError(f"{name}: no face found")
    faces, ignored = _without_background(faces)
    if len(faces) > 1 and not largest:
        raise FaceletError(
            f"{name}: {len(faces)} faces where one is expected; crop it, or take the largest (--largest, largest=True)"
        )
    notes = [f"{len(faces)} faces, the largest is taken"] * (len(faces) > 1)
    if ignored:
        scores = ", ".join(f"{face.score:.2f}" for face in ignored)
        what = "face is" if len(ignored) == 1 else "faces are"
        notes.append(
            f"{len(ignored)} far smaller and weaker {what} ignored (score {scores}; main face {faces[0].score:.2f})"
        )
    notes += faces[0].warnings
    note = f"{name}: {'; '.join(notes)}" if notes else ""
    return Subject(faces[0], plain(photo.name) if isinstance(photo, Path) else "", note)


def require_size(subjects: Sequence[Subject], info: ModelInfo) -> None:
    """Raises FaceletError for a face too small to know anyone by: a gallery would compare everybody with its blur."""
    least = SMALL_SHARE * info.measured_from
    for person in subjects:
        if person.face.landmarks is None:  # a ready crop, whose size in a photo nobody knows
            continue
        side = align.side(person.face.box, person.face.landmarks, info.crop)
        if side < least:
            raise FaceletError(
                f"{person.photo or 'the photo'}: the face has {side:.0f} pixels a side, of {info.measured_from} that the model was "
                f"measured from; take a photo with at least {least:.0f}, or enrol it all the same (--small, small=True)"
            )


def _without_background(faces: Sequence[Face]) -> tuple[list[Face], list[Face]]:
    """Those that may be meant, and those that are far smaller and weaker than the largest."""
    main = faces[0]
    area = FAR_SMALLER * main.box[2] * main.box[3]
    behind = [face.box[2] * face.box[3] <= area and face.score <= main.score - WEAKER for face in faces]
    return (
        [face for face, ignored in zip(faces, behind, strict=True) if not ignored],
        [face for face, ignored in zip(faces, behind, strict=True) if ignored],
    )
