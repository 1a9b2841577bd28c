"""The rules of a gallery, with every storage: search against loops, names of all kinds, models that do not mix, deletion."""

from __future__ import annotations

import importlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import KEY, MAKER, add, unit

import facelet
from facelet.errors import FaceletError, FaceletWarning
from facelet.runtime.people import store as rules
from facelet.runtime.people.enrolled import GalleryModel
from facelet.runtime.people.store import EmbeddingStore

OTHER = GalleryModel("b" * 64, "second.onnx")


@pytest.fixture
def enrolled(opened):
    return opened()


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def names(store):
    return [person.name for person in store.people()]


def test_nearest_against_loops(enrolled):
    vectors = {name: unit(40, seed=seed) for seed, name in enumerate(("Anna", "Berta", "Clara"))}
    for name, some in vectors.items():
        enrolled.add(name, some, ["x.png"] * 40, MAKER)
    seen = unit(150, seed=9)
    for but in ("", "Berta"):
        for vector, (name, cosine) in zip(seen, enrolled.nearest(seen, but), strict=True):
            best = max(
                (float(np.dot(vector.astype(float), other)), candidate)
                for candidate, some in vectors.items()
                for other in some
                if candidate != but
            )
            assert (name, cosine) == (best[1], pytest.approx(best[0], abs=1e-6))


def test_nobody_is_near_in_an_empty_gallery_or_without_the_only_one(enrolled):
    assert enrolled.nearest(unit(2)) == [("", -1.0)] * 2
    add(enrolled, "Anna")
    assert enrolled.nearest(unit(2), but="Anna") == [("", -1.0)] * 2
    assert enrolled.nearest(unit(0)) == []
    assert enrolled.nearest(unit(1)) == [("Anna", pytest.approx(1))]


def test_people_and_faces(enrolled):
    add(enrolled, "Berta", 2)
    add(enrolled, "Anna", 3, seed=1)
    assert [(one.name, one.faces) for one in enrolled.people()] == [("Anna", 3), ("Berta", 2)]
    assert enrolled.people()[0].first[:2] == "20"
    faces = list(enrolled.faces())
    assert [face.name for face in faces] == ["Anna"] * 3 + ["Berta"] * 2
    assert faces[0].photo == "Ann.png"
    assert faces[0].enrolled == enrolled.people()[0].first
    np.testing.assert_array_equal(faces[3].vector, unit(2)[0])
    assert len(enrolled) == 5


def test_the_same_vector_is_taken_once(enrolled):
    assert add(enrolled, "Anna", 2) == 2
    assert add(enrolled, "Anna", 3) == 1  # the first two are those
    assert add(enrolled, "Anna", 2) == 0
    assert add(enrolled, "Berta", 2) == 2
    assert enrolled.add("Clara", unit(2)[[0, 0]], ["", ""], MAKER).faces == 1


def test_an_enrollment_tells_who_looks_alike(enrolled):
    add(enrolled, "Anna", 2)
    assert enrolled.add("Anna", unit(2), ["", ""], MAKER).others == [("", -1.0)] * 2
    assert enrolled.add("Berta", unit(2), ["", ""], MAKER).others == [("Anna", pytest.approx(1))] * 2


def test_models_do_not_mix(enrolled):
    add(enrolled, "Anna", 2)
    with pytest.raises(FaceletError, match=r"made with first.onnx \(SHA-256 aaaaaaaaaaaa\), not with second.onnx"):
        add(enrolled, "Berta", maker=OTHER)
    with pytest.raises(FaceletError, match=r"vectors of \(1, 8\); the gallery .* has \(N, 16\)"):
        add(enrolled, "Berta", width=8)
    with pytest.raises(FaceletError, match=r"vectors of \(1, 8\)"):
        enrolled.nearest(unit(1, 8))
    assert names(enrolled) == ["Anna"]
    assert enrolled.maker == MAKER


def test_an_emptied_gallery_takes_another_model(enrolled):
    add(enrolled, "Anna", 2)
    enrolled.remove(["Anna"])
    assert enrolled.maker is None
    assert enrolled.nearest(unit(1, 8)) == [("", -1.0)]
    add(enrolled, "Anna", maker=OTHER, width=8)
    assert enrolled.maker == OTHER
    assert enrolled.nearest(unit(1, 8)) == [("Anna", pytest.approx(1))]


def test_removing_all_or_none(enrolled):
    for name in ("Anna", "Berta"):
        add(enrolled, name)
    with pytest.raises(FaceletError, match=r"no 'Bertha' in the gallery .*, did you mean 'Berta'\?"):
        enrolled.remove(["Anna", "Bertha"])
    assert len(enrolled) == 2
    assert enrolled.remove(["Berta", "Anna", "Berta"]) == {"Berta": 1, "Anna": 1}


