"""The PostgreSQL database of a gallery: its connection, creation and error messages.

>>> connection = connect(DatabaseUrl("postgresql://anna:secret@db.example/faces"), create=True)

The tables lie in the first schema of the search path. ``libpq`` fills in what the URL leaves out, from its environment
variables and password file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from facelet.errors import FaceletError
from facelet.installation import install_command
from facelet.runtime.people.storage.interface import NoGalleryError
from facelet.runtime.people.storage.location import DatabaseUrl, unreadable

if TYPE_CHECKING:
    import psycopg

EXTRA = "postgres"
VERSION = 1
OLDEST_SERVER, OLDEST_PGVECTOR = 13, (0, 5)
"""First versions of PostgreSQL that pgvector supports, and of pgvector that has HNSW indexes."""
EXTENSION = "vector"
WAIT = 10
"""Seconds to wait for a connection, and for the lock of another process."""
CREATION = int.from_bytes(b"Fclt")
"""Advisory lock under which a gallery is created."""

OPTIONS: dict[str, Any] = {
    "connect_timeout": WAIT,
    "fallback_application_name": "facelet",
    # A server that vanished is noticed after half a minute instead of hours.
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Defaults of a connection; the URL may set others."""
SESSION = (f"SET lock_timeout = '{WAIT}s'", "SET TIME ZONE 'UTC'", "SET client_min_messages = warning")

SCHEMA = (
    "CREATE TABLE facelet_gallery (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), version integer NOT NULL, "
    "sha256 text, file text, dimensions integer, retention_seconds bigint)",
    f"INSERT INTO facelet_gallery (version) VALUES ({VERSION})",
    "CREATE TABLE facelet_face (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, "
    "embedding vector NOT NULL, photo text NOT NULL, enrolled timestamptz NOT NULL)",
    "CREATE INDEX facelet_face_name ON facelet_face (name)",
)
"""Table ``facelet_gallery`` has one row. A writer locks it, so that writers wait for each other."""


def connect(url: DatabaseUrl, create: bool = False) -> psycopg.Connection[Any]:
    """Opens a gallery in autocommit mode; see ``PostgresStorage.transaction``.

    Raises FaceletError when the driver is not installed, the server cannot be reached, it or pgvector is too old or missing, or
    there is no gallery (without ``create``).
    """
    try:
        import psycopg
        from pgvector.psycopg import register_vector
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise FaceletError(f"a gallery in PostgreSQL needs psycopg and pgvector: {install_command(EXTRA)}") from None
    try:
        given = conninfo_to_dict(url.secret)
    except psycopg.Error:  # its message may quote the password
        raise unreadable() from None
    with explained(url):
        connection = psycopg.connect(autocommit=True, **{**OPTIONS, **given})
        try:
            for setting in SESSION:
                connection.execute(setting)
            _require_server(connection, url)
            if create and not _has_tables(connection):
                _make(connection, url)
            _require_gallery(connection, url)
            register_vector(connection)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def explained(url: DatabaseUrl) -> Iterator[None]:
    """Turns the driver's errors into FaceletErrors that name the gallery, in one line and without the password."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        text = url.scrubbed(error.diag.message_primary or str(error))
        raise FaceletError(_meaning(error).format(url=url, error=text)) from None


def _meaning(error: psycopg.Error) -> str:
    from psycopg import errors

    meanings: tuple[tuple[type[psycopg.Error], str], ...] = (
        (errors.LockNotAvailable, "the gallery {url} is in use by another process; try again"),
        (errors.ReadOnlySqlTransaction, "cannot write the gallery {url}: it is read-only"),
        (errors.DiskFull, "the server's disk is full: the gallery {url} was not changed; free space and try again"),
        (
            errors.InsufficientPrivilege,
            "the user of the gallery {url} lacks a privilege: {error}; grant it, or use another user",
        ),
        (errors.UntranslatableCharacter, "the gallery {url}: {error}; create its database WITH ENCODING 'UTF8'"),
        (errors.UndefinedColumn, _DAMAGED),
        (errors.UndefinedTable, _DAMAGED),
        (errors.DataError, _DAMAGED),
    )
    for kind, text in meanings:
        if isinstance(error, kind):
            return text
    if isinstance(error, errors.OperationalError):
        return "cannot reach the gallery {url}: {error}; start the server, or correct --gallery or FACELET_GALLERY"
    return "the gallery {url}: {error}"


_DAMAGED = "the gallery {url} is damaged ({error}); it was not changed; restore a backup or use another gallery"


def damaged(url: DatabaseUrl, reason: str) -> FaceletError:
    """The error for a damaged gallery."""
    return FaceletError(_DAMAGED.format(url=url, error=reason))


def _require_server(connection: psycopg.Connection[Any], url: DatabaseUrl) -> None:
    version = connection.info.server_version // 10_000
    if version < OLDEST_SERVER:
        raise FaceletError(
            f"the gallery {url} is in PostgreSQL {version}; upgrade the server to {OLDEST_SERVER} or later"
        )


def _has_tables(connection: psycopg.Connection[Any]) -> bool:
    # Not in another schema of the search path: that is another gallery.
    query = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'facelet_gallery'"
    return connection.execute(query).fetchone() is not None


def _pgvector(connection: psycopg.Connection[Any]) -> str | None:
    """Version of pgvector in this database; None without it."""
    found = connection.execute("SELECT extversion FROM pg_extension WHERE extname = %s", (EXTENSION,)).fetchone()
    return found and str(found[0])


def _make(connection: psycopg.Connection[Any], url: DatabaseUrl) -> None:
    from psycopg import errors

    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (CREATION,))
        try:
            if _pgvector(connection) is None:
                connection.execute(f"CREATE EXTENSION {EXTENSION}")
        except errors.InsufficientPrivilege:
            raise _needs_pgvector(url, "let an administrator run in this database") from None
        except (errors.FeatureNotSupported, errors.UndefinedFile):
            hint = (
                "install it on the server (Debian: apt-get install postgresql-17-pgvector), then run in this database"
            )
            raise _needs_pgvector(url, hint) from None
        if not _has_tables(connection):  # another process may have created them
            for statement in SCHEMA:
                connection.execute(statement)


def _needs_pgvector(url: DatabaseUrl, hint: str) -> FaceletError:
    return FaceletError(f"the database {url} has no pgvector; {hint}: CREATE EXTENSION {EXTENSION}")


def _require_gallery(connection: psycopg.Connection[Any], url: DatabaseUrl) -> None:
    if not _has_tables(connection):
        raise NoGalleryError(f"no gallery in {url}; create it with: facelet enroll NAME PHOTO --gallery {url}")
    pgvector = _pgvector(connection)
    if pgvector is None:
        raise _needs_pgvector(url, "restore it")
    if tuple(int(part) for part in pgvector.split(".")[:2] if part.isdecimal()) < OLDEST_PGVECTOR:
        needed = ".".join(map(str, OLDEST_PGVECTOR))
        raise FaceletError(f"the database {url} has pgvector {pgvector}; upgrade it to {needed} or later")
    found = connection.execute("SELECT version FROM facelet_gallery").fetchone()
    if found is None:
        raise damaged(url, "its row in facelet_gallery is missing")
    if found[0] > VERSION:
        raise FaceletError(f"the gallery {url} was made by a later Facelet; upgrade Facelet to use it")
