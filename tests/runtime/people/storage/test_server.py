"""A gallery's database: made once, refused with what to do, and its password kept out of every message."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from facelet.errors import FaceletError
from facelet.runtime.people.storage import server
from facelet.runtime.people.storage.interface import NoGalleryError
from facelet.runtime.people.storage.location import DatabaseUrl

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (extra postgres)")
pytest.importorskip("pgvector", reason="pgvector is not installed (extra postgres)")


def refused(url, says, create=False):
    with pytest.raises(FaceletError, match=says) as caught:
        server.connect(url, create)
    text = str(caught.value)
    assert "\n" not in text
    assert "s3cret" not in text
    return text


def run(url, *statements):
    with psycopg.connect(url.secret, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def test_made_once(postgres_url):
    with pytest.raises(
        NoGalleryError, match=r"no gallery in postgresql://.*; create it with: facelet enroll NAME PHOTO"
    ):
        server.connect(postgres_url)
    for _ in range(2):
        server.connect(postgres_url, create=True).close()
    connection = server.connect(postgres_url)
    assert connection.execute("SELECT count(*) FROM facelet_gallery").fetchone() == (1,)
    assert connection.execute("SHOW lock_timeout").fetchone() == ("10s",)
    connection.close()


def test_each_schema_of_a_search_path_is_another_gallery(postgres_url):
    server.connect(postgres_url, create=True).close()
    (schema,) = postgres_url.secret.partition("search_path%3D")[2].split("%2Cpublic")[:1]
    run(postgres_url, f"CREATE SCHEMA {schema}_team")
    team = DatabaseUrl(postgres_url.secret.replace(f"{schema}%2C", f"{schema}_team%2C{schema}%2C"))
    with pytest.raises(NoGalleryError):
        server.connect(team)
    server.connect(team, create=True).close()
    run(team, "INSERT INTO facelet_face (name, embedding, photo, enrolled) VALUES ('Anna', '[1]', '', now())")
    connection = server.connect(postgres_url)
    assert connection.execute("SELECT count(*) FROM facelet_face").fetchone() == (0,)
    connection.close()
    run(postgres_url, f"DROP SCHEMA {schema}_team CASCADE")


def test_made_by_several_servers_at_once(postgres_url):
    with ThreadPoolExecutor(4) as pool:
        for connection in pool.map(lambda _: server.connect(postgres_url, create=True), range(4)):
            assert connection.execute("SELECT count(*) FROM facelet_gallery").fetchone() == (1,)
            connection.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:s3cret@127.0.0.1:1/faces",
        "postgresql://anna:s3cret@no-such-host.invalid/faces",
        "postgresql://anna:s3cret@/faces?host=/no/such/folder",
    ],
)
def test_a_server_that_is_away(url):
    refused(
        DatabaseUrl(url),
        r"^cannot reach the gallery postgresql://anna:\*\*\*@.*; start the server, or correct --gallery",
    )


@pytest.mark.parametrize(
    "url",
    ["postgresql://anna:s3cret@h:port/faces", "postgresql://h/faces?pass=s3cret", "postgresql://anna:%s3cret@h/faces"],
)
def test_a_url_that_the_driver_cannot_read(url):
    refused(DatabaseUrl(url), "cannot read the gallery's URL|cannot reach the gallery")


def test_a_wrong_database(postgres_url):
    other = DatabaseUrl(postgres_url.secret.replace("/postgres?", "/nowhere?"))
    refused(other, 'cannot reach the gallery .*database "nowhere" does not exist')


def test_without_pgvector_on_the_server(postgres_url, monkeypatch):
    monkeypatch.setattr(server, "EXTENSION", "no_such_extension")
    refused(
        postgres_url,
        r"has no pgvector; install it on the server .*postgresql-17-pgvector.*CREATE EXTENSION",
        create=True,
    )


def test_without_pgvector_in_the_database(postgres_url):
    server.connect(postgres_url, create=True).close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "EXTENSION", "no_such_extension")
        refused(postgres_url, "has no pgvector; restore it: CREATE EXTENSION")


def test_a_user_who_may_not_create_extensions(postgres_url, postgres_server):
    reader = DatabaseUrl(
        postgres_url.secret.replace("postgres:@", "facelet_reader:s3cret@").replace("/postgres?", "/facelet_bare?")
    )
    if "s3cret@" not in reader.secret or "/facelet_bare" not in reader.secret:
        pytest.skip("the URL of the server that was given has another user or database")
    gone = ("DROP DATABASE IF EXISTS facelet_bare", "DROP ROLE IF EXISTS facelet_reader")
    made = ("CREATE ROLE facelet_reader LOGIN PASSWORD 's3cret'", "CREATE DATABASE facelet_bare")
    run(DatabaseUrl(postgres_server), *gone, *made)
    refused(reader, r"has no pgvector; let an administrator run in this database: CREATE EXTENSION vector", create=True)
    refused(reader, "no gallery in")
    run(DatabaseUrl(postgres_server), *gone)


def test_a_user_who_may_not_read(postgres_url):
    reader = DatabaseUrl(postgres_url.secret.replace("postgres:@", "facelet_guest:s3cret@"))
    if reader == postgres_url:
        pytest.skip("the URL of the server that was given has another user")
    server.connect(postgres_url, create=True).close()
    schema = postgres_url.secret.partition("search_path%3D")[2].partition("%2C")[0]
    run(postgres_url, "DROP ROLE IF EXISTS facelet_guest", "CREATE ROLE facelet_guest LOGIN")
    run(postgres_url, f"GRANT USAGE ON SCHEMA {schema} TO facelet_guest")
    refused(reader, "lacks a privilege: permission denied for table facelet_gallery; grant it, or use another user")
    run(postgres_url, f"REVOKE USAGE ON SCHEMA {schema} FROM facelet_guest", "DROP ROLE facelet_guest")


def test_versions_that_are_too_old(postgres_url, monkeypatch):
    server.connect(postgres_url, create=True).close()
    with monkeypatch.context() as patch:
        patch.setattr(server, "OLDEST_SERVER", 99)
        refused(postgres_url, r"is in PostgreSQL \d+; upgrade the server to 99 or later")
    with monkeypatch.context() as patch:
        patch.setattr(server, "OLDEST_PGVECTOR", (99, 1))
        refused(postgres_url, r"has pgvector [\d.]+; upgrade it to 99.1 or later")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE facelet_gallery SET version = 99", "was made by a later Facelet; upgrade"),
        ("DELETE FROM facelet_gallery", "is damaged .its row in facelet_gallery is missing"),
        ("ALTER TABLE facelet_gallery DROP COLUMN version", "is damaged .*version"),
    ],
)
def test_tables_that_are_not_ours(postgres_url, change, says):
    server.connect(postgres_url, create=True).close()
    run(postgres_url, change)
    refused(postgres_url, says)


def test_without_the_driver(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(FaceletError, match=r"needs psycopg and pgvector: .*\[postgres\]"):
        server.connect(DatabaseUrl("postgresql://h/d"))


def test_errors_of_statements_name_the_gallery_without_its_password(postgres_url):
    url = DatabaseUrl("postgresql://anna:s3cret@db/faces")
    connection = server.connect(postgres_url, create=True)
    for statement, says in (
        ("SELECT 's3cret'::vector", r"is damaged \(invalid input syntax for type vector: \"\*\*\*\""),
        ("SELECT * FROM gone", "is damaged"),
        ("SELECT 1/0", "is damaged .division by zero"),
        ("nonsense", "the gallery .*: syntax error"),
    ):
        with pytest.raises(FaceletError, match=says) as caught, server.explained(url):
            connection.execute(statement)
        assert str(caught.value).count("postgresql://anna:***@db/faces") == 1
        assert "s3cret" not in str(caught.value)
    connection.close()
