"""Photos in, names out: enrolled, found, warned of, removed; all of a person's photos or none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest

import facelet
from facelet.errors import FaceletError
from facelet.runtime.model import Model


@pytest.fixture
def gallery(studio):
    with facelet.Gallery() as opened:
        yield opened


def test_enroll_identify_remove(gallery, studio):
    done = gallery.enroll("Anna", [studio.photo("a1.png", 1), studio.photo("a2.png", 1)])
    assert (done.name, done.faces, done.already, done.alike, done.notes) == ("Anna", 2, 0, (), ())
    gallery.enroll("Berta", studio.shot(2))
    anna, stranger, berta = gallery.identify(studio.photo("party.png", 1, 3, 2))
    assert (anna.name, stranger.name, berta.name) == ("Anna", None, "Berta")
    assert anna.score > 0.5 > stranger.score
    assert [match.face.box[0] for match in (anna, stranger, berta)] == [0, 24, 48]
    assert gallery.identify(studio.shot()) == []
    assert gallery.remove("Anna") == {"Anna": 2}
    assert [match.name for match in gallery.identify("party.png")] == [None, None, "Berta"]
    assert [person.name for person in gallery.people()] == ["Berta"]


def test_the_score_is_the_best_of_a_persons_photos(gallery, studio):
    model, shots, seen = Model.load(studio.model), [studio.shot(1) for _ in range(4)], studio.shot(1)
    gallery.enroll("Anna", shots)
    expected = (model.embeddings([seen]) @ model.embeddings(shots).T).max()
    assert gallery.identify(seen)[0].score == pytest.approx(float(expected), abs=1e-6)


def test_a_face_under_two_names_is_warned_of(gallery, studio):
    gallery.enroll("Anna", studio.photo("a.png", 1))
    done = gallery.enroll("Hanna", [studio.photo("h.png", 1), studio.photo("b.png", 2)])
    (alike,) = done.alike
    assert (alike.photo, alike.name) == ("h.png", "Anna")
    assert alike.score >= 0.5
    assert str(alike).startswith("h.png looks like 'Anna', who is already enrolled (score 0.")
    assert done.faces == 2
    (back,) = gallery.enroll("Anna", studio.shot(1)).alike
    assert (back.photo, back.name) == ("", "Hanna")
    assert str(back).startswith("this face looks like 'Hanna'")
    assert gallery.enroll("Clara", studio.shot(3)).alike == ()


def test_the_same_photo_again_adds_nothing(gallery, studio):
    photo = studio.photo("a.png", 1)
    gallery.enroll("Anna", photo)
    assert (gallery.enroll("Anna", photo).faces, gallery.enroll("Anna", photo).already) == (0, 1)


@pytest.mark.parametrize(
    ("photo", "says"),
    [("none.png", "no face found"), ("two.png", "2 faces, expected one"), ("torn.png", "not a readable")],
)
def test_all_photos_or_none(gallery, studio, photo, says):
    good = [studio.photo("a.png", 1), studio.photo("b.png", 1)]
    for name, people in (("none.png", ()), ("two.png", (1, 2))):
        studio.photo(name, *people)
    (studio.folder / "torn.png").write_bytes(b"torn")
    with pytest.raises(FaceletError, match=rf"{photo}: {says}"):
        gallery.enroll("Anna", [good[0], photo, good[1]])
    assert not gallery.file.exists()
    gallery.enroll("Anna", good)
    with pytest.raises(FaceletError, match=photo):
        gallery.enroll("Anna", [studio.photo("c.png", 1), photo])
    assert gallery.people()[0].faces == 2


def test_the_largest_is_said(gallery, studio):
    done = gallery.enroll("Anna", studio.photo("two.png", 1, 2), largest=True)
    assert done.notes == ("two.png: 2 faces, using the largest",)
    assert [match.name for match in gallery.identify(studio.shot(1, 2))] == ["Anna", None]


def test_another_model_is_refused_before_photos_are_read(gallery, studio, make_identity, tmp_path):
    gallery.enroll("Anna", studio.shot(1))
    other = facelet.Gallery(model=make_identity(tmp_path / "other.onnx", seed=1))
    for act in (lambda: other.enroll("Berta", "gone.png"), lambda: other.identify("gone.png")):
        with pytest.raises(
            FaceletError,
            match=r"was made with identity.onnx \(SHA-256 \w{12}\), not with other.onnx .*facelet enroll NAME",
        ):
            act()
    assert [person.name for person in other.people()] == ["Anna"]
    assert other.remove("Anna") == {"Anna": 1}
    assert other.enroll("Berta", studio.shot(2)).faces == 1


def test_without_a_threshold(studio, make_identity, tmp_path):
    model = make_identity(tmp_path / "bare.onnx", threshold=None)
    with facelet.Gallery(model=model) as bare:
        assert (
            bare.enroll("Anna", studio.shot(1)).notes[0].startswith("the model has no threshold: not checked whether")
        )
        with pytest.raises(FaceletError, match="has no threshold; give one"):
            bare.identify(studio.shot(1))
    with facelet.Gallery(model=model, threshold=0.4) as told:
        assert told.identify(studio.shot(1))[0].name == "Anna"
        assert told.enroll("Berta", studio.shot(1)).alike[0].name == "Anna"


def test_nobody_yet(gallery, studio):
    for act in (gallery.people, lambda: gallery.remove("Anna"), lambda: gallery.identify(studio.shot(1))):
        with pytest.raises(FaceletError, match=r"no gallery .* create it with: facelet enroll"):
            act()
    gallery.enroll("Anna", studio.shot(1))
    gallery.remove("Anna")
    with pytest.raises(FaceletError, match=r"the gallery .* is empty; start with: facelet enroll"):
        gallery.identify(studio.shot(1))
    with pytest.raises(FaceletError, match="no photo of 'Anna' given"):
        gallery.enroll("Anna", [])


def test_names_are_checked_before_anything(gallery, monkeypatch):
    monkeypatch.delenv("FACELET_IDENTITY_MODEL")
    with pytest.raises(FaceletError, match="the name '' is empty"):
        gallery.enroll("", "gone.png")


def test_looking_and_removing_need_no_model(gallery, studio, monkeypatch):
    gallery.enroll("Anna", studio.shot(1))
    vector = next(gallery.faces()).vector
    monkeypatch.delenv("FACELET_IDENTITY_MODEL")
    with facelet.Gallery(gallery.file) as other:
        assert other.model.file == "identity.onnx"
        np.testing.assert_array_equal(next(other.faces()).vector, vector)
        other.remove("Anna")


@pytest.mark.real
def test_a_round_trip_on_real_photos(photos_folder, yunet, tmp_path, make_identity):
    """The tiny model knows pixels, not people: the very same photo is found again, and removed."""
    photos = photos_folder / "verify"
    with facelet.Gallery(tmp_path / "g.db", make_identity(tmp_path / "m.onnx", threshold=0.999), yunet) as gallery:
        gallery.enroll("Barack", photos / "obama_obama.jpg")
        gallery.enroll("Joe", photos / "biden_biden.jpg")
        assert [match.name for match in gallery.identify(photos / "biden_biden.jpg")] == ["Joe"]
        gallery.remove("Joe")
        assert [match.name for match in gallery.identify(photos / "biden_biden.jpg")] == [None]


def test_no_folder_is_made_for_a_typo(studio, monkeypatch, tmp_path):
    photo, typo = studio.photo("a.png", 1), tmp_path / "typo" / "g.db"
    monkeypatch.setenv("FACELET_GALLERY", str(typo))
    with pytest.raises(
        FaceletError, match=r"folder '.*typo' of the gallery .* does not exist; .*FACELET_GALLERY.* mkdir -p .*typo"
    ):
        facelet.Gallery().enroll("Anna", photo)
    assert not typo.parent.exists()
    typo.parent.mkdir()
    assert facelet.Gallery().enroll("Anna", photo).faces == 1
    usual = tmp_path / "data" / "facelet" / "gallery.db"
    monkeypatch.delenv("FACELET_GALLERY")
    monkeypatch.setattr("facelet.runtime.people.storage.location.usual", lambda: usual)
    assert facelet.Gallery().enroll("Anna", photo).faces == 1
    assert usual.exists()


def test_a_face_that_cannot_be_seen_is_not_enrolled_unasked(gallery, studio):
    dark = (0.1 * studio.shot(1)).astype(np.uint8)
    with pytest.raises(FaceletError, match=r"the photo: the face is too dark; use another photo, .*--small"):
        gallery.enroll("Anna", dark)
    assert gallery.enroll("Anna", dark, small=True).faces == 1


def test_a_face_too_small_to_know_anyone_by_is_not_enrolled_unasked(studio, make_identity, tmp_path):
    """The studio's faces have 24 pixels a side."""
    photo = studio.photo("a.png", 1)
    strict, enough = (make_identity(tmp_path / f"{least}.onnx", smallest=least) for least in (50, 48))
    with facelet.Gallery(model=strict) as gallery:
        with pytest.raises(
            FaceletError, match=r"^a.png: the face is 24 px wide, .* from 50 px; .* at least 25 px, .*--small"
        ):
            gallery.enroll("Anna", photo)
        assert not gallery.file.exists()
        done = gallery.enroll("Anna", photo, small=True)
        assert (done.faces, done.notes) == (1, ("a.png: small: 24 px, measured from 50 px",))
    assert facelet.Gallery(tmp_path / "other.db", model=enough).enroll("Anna", photo).faces == 1