def test_removing_those_who_are_there(enrolled):
    add(enrolled, "Anna", 2)
    assert enrolled.remove(["Anna", "Berta"], missing_ok=True) == {"Anna": 2}
    assert enrolled.remove(["Anna"], missing_ok=True) == {}


def test_a_deletion_is_done_even_if_the_space_cannot_be_cleared(opened, clock):
    """The deletion is committed by then, so it is no error: callers report it as done."""
    enrolled = opened(clock=clock)
    enrolled._storage._connection = Unclearable(enrolled._storage._connection)

    def cleared():
        return pytest.warns(FaceletWarning, match="^deleted.*: no space")

    for name in ("Anna", "Berta", "Clara"):
        add(enrolled, name, seed=ord(name[0]))
    with cleared():
        assert enrolled.rename("Clara", "Dora") == 1
    with cleared():
        assert enrolled.remove(["Anna"]) == {"Anna": 1}
    with cleared():
        assert enrolled.remove_face("Berta", next(enrolled.faces()).vector)
    clock.now += timedelta(days=2)
    with cleared():
        enrolled.set_retention(timedelta(days=1))
    assert names(enrolled) == []


class Unclearable:
    """A connection to SQLite or PostgreSQL that fails to VACUUM."""

    def __init__(self, connection):
        self._connection = connection

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, query, *values, **options):
        if str(query).startswith("VACUUM"):
            if isinstance(self._connection, sqlite3.Connection):
                raise sqlite3.OperationalError("no space")
            raise importlib.import_module("psycopg").OperationalError("no space")
        return self._connection.execute(query, *values, **options)


NAMES = [
    "../../etc/passwd",
    "C:\\Windows",
    "Robert'); DROP TABLE face;--",
    '"quoted" %s {x} ?1',
    "[bold]Anna[/]",
    "Zoë Müller 王小明 محمد",
    "می\u200cخواهم",
    "x" * 200,
    "-rf",
    "🙂",
    "unknown",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_printable_text_is_a_name(enrolled, name):
    add(enrolled, "Anna")
    add(enrolled, f"  {name} ", 2, seed=1)
    assert names(enrolled) == sorted(["Anna", name])
    assert enrolled.nearest(unit(1, seed=1)) == [(name, pytest.approx(1))]
    assert enrolled.rename(name, "Berta") == 2
    assert enrolled.rename("Berta", name) == 2
    assert enrolled.remove([name]) == {name: 2}
    assert names(enrolled) == ["Anna"]


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "a\x00b"])
def test_what_is_no_name_is_refused_everywhere(enrolled, name):
    add(enrolled, "Anna")
    for act in (
        lambda: add(enrolled, name),
        lambda: enrolled.remove([name]),
        lambda: enrolled.rename(name, "Berta"),
        lambda: enrolled.rename("Anna", name),
    ):
        with pytest.raises(FaceletError, match="the name"):
            act()
    assert names(enrolled) == ["Anna"]


def test_renaming(enrolled):
    add(enrolled, "Anna", 2)
    add(enrolled, "Berta", 1, seed=1)
    before = list(enrolled.faces())
    assert enrolled.rename("Anna", "Clara") == 2
    assert [face.name for face in enrolled.faces()] == ["Berta", "Clara", "Clara"]
    assert [face.photo for face in enrolled.faces()] == ["Ber.png", "Ann.png", "Ann.png"]
    assert {face.enrolled for face in enrolled.faces()} == {face.enrolled for face in before}
    assert enrolled.nearest(unit(1)) == [("Clara", pytest.approx(1))]
    assert enrolled.rename("Clara", "Clara") == 2
    with pytest.raises(FaceletError, match=r"no 'Anna' in the gallery"):
        enrolled.rename("Anna", "Dora")
    with pytest.raises(FaceletError, match=r"'Berta' is already enrolled .*--merge, merge=True"):
        enrolled.rename("Clara", "Berta")
    assert names(enrolled) == ["Berta", "Clara"]


def test_merging_two_people_keeps_each_vector_once(enrolled):
    add(enrolled, "Anna", 3)
    add(enrolled, "Berta", 2)  # two of the same vectors
    assert enrolled.rename("Berta", "Anna", merge=True) == 3
    assert [(person.name, person.faces) for person in enrolled.people()] == [("Anna", 3)]


