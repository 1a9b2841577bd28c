"""Photos of a single person: the identity model, its threshold, and the choice of the face.

>>> analyzer = identity_analyzer("mobileface.onnx")
>>> only_face(analyzer, "anna.jpg").vector  # unit vector, float32 (D,)

A photo with several faces is an error unless ``largest`` is set, since the largest face may be another person's.
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
from facelet.runtime.analyzer import Analyzer, Photo, cached_analyzer
from facelet.runtime.detector import Finder
from facelet.runtime.face import Face
from facelet.runtime.media import photos
from facelet.runtime.model import Model, require_task
from facelet.text import plain

VARIABLE = "FACELET_IDENTITY_MODEL"
SMALL_SHARE = 0.5
"""A face whose side is below this fraction of ``measured_from`` is enrolled only with ``small``."""
FAR_SMALLER = 0.25
"""A face up to this fraction of the main face's area may be in the background."""
WEAKER = 0.1
"""Such a face is in the background if its score is lower by at least this: a false positive, or a bystander."""


@dataclass(frozen=True, eq=False)
class Subject:
    """The main face of a photo.

    Attributes:
        face: the face with its identity vector.
        photo: name of its file without folders; empty for bytes and arrays.
        note: remarks on the choice of the face and its quality, or empty.
    """

    face: Face
    photo: str = ""
    note: str = ""

    @property
    def vector(self) -> NDArray[np.float32]:
        assert self.face.identity is not None
        return self.face.identity


def find_identity_model(path: str | Path = "") -> Path:
    """Returns ``path``, else $FACELET_IDENTITY_MODEL, else the bundled identity model.

    Raises FaceletError, with a hint how to make a model, when there is none.
    """
    named = path or os.environ.get(VARIABLE, "") or default("identity")
    if not named:
        raise FaceletError(
            f"no identity model: give one (--model FILE, model=) or set {VARIABLE}; "
            "make one with: facelet run mobileface"
        )
    return Path(named)


def identity_analyzer(model: Model | str | Path = "", detector: Finder | str | Path = "", threads: int = 0) -> Analyzer:
    """Returns an Analyzer with an identity model, cached if model and detector are given by file.

    Raises FaceletError when there is no model, or when it has another task.
    """
    if isinstance(model, Model) or callable(detector):
        loaded = model if isinstance(model, Model) else find_identity_model(model)
        analyzer = Analyzer(loaded, detector, threads)
    else:
        analyzer = cached_analyzer(find_identity_model(model), detector, threads=threads)
    require_task(analyzer.model, "identity")
    return analyzer


def threshold_of(model: Model, given: float | None = None) -> float:
    """Returns the minimum cosine of faces of the same person: ``given``, else the threshold stored in the model file.

    Raises FaceletError when there is neither, and for a value outside -1 to 1.
    """
    threshold = model.info.threshold if given is None else given
    if threshold is None:
        raise FaceletError(
            f"{model.path} has no threshold; give one (--threshold, threshold=) from -1 to 1, "
            "chosen on pairs of photos like yours"
        )
    if not -1 <= threshold <= 1:
        raise FaceletError(f"threshold: {threshold:g}; expected a cosine, -1 to 1")
    return threshold


def only_face(analyzer: Analyzer, photo: Photo, largest: bool = False) -> Subject:
    """Returns the only face of a photo, or with ``largest`` the largest face.

    Background faces, far smaller than the largest and with a lower score, are ignored and listed in the note.

    Raises FaceletError, with the photo's name, if it cannot be read, has no face or several faces.
    """
    name = "the photo"
    if isinstance(photo, str | os.PathLike):
        files = photos.find([photo])
        if len(files) > 1:
            raise FaceletError(f"{photo}: {len(files)} photos, expected one")
        photo, name = files[0], plain(str(files[0]))
    return main_face(analyzer.analyze(photo), largest, name, plain(photo.name) if isinstance(photo, Path) else "")


def main_face(faces: Sequence[Face], largest: bool = False, name: str = "the photo", file: str = "") -> Subject:
    """Same as ``only_face``, for the analyzed faces of a photo.

    Args:
        faces: the photo's faces with identity vectors, largest first.
        largest: use the largest of several faces.
        name: the photo in messages.
        file: name of its file without folders, if it has one.
    """
    if not faces:
        raise FaceletError(f"{name}: no face found")
    candidates, ignored = _without_background(faces)
    if len(candidates) > 1 and not largest:
        raise FaceletError(
            f"{name}: {len(candidates)} faces, expected one; crop the photo, or use the largest face (--largest, largest=True)"
        )
    main = candidates[0]
    notes = [f"{len(candidates)} faces, using the largest"] * (len(candidates) > 1)
    if ignored:
        scores = ", ".join(f"{face.score:.2f}" for face in ignored)
        background = f"{len(ignored)} background face{'s' * (len(ignored) != 1)}"
        notes.append(f"ignored {background} (score {scores}; main face {main.score:.2f})")
    notes += main.warnings
    return Subject(main, file, f"{name}: {'; '.join(notes)}" if notes else "")


def require_size(subjects: Sequence[Subject], info: ModelInfo) -> None:
    """Raises FaceletError if a face is too small, blurred, dark or turned away to enroll, since such faces match many people."""
    least = SMALL_SHARE * info.measured_from
    for person in subjects:
        if person.face.landmarks is None:  # a ready crop, whose size in the photo is unknown
            continue
        side = align.side(person.face.box, person.face.landmarks, info.crop)
        if side < least:
            raise FaceletError(
                f"{person.photo or 'the photo'}: the face is {side:.0f} px wide, but the model was measured from "
                f"{info.measured_from} px; use a photo with at least {least:.0f} px, or enroll it anyway (--small, small=True)"
            )
        wrong = person.face.quality.reasons(smallest=0) if person.face.quality else ()
        if wrong:
            raise FaceletError(
                f"{person.photo or 'the photo'}: the face is {' and '.join(wrong)}; use another photo, or enroll it anyway "
                "(--small, small=True)"
            )


def _without_background(faces: Sequence[Face]) -> tuple[list[Face], list[Face]]:
    """Splits faces into candidates and background faces, which are far smaller and have a lower score."""
    main = faces[0]
    area = FAR_SMALLER * main.box[2] * main.box[3]
    behind = [face.box[2] * face.box[3] <= area and face.score <= main.score - WEAKER for face in faces]
    return (
        [face for face, ignored in zip(faces, behind, strict=True) if not ignored],
        [face for face, ignored in zip(faces, behind, strict=True) if ignored],
    )