def test_it_exists_after_the_first_enrollment(gallery, studio):
    assert not gallery.exists()
    gallery.enroll("Anna", studio.shot(1))
    gallery.remove("Anna")
    assert gallery.exists()


def test_faces_that_were_found_before_are_added(gallery, studio):
    from facelet.runtime.people.subject import Subject

    faces = gallery.analyzer.analyze(studio.shot(1, 2))
    done = gallery.add("Anna", [Subject(faces[0], "a.png"), Subject(faces[1], "b.png", "a note")])
    assert (done.faces, done.notes) == (2, ("a note",))
    assert [face.photo for face in gallery.faces()] == ["a.png", "b.png"]


def test_renaming(gallery, studio):
    gallery.enroll("Anna", [studio.shot(1), studio.shot(1)])
    assert gallery.rename("Anna", "Hanna") == 2
    assert [match.name for match in gallery.identify(studio.shot(1))] == ["Hanna"]
    gallery.enroll("Berta", studio.shot(2))
    with pytest.raises(FaceletError, match="'Berta' is already enrolled"):
        gallery.rename("Hanna", "Berta")
    assert gallery.rename("Hanna", "Berta", merge=True) == 3
    assert [match.name for match in gallery.identify(studio.shot(1, 2))] == ["Berta", "Berta"]


