"""The SQLite file of a gallery, plain and encrypted: what is in its bytes, what is kept in memory, and damaged rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pytest
from gallery_fixtures import KEY, add, unit

from facelet.errors import FaceletError
from facelet.runtime.people.store import EmbeddingStore


@pytest.fixture
def enrolled(tmp_path):
    return EmbeddingStore(tmp_path / "g.db", create=True)


@pytest.fixture
def sealed(tmp_path):
    pytest.importorskip("cryptography", reason="cryptography is not installed (extra encrypt)")
    return EmbeddingStore(tmp_path / "sealed.db", create=True, key=KEY)


def changed(path, sql, values=()):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql, values)


@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize("width", [16, 512])
def test_deletion_leaves_no_bytes(enrolled, count, width):
    add(enrolled, "Anna", 30, seed=1, width=width)
    add(enrolled, "Berta Secret", count, seed=2, width=width)
    add(enrolled, "Clara", 30, seed=3, width=width)
    # A search's first and last four numbers, so that a page's edge in the middle hides nothing.
    pieces = [part.tobytes() for row in unit(count, width, 2) for part in (row[:4], row[-4:])]
    held = enrolled.location.read_bytes()
    assert all(piece in held for piece in pieces)
    assert enrolled.remove(["Berta Secret"]) == {"Berta Secret": count}
    files = list(enrolled.location.parent.iterdir())
    assert files == [enrolled.location]
    left = enrolled.location.read_bytes()
    assert not any(piece in left for piece in pieces)
    assert b"Secret" not in left
    assert b"Ber.png" not in left
    assert len(left) < len(held) or count == 1
    assert [person.name for person in enrolled.people()] == ["Anna", "Clara"]
    assert enrolled.nearest(unit(30, width, 3))[4] == ("Clara", pytest.approx(1))
    enrolled.close()
    assert len(EmbeddingStore(enrolled.location)) == 60


def test_a_new_name_leaves_no_bytes_of_the_old(enrolled):
    add(enrolled, "Berta Secret", 300)
    enrolled.rename("Berta Secret", "Clara")
    assert b"Secret" not in enrolled.location.read_bytes()


def test_a_refused_change_leaves_the_file_as_it_is(enrolled):
    add(enrolled, "Anna", 2)
    before = enrolled.location.read_bytes()
    with pytest.raises(FaceletError, match=r"vectors of \(1, 8\)"):
        add(enrolled, "Berta", width=8)
    assert enrolled.location.read_bytes() == before


def test_an_encrypted_file_has_no_plain_bytes(sealed):
    """Nor has the journal of a change, which the disk may keep."""
    journal, bytes_of_journal = sealed.location.with_name("sealed.db-journal"), []
    sealed._storage._connection.set_trace_callback(
        lambda sql: sql == "COMMIT" and journal.exists() and bytes_of_journal.append(journal.read_bytes())
    )
    add(sealed, "Berta Secret", 300)
    add(sealed, "Anna", 2, seed=1)
    sealed.rename("Anna", "Clara Secret")
    sealed.remove(["Clara Secret"])
    assert len(bytes_of_journal) >= 3
    pieces = [part.tobytes() for row in unit(300) for part in (row[:2], row[-2:])]
    for held in (sealed.location.read_bytes(), *bytes_of_journal):
        assert not any(piece in held for piece in pieces)
        for text in (b"Secret", b"Anna", b"Ber.png", KEY):
            assert text not in held
    assert sealed.nearest(unit(300))[7] == ("Berta Secret", pytest.approx(1))


def test_the_right_key_or_none_at_all(sealed, enrolled):
    add(sealed, "Anna")
    before = sealed.location.read_bytes()
    for key, says in ((None, "is encrypted; give its key"), (bytes(32), "was encrypted with another key")):
        for create in (True, False):
            with pytest.raises(FaceletError, match=says) as caught:
                EmbeddingStore(sealed.location, create, key)
            assert "\n" not in str(caught.value)
    with pytest.raises(FaceletError, match=r"a key is given, but the gallery .* is not encrypted"):
        EmbeddingStore(enrolled.location, key=KEY)
    assert sealed.location.read_bytes() == before
    assert len(EmbeddingStore(sealed.location, key=KEY)) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            "UPDATE face SET name = (SELECT name FROM face ORDER BY id DESC LIMIT 1)",
            "an encrypted face is not authentic",
        ),
        ("UPDATE face SET enrolled = '2099-01-01T00:00:00+00:00'", "an encrypted face is not authentic"),
        ("UPDATE model SET sha256 = 'b'", "an encrypted face is not authentic"),
        ("UPDATE face SET embedding = x'00'", "an encrypted face is not authentic"),
        ("UPDATE setting SET value = 'x'", "its encryption settings cannot be read"),
    ],
)
def test_changed_rows_of_an_encrypted_gallery(sealed, change, says):
    add(sealed, "Anna", 2)
    add(sealed, "Berta", 2, seed=1)
    changed(sealed.location, change)
    sealed.close()
    with pytest.raises(FaceletError, match=f"is damaged .{says}"):
        EmbeddingStore(sealed.location, key=KEY).nearest(unit(1))


def test_every_face_of_a_gallery_has_a_nonce_of_its_own(sealed):
    add(sealed, "Anna", 300)
    sealed.rename("Anna", "Berta")
    add(sealed, "Anna", 300)
    with closing(sqlite3.connect(sealed.location)) as connection:
        found = [blob[:12] for (blob,) in connection.execute("SELECT embedding FROM face")]
    assert len(set(found)) == 600


@pytest.mark.parametrize("kind", ["enrolled", "sealed"])
def test_the_matrix_stays_in_memory(kind, request):
    store = request.getfixturevalue(kind)
    add(store, "Anna", 5)
    asked = []
    store._storage._connection.set_trace_callback(asked.append)
    for _ in range(3):
        store.nearest(unit(1))
    assert sum("embedding" in sql for sql in asked) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE face SET embedding = x'00000000'", "vectors of other lengths than 16"),
        ("UPDATE face SET embedding = zeroblob(64)", "vectors of another length than 1"),
        ("UPDATE face SET embedding = 'text'", "rows of other types than a gallery's"),
        ("UPDATE face SET photo = x'00'", "rows of other types than a gallery's"),
        ("UPDATE face SET name = x'00'", "rows of other types than a gallery's"),
        ("UPDATE model SET dimensions = 'many'", "its model cannot be read"),
        ("UPDATE model SET dimensions = -1", "vectors of other lengths than -1"),
        ("DELETE FROM model", "its model is missing"),
    ],
)
def test_vectors_that_cannot_be(enrolled, change, says):
    add(enrolled, "Anna", 3)
    changed(enrolled.location, change)
    with pytest.raises(FaceletError, match=f"is damaged .{says}|vectors of .1, 16.; the gallery .* has .N, -1"):
        enrolled.nearest(unit(1))
    if "zeroblob" not in change:
        with pytest.raises(FaceletError, match="is damaged"):
            list(enrolled.faces())


@pytest.mark.parametrize("value", ["many", "1e9", "9" * 30])
def test_a_retention_time_that_cannot_be(enrolled, value):
    from datetime import timedelta

    enrolled.set_retention(timedelta(days=1))
    changed(enrolled.location, "UPDATE setting SET value = ?", (value,))
    with pytest.raises(FaceletError, match=r"is damaged .its retention time is"):
        EmbeddingStore(enrolled.location)


def test_a_gallery_that_cannot_be_written(enrolled):
    add(enrolled, "Anna")
    enrolled._storage._connection.execute("PRAGMA query_only = ON")
    for act in (
        lambda: add(enrolled, "Berta", seed=1),
        lambda: enrolled.remove(["Anna"]),
        lambda: enrolled.rename("Anna", "Berta"),
    ):
        with pytest.raises(FaceletError, match=r"cannot write the gallery .* read-only"):
            act()
    assert len(enrolled) == 1


def test_faces_of_an_encrypted_gallery_are_those_that_were_enrolled(sealed):
    add(sealed, "Anna", 3)
    sealed.close()
    again = EmbeddingStore(sealed.location, key=KEY)
    np.testing.assert_array_equal([face.vector for face in again.faces()], unit(3))
    assert {face.photo for face in again.faces()} == {"Ann.png"}
