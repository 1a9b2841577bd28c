"""Identifiers and predictions, against plain loops."""

from __future__ import annotations

import uuid

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.runtime.face import Face
from facelet.runtime.people.gallery import Gallery
from facelet.runtime.people.subject import Subject
from facelet.serve.audit import Actor
from facelet.serve.errors import ApiError
from facelet.serve.routes import compreface_collection as collection

ACTOR = Actor("phone", "10.0.0.7")


def face(vector: np.ndarray) -> Face:
    return Face((0, 0, 9, 9), 1.0, identity=(vector / np.linalg.norm(vector)).astype(np.float32))


@pytest.fixture
def gallery(studio):
    """Thirty random faces of nine people."""
    rng = np.random.default_rng(0)
    with Gallery(model=studio.model) as made:
        for number in range(30):
            made.add(f"person {number % 9}", [Subject(face(rng.normal(size=64)))])
        yield made


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_predictions(gallery, count):
    rng = np.random.default_rng(1)
    faces = [face(rng.normal(size=64)) for _ in range(7)]
    found = collection.predictions(gallery, faces, count)
    for asked, predictions in zip(faces, found, strict=True):
        best: dict[str, float] = {}
        for enrolled in gallery.faces():
            cosine = float(sum(a * b for a, b in zip(asked.identity, enrolled.vector, strict=True)))
            best[enrolled.name] = max(cosine, best.get(enrolled.name, -1.0))
        expected = sorted(best.items(), key=lambda pair: -pair[1])[:count]
        assert [name for name, _ in predictions] == [name for name, _ in expected]
        assert [cosine for _, cosine in predictions] == pytest.approx([cosine for _, cosine in expected], abs=1e-5)


def test_identifiers(gallery):
    faces = list(gallery.faces())
    ids = [collection.image_id(face.name, face.vector) for face in faces]
    assert len(set(ids)) == 30
    assert [found.vector.tolist() for found in collection.stored(gallery, [ids[4], ids[2], str(uuid.uuid4())])] == [
        faces[4].vector.tolist(),
        faces[2].vector.tolist(),
    ]
    assert collection.checked_id(ids[0].upper()) == ids[0]
    for text in ("", "x", "0" * 31, "é" * 32):
        with pytest.raises(ApiError, match="no UUID"):
            collection.checked_id(text)


def test_what_another_request_has_deleted_meanwhile(gallery, monkeypatch, lines):
    """Lost races delete the others, and only what was deleted is answered and audited."""
    people, (one, two, *_) = gallery.people(), list(gallery.faces())
    monkeypatch.setattr(gallery, "people", lambda: people)
    assert gallery.remove("person 3") == {"person 3": 3}
    assert not collection.rename(gallery, "person 3", "Zoë", ACTOR)
    monkeypatch.setattr(collection, "stored", lambda gallery, ids: [one, two])
    gallery.remove_face(one.name, one.vector)
    assert collection.delete(gallery, [], ACTOR) == [two]
    assert collection.delete_all(gallery, ACTOR, "person 3") == {}
    removed = collection.delete_all(gallery, ACTOR)
    assert sorted(removed) == [f"person {number}" for number in range(9) if number != 3]
    assert [line["name"] for line in lines] == [two.name, *removed]


def test_a_removed_face_leaves_the_others(gallery):
    first, *others = gallery.faces()
    assert gallery.remove_face(first.name, first.vector)
    assert not gallery.remove_face(first.name, first.vector)
    assert not gallery.remove_face("nobody", others[0].vector)
    assert [face.vector.tolist() for face in gallery.faces()] == [face.vector.tolist() for face in others]
    assert gallery.nearest([Face((0, 0, 1, 1), 1.0, identity=first.vector)])[0].score < 0.99
    with pytest.raises(FaceletError):
        gallery.remove(first.name, "nobody")