def test_a_database_is_a_gallery_as_a_file_is(studio, postgres_url, make_identity, tmp_path):
    with facelet.Gallery(postgres_url.secret) as gallery:
        for act in (gallery.people, lambda: gallery.identify(studio.shot(1))):
            with pytest.raises(FaceletError, match=r"no gallery in .* create it with: facelet enroll"):
                act()
        gallery.enroll("Anna", [studio.shot(1), studio.shot(1)])
        assert gallery.enroll("Hanna", studio.shot(1)).alike[0].name == "Anna"
        assert [match.name for match in gallery.identify(studio.shot(1, 2))][1] is None
        other = facelet.Gallery(postgres_url, make_identity(tmp_path / "other.onnx", seed=1))
        with pytest.raises(FaceletError, match=r"was made with identity.onnx .*, not with other.onnx"):
            other.enroll("Berta", "gone.png")
        assert other.remove("Anna", "Hanna") == {"Anna": 2, "Hanna": 1}
        other.close()
        with pytest.raises(FaceletError, match="is empty; start with: facelet enroll"):
            gallery.identify(studio.shot(1))


def test_a_new_gallery_is_encrypted_if_there_is_a_key(gallery, studio, tmp_path, monkeypatch):
    from facelet.runtime.people.storage.keys import make_key_file

    pytest.importorskip("cryptography", reason="cryptography is not installed (extra encrypt)")
    make_key_file(tmp_path / "g.key")
    with facelet.Gallery(tmp_path / "sealed.db", key=tmp_path / "g.key") as sealed:
        sealed.enroll("Anna", studio.photo("a.png", 1))
        assert [match.name for match in sealed.identify(studio.shot(1))] == ["Anna"]
    assert b"Anna" not in sealed.file.read_bytes()
    with pytest.raises(FaceletError, match="is encrypted; give its key"):
        facelet.Gallery(sealed.file).people()
    monkeypatch.setenv("FACELET_GALLERY_KEY", (tmp_path / "g.key").read_text())
    assert [person.name for person in facelet.Gallery(sealed.file).people()] == ["Anna"]


def test_the_retention_time_is_stored(gallery, studio, monkeypatch):
    gallery.enroll("Anna", studio.shot(1))
    assert gallery.retention is None
    with facelet.Gallery(retention=timedelta(days=30)) as kept:
        assert kept.retention == timedelta(days=30)
    assert gallery.retention == timedelta(days=30)
    gallery.close()
    late = datetime.now(UTC) + timedelta(days=31)
    opened = facelet.runtime.people.gallery.EmbeddingStore
    in_future = partial(opened, clock=lambda: late)
    monkeypatch.setattr("facelet.runtime.people.gallery.EmbeddingStore", in_future)
    assert gallery.people() == []
    gallery.set_retention(None)
    assert gallery.retention is None


@pytest.mark.parametrize("place", ["file", "database"])
def test_threads_share_a_gallery(studio, place, request, tmp_path):
    """Enrolling, renaming, removing and identifying at once, from the first call on: the end is what each thread did."""
    file = request.getfixturevalue("postgres_url") if place == "database" else tmp_path / "shared.db"
    shots = {number: [studio.shot(number) for _ in range(3)] for number in range(6)}
    with facelet.Gallery(file) as gallery:

        def visit(number):
            gallery.enroll(f"person {number}", shots[number][:2])
            assert gallery.identify(shots[number][2])[0].name == f"person {number}"
            assert gallery.rename(f"person {number}", f"guest {number}") == 2
            if number % 2:
                gallery.remove(f"guest {number}")
            return [person.faces for person in gallery.people()]

        with ThreadPoolExecutor(6) as pool:
            seen = list(pool.map(visit, shots))
        assert all(set(faces) <= {2} for faces in seen)
        assert [(person.name, person.faces) for person in gallery.people()] == [(f"guest {n}", 2) for n in (0, 2, 4)]


def test_an_invalid_threshold_enrolls_nobody(studio):
    with facelet.Gallery(threshold=2) as gallery:
        with pytest.raises(FaceletError, match="threshold: 2"):
            gallery.enroll("Anna", studio.shot(1))
        assert not gallery.file.exists()
