"""Vectors under names: search against loops, names of all kinds, models that do not mix, deletion that deletes."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelet.errors import FaceletError
from facelet.runtime.people.store import EmbeddingStore, GalleryModel, checked_name

MAKER = GalleryModel("a" * 64, "first.onnx")
OTHER = GalleryModel("b" * 64, "second.onnx")


def unit(count, width=16, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def enrolled(tmp_path):
    return EmbeddingStore(tmp_path / "g.db", create=True)


def add(enrolled, name, count=1, seed=0, maker=MAKER, width=16):
    return enrolled.add(name, unit(count, width, seed), [f"{name[:3]}.png"] * count, maker)


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
    np.testing.assert_array_equal(faces[3].vector, unit(2)[0])
    assert len(enrolled) == 5


def test_the_same_vector_is_taken_once(enrolled):
    assert add(enrolled, "Anna", 2) == 2
    assert add(enrolled, "Anna", 3) == 1  # the first two are those
    assert add(enrolled, "Anna", 2) == 0
    assert add(enrolled, "Berta", 2) == 2


def test_models_do_not_mix(enrolled):
    add(enrolled, "Anna", 2)
    before = enrolled.file.read_bytes()
    with pytest.raises(FaceletError, match=r"made with first.onnx \(SHA-256 aaaaaaaaaaaa\), not with second.onnx"):
        add(enrolled, "Berta", maker=OTHER)
    with pytest.raises(FaceletError, match=r"vectors of \(1, 8\); the gallery .* has \(N, 16\)"):
        add(enrolled, "Berta", width=8)
    with pytest.raises(FaceletError, match=r"vectors of \(1, 8\)"):
        enrolled.nearest(unit(1, 8))
    assert enrolled.file.read_bytes() == before


def test_an_emptied_gallery_takes_another_model(enrolled):
    add(enrolled, "Anna", 2)
    enrolled.remove(["Anna"])
    assert enrolled.maker is None
    add(enrolled, "Anna", maker=OTHER, width=8)
    assert enrolled.maker == OTHER
    assert enrolled.nearest(unit(1, 8)) == [("Anna", pytest.approx(1))]


@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize("width", [16, 512])
def test_deletion_leaves_no_bytes(enrolled, count, width):
    add(enrolled, "Anna", 30, seed=1, width=width)
    add(enrolled, "Berta Secret", count, seed=2, width=width)
    add(enrolled, "Clara", 30, seed=3, width=width)
    # A search's first and last four numbers, so that a page's edge in the middle hides nothing.
    pieces = [part.tobytes() for row in unit(count, width, 2) for part in (row[:4], row[-4:])]
    held = enrolled.file.read_bytes()
    assert all(piece in held for piece in pieces)
    assert enrolled.remove(["Berta Secret"]) == {"Berta Secret": count}
    files = list(enrolled.file.parent.iterdir())
    assert files == [enrolled.file]
    left = enrolled.file.read_bytes()
    assert not any(piece in left for piece in pieces)
    assert b"Secret" not in left
    assert b"Ber.png" not in left
    assert len(left) < len(held) or count == 1
    assert [person.name for person in enrolled.people()] == ["Anna", "Clara"]
    assert enrolled.nearest(unit(30, width, 3))[4] == ("Clara", pytest.approx(1))
    enrolled.close()
    assert len(EmbeddingStore(enrolled.file)) == 60


def test_removing_all_or_none(enrolled):
    for name in ("Anna", "Berta"):
        add(enrolled, name)
    with pytest.raises(FaceletError, match=r"no 'Bertha' in the gallery .*, did you mean 'Berta'\?"):
        enrolled.remove(["Anna", "Bertha"])
    assert len(enrolled) == 2
    assert enrolled.remove(["Berta", "Anna", "Berta"]) == {"Berta": 1, "Anna": 1}


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
    assert [person.name for person in enrolled.people()] == sorted(["Anna", name])
    assert enrolled.nearest(unit(1, seed=1)) == [(name, pytest.approx(1))]
    assert enrolled.remove([name]) == {name: 2}
    assert [person.name for person in enrolled.people()] == ["Anna"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "is empty; expected 1 to 200"),
        (" \t\n ", "is empty"),
        ("x" * 201, "has 201 characters; expected at most 200"),
        ("x" * 10**6, r"the name 'x{20}'\.\.\. has 1000000"),
        ("a\nb", r"has the control character '\\n'"),
        ("a\x00b", r"'\\x00'"),
        ("a\x1b[31mb", r"'\\x1b'"),
        ("a\u202eb", r"'\\u202e'"),
        ("a\u2028b", r"'\\u2028'"),
        ("a\udcffb", r"'\\udcff'"),
    ],
)
def test_what_is_no_name(enrolled, name, says):
    for act in (lambda: add(enrolled, name), lambda: enrolled.remove([name])):
        with pytest.raises(FaceletError, match=says):
            act()
    assert len(enrolled) == 0


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=220))
def test_a_checked_name_is_checked_for_good(name):
    try:
        clean = checked_name(name)
    except FaceletError as error:
        str(error).encode()
    else:
        assert checked_name(clean) == clean
        clean.encode()


def test_composed_and_decomposed_are_one_name():
    assert checked_name("Zoe\u0308") == checked_name("Zo\u00eb")


def test_what_another_process_changes_is_seen(enrolled):
    add(enrolled, "Anna")
    assert enrolled.nearest(unit(1, seed=1))[0][0] == "Anna"
    other = EmbeddingStore(enrolled.file)
    add(other, "Berta", seed=1)
    assert enrolled.nearest(unit(1, seed=1)) == [("Berta", pytest.approx(1))]
    other.remove(["Berta"])
    assert enrolled.nearest(unit(1, seed=1))[0][0] == "Anna"


def test_the_matrix_stays_in_memory(enrolled):
    add(enrolled, "Anna", 5)
    asked = []
    enrolled._connection.set_trace_callback(asked.append)
    for _ in range(3):
        enrolled.nearest(unit(1))
    assert sum("embedding" in sql for sql in asked) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE face SET embedding = x'00000000'", "vectors of other lengths than 16"),
        ("UPDATE face SET embedding = zeroblob(64)", "vectors of another length than 1"),
        ("DELETE FROM model", "its model is missing"),
    ],
)
def test_vectors_that_cannot_be(enrolled, change, says):
    add(enrolled, "Anna", 3)
    with closing(sqlite3.connect(enrolled.file)) as connection, connection:
        connection.execute(change)
    with pytest.raises(FaceletError, match=f"is damaged .{says}"):
        enrolled.nearest(unit(1))


def test_many_threads_one_gallery(enrolled):
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(add, enrolled, f"person {number}", 3, number) for number in range(12)]
        looks = [pool.submit(enrolled.nearest, unit(2)) for _ in range(12)]
    assert [job.result() for job in jobs] == [3] * 12
    assert all(len(look.result()) == 2 for look in looks)
    assert len(enrolled) == 36


def test_a_gallery_that_cannot_be_written(enrolled):
    add(enrolled, "Anna")
    enrolled._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(FaceletError, match=r"cannot write the gallery .* read-only"):
        add(enrolled, "Berta", seed=1)
    with pytest.raises(FaceletError, match=r"cannot write the gallery .* read-only"):
        enrolled.remove(["Anna"])
    assert len(enrolled) == 1