def test_what_another_process_changes_is_seen(enrolled, opened):
    add(enrolled, "Anna")
    assert enrolled.nearest(unit(1, seed=1))[0][0] == "Anna"
    other = opened()
    add(other, "Berta", seed=1)
    assert enrolled.nearest(unit(1, seed=1)) == [("Berta", pytest.approx(1))]
    other.rename("Berta", "Clara")
    assert enrolled.nearest(unit(1, seed=1)) == [("Clara", pytest.approx(1))]
    other.remove(["Clara"])
    assert enrolled.nearest(unit(1, seed=1))[0][0] == "Anna"


def test_many_threads_one_gallery(enrolled):
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(add, enrolled, f"person {number}", 3, number) for number in range(12)]
        looks = [pool.submit(enrolled.nearest, unit(2)) for _ in range(12)]
    assert [job.result() for job in jobs] == [3] * 12
    assert all(len(look.result()) == 2 for look in looks)
    assert len(enrolled) == 36


def test_two_servers_enroll_the_same_person(opened):
    """Each has a connection of its own: no vector is stored twice, and one model wins."""
    servers = [opened() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda server: add(server, "Anna", 5), servers))
    assert sum(added) == 5
    assert [(person.name, person.faces) for person in servers[0].people()] == [("Anna", 5)]


def test_two_servers_with_two_models(opened):
    def first(server, maker):
        try:
            return add(server, "Anna", 2, maker=maker)
        except FaceletError as error:
            return str(error)

    servers = opened(), opened()
    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(first, servers, (MAKER, OTHER)), key=str)
    assert results[0] == 2
    assert "was made with" in results[1]
    assert len(servers[0]) == 2


def test_a_failing_change_leaves_nothing(enrolled, monkeypatch):
    """An exception after the rows were written, but before the commit."""
    add(enrolled, "Anna", 2)
    insert = enrolled._storage.insert

    def stopped(faces):
        insert(faces)
        raise KeyboardInterrupt

    monkeypatch.setattr(enrolled._storage, "insert", stopped)
    for act in (lambda: add(enrolled, "Berta", 2, seed=1), lambda: enrolled.rename("Anna", "Clara")):
        with pytest.raises(KeyboardInterrupt):
            act()
    assert [(person.name, person.faces) for person in enrolled.people()] == [("Anna", 2)]
    assert enrolled.nearest(unit(1)) == [("Anna", pytest.approx(1))]


def test_retention_deletes_when_opened_written_and_read(opened, clock):
    enrolled = opened(clock=clock)
    enrolled.set_retention(timedelta(days=30))
    add(enrolled, "Anna", 2)
    clock.now += timedelta(days=20)
    add(enrolled, "Berta", 1, seed=1)
    clock.now += timedelta(days=10)
    assert names(enrolled) == ["Anna", "Berta"]  # exactly 30 days old
    clock.now += timedelta(minutes=2)
    assert names(enrolled) == ["Berta"]
    assert enrolled.nearest(unit(1))[0][0] == "Berta"
    clock.now += timedelta(days=20)
    other = opened(clock=clock)
    assert names(other) == []
    assert other.retention == timedelta(days=30)
    assert other.maker is None


def test_deletion_by_time_is_told(opened, clock):
    told: list[int] = []
    enrolled = opened(clock=clock, on_expired=told.append)
    add(enrolled, "Anna", 3)
    enrolled.set_retention(timedelta(days=1))
    assert told == []
    clock.now += timedelta(days=2)
    assert names(enrolled) == []
    assert told == [3]


def test_retention_is_stored_and_can_be_changed(opened, clock):
    enrolled = opened(clock=clock)
    assert enrolled.retention is None
    add(enrolled, "Anna")
    clock.now += timedelta(days=3)
    enrolled.set_retention(timedelta(days=7))
    assert opened(clock=clock).retention == timedelta(days=7)
    assert names(enrolled) == ["Anna"]
    enrolled.set_retention(timedelta(days=2))
    assert names(enrolled) == []
    enrolled.set_retention(None)
    assert opened(clock=clock).retention is None
    with pytest.raises(FaceletError, match="retention 0:00:00; expected 1 second"):
        enrolled.set_retention(timedelta())


def test_a_new_name_does_not_start_the_retention_time_again(opened, clock):
    enrolled = opened(clock=clock)
    enrolled.set_retention(timedelta(days=30))
    add(enrolled, "Anna")
    clock.now += timedelta(days=29)
    enrolled.rename("Anna", "Berta")
    clock.now += timedelta(days=2)
    assert enrolled.expire() == 1
    assert names(enrolled) == []


