"""PostgreSQL alone: locks, lost connections, the index and its exactness, and what deletion leaves."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import MAKER, add, unit

from facelet.errors import FaceletError, FaceletWarning
from facelet.runtime.people.storage import postgres, server
from facelet.runtime.people.store import EmbeddingStore

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (extra postgres)")


@pytest.fixture
def enrolled(postgres_url):
    store = EmbeddingStore(postgres_url, create=True)
    yield store
    store.close()


@pytest.fixture
def administrator(postgres_url):
    with psycopg.connect(postgres_url.secret, autocommit=True) as connection:
        yield connection


def end_connections(administrator):
    """As a restart of the server does."""
    administrator.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'facelet' AND pid <> pg_backend_pid()"
    )


def test_it_connects_again(enrolled, administrator):
    add(enrolled, "Anna")
    end_connections(administrator)
    with pytest.raises(FaceletError, match=r"cannot reach the gallery .* start the server"):
        enrolled.people()
    assert [person.name for person in enrolled.people()] == ["Anna"]
    assert add(enrolled, "Berta", seed=1) == 1


def test_a_connection_that_is_lost_within_a_change_leaves_nothing(enrolled, administrator, monkeypatch):
    add(enrolled, "Anna")
    insert = enrolled._storage.insert

    def lost(faces):
        insert(faces)
        end_connections(administrator)

    monkeypatch.setattr(enrolled._storage, "insert", lost)
    with pytest.raises(FaceletError, match="cannot reach the gallery"):
        add(enrolled, "Berta", 3, seed=1)
    monkeypatch.undo()
    assert [(person.name, person.faces) for person in enrolled.people()] == [("Anna", 1)]


def test_in_use_by_another_process(postgres_url, administrator, monkeypatch):
    monkeypatch.setattr(server, "SESSION", ("SET lock_timeout = '50ms'", *server.SESSION[1:]))
    store = EmbeddingStore(postgres_url, create=True)
    with administrator.transaction():
        administrator.execute("SELECT FROM facelet_gallery FOR UPDATE")
        with pytest.raises(FaceletError, match="is in use by another process; try again"):
            add(store, "Anna")
        assert store.people() == []  # readers do not wait
    assert add(store, "Anna") == 1
    store.close()


def test_a_deletion_is_done_even_if_the_table_cannot_be_rewritten(enrolled, administrator, monkeypatch):
    monkeypatch.setattr(postgres, "PAUSE", "50ms")
    add(enrolled, "Anna")
    with administrator.transaction():
        administrator.execute("SELECT FROM facelet_face")
        with pytest.warns(FaceletWarning, match="deleted; the server clears the space later"):
            assert enrolled.remove(["Anna"]) == {"Anna": 1}
    assert len(enrolled) == 0


def test_a_deletion_leaves_no_bytes_in_the_table(enrolled, administrator):
    def held():
        administrator.execute("CHECKPOINT")
        (folder, file) = administrator.execute(
            "SELECT current_setting('data_directory'), pg_relation_filepath('facelet_face')"
        ).fetchone()
        path = Path(folder, file)
        if not os.access(path, os.R_OK):
            pytest.skip("the server's files are on another machine")
        return path.read_bytes()

    add(enrolled, "Anna", 30, seed=1)
    add(enrolled, "Berta Secret", 30)
    assert b"Secret" in held()
    assert unit(30)[3].tobytes() in held()
    enrolled.remove(["Berta Secret"])
    assert b"Secret" not in held()
    assert not any(vector.tobytes() in held() for vector in unit(30))


def plan(administrator, query):
    return "\n".join(row[0] for row in administrator.execute(f"EXPLAIN {query}"))


def test_an_index_above_the_limit(enrolled, administrator, monkeypatch):
    monkeypatch.setattr(postgres, "INDEXED", 500)
    add(enrolled, "Anna", 500)
    assert not enrolled._storage._has_index()
    exact = enrolled.nearest(unit(20, seed=3))
    assert not enrolled.index()
    with pytest.warns(FaceletWarning, match=r"is large; an index makes its search faster: facelet gallery index"):
        add(enrolled, "Berta", 1, seed=1)
    assert not enrolled._storage._has_index()
    assert enrolled.index()
    assert not enrolled.index()
    assert enrolled._storage._has_index()
    assert enrolled.nearest(unit(500)[:20]) == [("Anna", pytest.approx(1, abs=1e-6))] * 20
    found = enrolled.nearest(unit(20, seed=3))
    assert [name for name, _ in found] == [name for name, _ in exact]
    np.testing.assert_allclose([score for _, score in found], [score for _, score in exact], atol=1e-6)
    enrolled.remove(["Berta"])
    add(enrolled, "Clara", 2, seed=5)
    assert enrolled.nearest(unit(2, seed=5))[1] == ("Clara", pytest.approx(1, abs=1e-6))
    administrator.execute("SET enable_seqscan = off")
    column = "(embedding::vector(16))"
    vector = str(unit(1)[0].tolist())
    query = f"SELECT name FROM facelet_face ORDER BY {column} <#> '{vector}' LIMIT 1"
    assert postgres.INDEX in plan(administrator, query)
    # A search that leaves out a name is exact: its expression is not the indexed one.
    assert postgres.INDEX not in plan(administrator, query.replace(column, "embedding"))


def test_a_search_without_a_person_is_exact_with_an_index(enrolled, monkeypatch):
    """All of the nearest candidates of the index belong to the person who is left out."""
    monkeypatch.setattr(postgres, "INDEXED", 100)
    near = unit(400, seed=2) * 0.1 + unit(1)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    add(enrolled, "Berta", 5, seed=7)
    with pytest.warns(FaceletWarning):
        enrolled.add("Anna", near.astype(np.float32), ["x"] * 400, MAKER)
    assert enrolled.index()
    assert enrolled._storage._has_index()
    name, score = enrolled.nearest(unit(1), but="Anna")[0]
    assert name == "Berta"
    assert score == pytest.approx(float((unit(5, seed=7) @ unit(1)[0]).max()), abs=1e-6)


def test_another_model_gets_another_index(enrolled, monkeypatch):
    add(enrolled, "Anna", 20)
    monkeypatch.setattr(postgres, "INDEXED", 10)
    assert enrolled.index()
    enrolled.remove(["Anna"])
    assert add(enrolled, "Anna", 2, width=8) == 2
    assert not enrolled._storage._has_index()
    with pytest.warns(FaceletWarning):
        add(enrolled, "Anna", 20, width=8)
    assert enrolled.index()
    assert enrolled.nearest(unit(1, 8)) == [("Anna", pytest.approx(1))]
    enrolled.remove(["Anna"])
    add(enrolled, "Anna", 20, width=postgres.WIDEST + 1)
    assert not enrolled.index()


def test_vectors_keep_every_bit(enrolled):
    add(enrolled, "Anna", 5, width=512)
    np.testing.assert_array_equal([face.vector for face in enrolled.faces()], unit(5, 512))
