"""A gallery's file: made, opened, refused and left alone; killed processes; another process at work."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest
from gallery_fixtures import MAKER
from gallery_fixtures import unit as unit_of

import facelet
from facelet.errors import FaceletError
from facelet.runtime.people.storage import database
from facelet.runtime.people.storage.interface import NoGalleryError
from facelet.runtime.people.store import EmbeddingStore


def unit(count, seed=0):
    return unit_of(count, 64, seed)


def filled(path, count=200):
    enrolled = EmbeddingStore(path, create=True)
    enrolled.add("Anna", unit(count), ["a.png"] * count, MAKER)
    enrolled.close()
    return path


def refused(path, says, create=True):
    """By every way of opening, and nothing of the folder is changed."""
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir() if file.is_file()}
    for make in {False, create}:
        with pytest.raises(FaceletError, match=says) as caught:
            database.connect(path, make)
        assert str(path) in str(caught.value)
    after = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir() if file.is_file()}
    assert after == before


def test_made_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "new" / "people #1?.db"
    with pytest.raises(FaceletError, match=r"no gallery .* create it with: facelet enroll"):
        database.connect(path)
    assert not path.parent.exists()
    path.parent.mkdir()
    database.connect(path, create=True).close()
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    database.connect(path, create=True).close()
    database.connect(path).close()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_empty_file_is_one_that_was_never_filled(tmp_path):
    (tmp_path / "g.db").touch()
    with pytest.raises(NoGalleryError, match="no gallery"):
        database.connect(tmp_path / "g.db")
    database.connect(tmp_path / "g.db", create=True).close()
    database.connect(tmp_path / "g.db").close()


def test_foreign_files_are_left_alone(tmp_path):
    path = tmp_path / "text.db"
    path.write_text("my diary\n" * 500)
    refused(path, "is not a gallery")
    path.write_bytes(b"x")
    refused(path, "is not a gallery")
    with closing(sqlite3.connect(tmp_path / "music.db")) as music:
        music.execute("CREATE TABLE song (name)")
    refused(tmp_path / "music.db", "is not a gallery; it was not changed")


def test_a_foreign_database_that_was_killed_is_not_rolled_back(tmp_path):
    killed(
        f"""
        import sqlite3, os
        music = sqlite3.connect({str(tmp_path / "music.db")!r}, isolation_level=None)
        music.execute("CREATE TABLE song (name)")
        music.execute("PRAGMA cache_size = 5")
        music.execute("BEGIN")
        music.executemany("INSERT INTO song VALUES (?)", [("x" * 3000,)] * 200)
        os.kill(os.getpid(), 9)
        """
    )
    assert (tmp_path / "music.db-journal").stat().st_size > 0
    refused(tmp_path / "music.db", "music.db")


def test_damaged_galleries_are_left_alone(tmp_path):
    path = filled(tmp_path / "g.db")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "is damaged|is not a gallery")
    path.write_bytes(whole[:4096] + bytes(4096) + whole[8192:])
    refused(path, "is damaged")
    path.write_bytes(whole[:-4096] + b"\x99" * 4096)
    refused(path, "is damaged")
    path.write_bytes(whole[:50])
    refused(path, "is damaged|is not a gallery")


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE model",
        "ALTER TABLE face ADD COLUMN age",
        "CREATE TRIGGER spy AFTER DELETE ON face BEGIN INSERT INTO model VALUES (old.name, '', 0); END",
        "DROP INDEX face_name",
    ],
)
def test_other_tables_than_ours(tmp_path, change):
    path = filled(tmp_path / "g.db", 2)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
    refused(path, "its tables are not a gallery's")


def test_of_a_later_facelet(tmp_path):
    path = filled(tmp_path / "g.db", 2)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 3")
    refused(path, "was made by a later Facelet; upgrade")


def test_a_folder_and_a_place_that_cannot_be(tmp_path):
    refused(tmp_path, "is not a file; expected a gallery")
    (tmp_path / "file").touch()
    with pytest.raises(FaceletError, match="cannot open the gallery"):
        database.connect(tmp_path / "file" / "g.db", create=True)
    with pytest.raises(FaceletError, match="cannot open the gallery"):
        database.connect(Path("nul\0.db"), create=True)


def test_in_use_by_another_process(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "WAIT", 0.05)
    path = filled(tmp_path / "g.db", 2)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(FaceletError, match="is in use by another process; try again"):
            EmbeddingStore(path)
    assert len(EmbeddingStore(path)) == 2


def test_the_format_of_version_1_stays_until_a_setting_is_stored(tmp_path):
    connection = database.connect(filled(tmp_path / "g.db", 2))
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert database.settings_of(connection) == {}
    with database.transaction(connection):
        database.set_setting(connection, "a", None)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    with database.transaction(connection):
        database.set_setting(connection, "a", "1")
        database.set_setting(connection, "a", "2")
        database.set_setting(connection, "b", "3")
    assert database.settings_of(connection) == {"a": "2", "b": "3"}
    with database.transaction(connection):
        database.set_setting(connection, "b", None)
    with closing(database.connect(tmp_path / "g.db")) as again:
        assert again.execute("PRAGMA user_version").fetchone() == (2,)
        assert database.settings_of(again) == {"a": "2"}


def test_a_new_file_has_its_settings_from_the_start(tmp_path):
    with closing(database.connect(tmp_path / "g.db", create=True, settings={"salt": "00"})) as connection:
        assert database.settings_of(connection) == {"salt": "00"}
    with closing(database.connect(tmp_path / "g.db", create=True, settings={"salt": "11"})) as connection:
        assert database.settings_of(connection) == {"salt": "00"}


def test_a_setting_that_is_rolled_back_leaves_version_1(tmp_path):
    connection = database.connect(filled(tmp_path / "g.db", 2))

    def stopped():
        with database.transaction(connection):
            database.set_setting(connection, "a", "1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert database.settings_of(connection) == {}
    database.connect(tmp_path / "g.db").close()


def test_all_of_a_transaction_or_nothing(tmp_path):
    connection = database.connect(filled(tmp_path / "g.db", 3))

    def stopped():
        with database.transaction(connection):
            connection.execute("DELETE FROM face")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert connection.execute("SELECT count(*) FROM face").fetchone() == (3,)


def killed(code):
    """Runs code that ends by SIGKILL, with the package that is tested here."""
    here = {**os.environ, "PYTHONPATH": str(Path(facelet.__file__).parents[1])}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=here)
    assert run.returncode == -9, run.stderr


def killed_while_enrolling(path, count):
    """A process that is killed right before the commit, its cache so small that it has written into the file already."""
    killed(
        f"""
        import os
        from pathlib import Path
        import numpy as np
        from facelet.runtime.people.enrolled import GalleryModel
        from facelet.runtime.people.store import EmbeddingStore
        enrolled = EmbeddingStore(Path({str(path)!r}), create=True)
        connection = enrolled._storage._connection
        connection.execute("PRAGMA cache_size = 5")
        connection.set_trace_callback(lambda sql: sql == "COMMIT" and os.kill(os.getpid(), 9))
        vectors = np.eye({count}, 64, dtype=np.float32)
        vectors[:, 0] += np.arange({count})
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        enrolled.add("Berta", vectors, ["b.png"] * {count}, GalleryModel("a" * 64, "first.onnx"))
        """
    )


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_while_enrolling(tmp_path):
    path = filled(tmp_path / "g.db", 20)
    killed_while_enrolling(path, 800)
    journal = Path(f"{path}-journal")
    assert journal.stat().st_size > 0
    torn = path.read_bytes()
    shutil.copy(journal, tmp_path / "journal")
    enrolled = EmbeddingStore(path)
    assert [(person.name, person.faces) for person in enrolled.people()] == [("Anna", 20)]
    assert enrolled.nearest(unit(20))[7] == ("Anna", pytest.approx(1))
    assert enrolled.add("Berta", unit(3, seed=1), ["b.png"] * 3, MAKER).faces == 3
    enrolled.close()
    assert not journal.exists()
    # Killed a moment later, within the commit: the first page says more pages than the file has.
    path.write_bytes(torn[:28] + (10_000).to_bytes(4) + torn[32:])
    shutil.copy(tmp_path / "journal", journal)
    assert [(person.name, person.faces) for person in EmbeddingStore(path).people()] == [("Anna", 20)]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_while_the_first_is_enrolled(tmp_path):
    path = tmp_path / "g.db"
    killed_while_enrolling(path, 800)
    enrolled = EmbeddingStore(path)
    assert enrolled.people() == []
    assert enrolled.maker is None
    assert enrolled.add("Anna", unit(2), ["a.png"] * 2, MAKER).faces == 2