def test_a_waiting_process_deletes_by_time(opened, clock, monkeypatch):
    monkeypatch.setattr(rules, "SWEEP", timedelta(milliseconds=20))
    waiting, witness = opened(clock=clock), opened(clock=Clock())  # the witness's time stands still
    waiting.set_retention(timedelta(days=30))
    add(waiting, "Anna")
    assert len(witness) == 1
    clock.now += timedelta(days=31)
    end = time.monotonic() + 10
    while len(witness) and time.monotonic() < end:
        time.sleep(0.02)
    assert len(witness) == 0


def test_copies_have_everything(enrolled, tmp_path, clock):
    add(enrolled, "Anna", 3)
    add(enrolled, "Berta", 1, seed=1)
    enrolled.set_retention(timedelta(days=30))
    copied = EmbeddingStore(tmp_path / "copy.db", create=True)
    assert enrolled.copy_to(copied) == 4
    assert copied.maker == MAKER
    assert copied.retention == timedelta(days=30)
    for one, other in zip(enrolled.faces(), copied.faces(), strict=True):
        assert one[:3] == other[:3]
        np.testing.assert_array_equal(one.vector, other.vector)
    with pytest.raises(FaceletError, match="has enrolled people; copy into a new gallery"):
        copied.copy_to(enrolled)
    enrolled.remove(["Anna", "Berta"])
    assert copied.copy_to(enrolled) == 4  # and back
    assert enrolled.nearest(unit(1, seed=1)) == [("Berta", pytest.approx(1))]


def test_a_closed_gallery_says_so(enrolled):
    enrolled.close()
    enrolled.close()
    with pytest.raises(FaceletError, match="was closed"):
        enrolled.people()
    assert enrolled.expire() == 0


ENROLLING = """
import sys
import numpy as np
from facelet.runtime.people.enrolled import GalleryModel
from facelet.runtime.people.storage.location import find
from facelet.runtime.people.store import EmbeddingStore

place, key, first = sys.argv[1], bytes.fromhex(sys.argv[2]) or None, int(sys.argv[3])
store = EmbeddingStore(find(place), create=True, key=key)
for number in range(first, first + 1000):
    vectors = np.random.default_rng(number).normal(size=(3, 64))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store.add(f"person {number}", vectors.astype(np.float32), ["a", "b", "c"], GalleryModel("a" * 64, "first.onnx"))
    print(number, flush=True)
"""
"""Enrolls a thousand people with three faces each, and prints each number after its commit."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_during_a_thousand_enrollments(opened):
    """SIGKILL after a random number of them: everybody whose number was printed is there, and nobody with fewer faces."""
    store = opened()
    key = KEY.hex() if "Sealed" in type(getattr(store._storage, "_rows", None)).__name__ else ""
    place = getattr(store.location, "secret", str(store.location))
    here = {**os.environ, "PYTHONPATH": str(Path(facelet.__file__).parents[1])}
    random = np.random.default_rng(0)
    done = 0
    for attempt in range(5):
        command = [sys.executable, "-c", ENROLLING, place, key, str(1000 * attempt)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=here) as process:
            for _ in range(int(random.integers(20, 200))):
                assert process.stdout.readline()
                done += 1
            time.sleep(float(random.uniform(0, 0.01)))
            process.send_signal(signal.SIGKILL)
            done += len(process.stdout.read().splitlines())
        assert process.returncode == -signal.SIGKILL
        people = opened(create=False).people()
        assert {person.faces for person in people} == {3}
        assert done <= len(people) <= done + attempt + 1  # the last may be committed, but not printed
        assert len(list(store.faces())) == 3 * len(people)
    assert store.add("person", unit(1, 64), ["x"], MAKER).faces == 1


def test_one_face_is_deleted(enrolled):
    vectors = unit(3)
    enrolled.add("Anna", vectors, ["1.png", "2.png", "3.png"], MAKER)
    enrolled.add("Bo", vectors[:1], ["4.png"], MAKER)
    before = {face.photo: face for face in enrolled.faces()}
    assert not enrolled.remove_face("Anna", unit(1, seed=9)[0])
    assert not enrolled.remove_face("Nobody", vectors[0])
    assert enrolled.remove_face("Anna", vectors[0])
    assert not enrolled.remove_face("Anna", vectors[0])
    left = {face.photo: face for face in enrolled.faces()}
    assert set(left) == {"2.png", "3.png", "4.png"}
    assert all(face.enrolled == before[photo].enrolled for photo, face in left.items())
    assert enrolled.remove_face("Bo", vectors[0])
    assert names(enrolled) == ["Anna"]
    assert enrolled.nearest(vectors[:1])[0][1] < 0.99
