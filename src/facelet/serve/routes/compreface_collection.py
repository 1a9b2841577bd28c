"""What CompreFace's API does with a gallery: identifiers of faces, several predictions, deletion of single faces.

The identifier of a face is a hash of its name and vector, so that it needs no column. Renaming a person changes it. It does not
reveal the vector.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.runtime.face import Face
from facelet.runtime.people.enrolled import EnrolledFace, UnknownPersonError
from facelet.runtime.people.gallery import Gallery
from facelet.serve import audit
from facelet.serve.audit import Actor
from facelet.serve.errors import ApiError

NAMESPACE = uuid.UUID("5d2c8d0e-6a5b-5c0e-9c55-8f6f0c1c7a5e")
"""Of the identifiers (RFC 9562, version 5)."""

Predictions = list[tuple[str, float]]
"""Names and cosines, the most similar first."""


def image_id(name: str, vector: NDArray[Any]) -> str:
    """The identifier of an enrolled face: a UUID."""
    return str(uuid.uuid5(NAMESPACE, f"{name}\n{np.asarray(vector, '<f4').tobytes().hex()}"))


def checked_id(text: str) -> str:
    """An identifier in its usual form. Raises ApiError when it is no UUID."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ApiError(400, "invalid_id", "the image id is no UUID") from None


def stored(gallery: Gallery, ids: Sequence[str]) -> list[EnrolledFace]:
    """The enrolled faces with these identifiers, in their order; unknown identifiers are left out. Reads the whole gallery."""
    wanted = dict.fromkeys(ids)
    faces = {key: face for face in gallery.faces() if (key := image_id(face.name, face.vector)) in wanted}
    return [faces[key] for key in wanted if key in faces]


def delete(gallery: Gallery, ids: Sequence[str], actor: Actor) -> list[EnrolledFace]:
    """Deletes the enrolled faces with these identifiers and returns them."""
    deleted = []
    for face in stored(gallery, ids):
        if gallery.remove_face(face.name, face.vector):
            audit.record("delete", actor, name=face.name, faces=1)
            deleted.append(face)
    return deleted


def rename(gallery: Gallery, name: str, new: str, actor: Actor) -> bool:
    """Gives a person another name; if somebody has it already, they get the faces. False for an unknown ``name``."""
    try:
        faces = gallery.rename(name, new, merge=True)
    except UnknownPersonError:
        return False
    audit.record("rename", actor, name=name, new=new, faces=faces)
    return True


def delete_all(gallery: Gallery, actor: Actor, name: str | None = None) -> dict[str, int]:
    """Deletes the person of a name, or everybody; returns names and numbers of faces, empty for an unknown name."""
    names = [person.name for person in gallery.people()] if name is None else [name]
    removed = gallery.remove(*names, missing_ok=True)
    for person, faces in removed.items():
        audit.record("delete", actor, name=person, faces=faces)
    return removed


def predictions(gallery: Gallery, faces: Sequence[Face], count: int) -> list[Predictions]:
    """The ``count`` people most similar to each face. More than one for each face reads the whole gallery."""
    if count == 1:
        nearest = gallery.nearest(faces)
        return [[(match.name, match.score)] if match.name is not None else [] for match in nearest]
    enrolled = list(gallery.faces())  # sorted by name
    if not enrolled:
        return [[] for _ in faces]
    names = [face.name for face in enrolled]
    starts = [place for place, name in enumerate(names) if place == 0 or name != names[place - 1]]
    vectors = np.stack([face.identity for face in faces if face.identity is not None])
    cosines = np.maximum.reduceat(vectors @ np.stack([face.vector for face in enrolled]).T, starts, axis=1)
    best = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    return [
        [(names[starts[place]], float(row[place])) for place in places]
        for row, places in zip(cosines, best.tolist(), strict=True)
    ]
