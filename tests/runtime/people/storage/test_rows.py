"""Rows: plain as they are; sealed ones read by their gallery alone, and only where they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import KEY, unit

pytest.importorskip("cryptography", reason="cryptography is not installed (extra encrypt)")

from facelet.errors import FaceletError
from facelet.runtime.people.enrolled import EnrolledFace
from facelet.runtime.people.storage import encryption, rows
from facelet.runtime.people.storage.encryption import Cipher, SealError

MODEL = "a" * 64
FILE = Path("g.db")


def face(name="Anna", photo="a.png", seed=0):
    return EnrolledFace(name, photo, "2026-01-01T00:00:00+00:00", unit(1, seed=seed)[0])


@pytest.fixture
def sealed():
    return rows.SealedRows(Cipher(KEY, bytes(16)))


def test_a_plain_row_is_the_face():
    plain = rows.PlainRows()
    row = plain.pack(face(), MODEL)
    assert row == ("Anna", unit(1)[0].astype("<f4").tobytes(), "a.png", "2026-01-01T00:00:00+00:00")
    assert plain.unpack(row, MODEL) == row


@pytest.mark.parametrize("name", ["Anna", "王" * 200, 'a\\"\u200c', "🙂"])
def test_a_sealed_row_gives_the_face_back(sealed, name):
    row = sealed.pack(face(name, "b\n.png"), MODEL)
    assert sealed.unpack(row, MODEL) == (name, unit(1)[0].tobytes(), "b\n.png", face().enrolled)
    assert row[0] == sealed.key(name) != name
    assert row[2] == ""
    for part in (name.encode(), b"png", unit(1)[0].tobytes()[:8]):
        assert part not in row[1]


def test_a_row_cannot_be_moved(sealed):
    """Neither to another person, nor to another date, nor to another model."""
    anna, berta = sealed.pack(face(), MODEL), sealed.pack(face("Berta", seed=1), MODEL)
    moved = [
        ((berta[0], *anna[1:]), MODEL),
        ((*anna[:3], "2027-01-01T00:00:00+00:00"), MODEL),
        (anna, "b" * 64),
        ((anna[0], berta[1], *anna[2:]), MODEL),
    ]
    for row, model in moved:
        with pytest.raises(SealError):
            sealed.unpack(row, model)


def test_the_length_does_not_tell_the_name(sealed):
    lengths = {len(sealed.pack(face("x" * count), MODEL)[1]) for count in range(1, 40)}
    assert len(lengths) == 1


def test_the_same_face_is_never_sealed_alike(sealed):
    assert len({sealed.pack(face(), MODEL)[1] for _ in range(100)}) == 100


def test_the_kind_of_rows_is_that_of_the_gallery():
    settings = encryption.new_settings(KEY)
    assert isinstance(rows.rows_of(FILE, {}, None), rows.PlainRows)
    assert isinstance(rows.rows_of(FILE, settings, KEY), rows.SealedRows)
    for stored, key, says in (
        (
            {},
            KEY,
            r"a key is given, but the gallery g.db is not encrypted.* facelet gallery copy g.db NEW --gallery-key",
        ),
        (settings, None, r"the gallery g.db is encrypted; give its key \(--gallery-key FILE or FACELET_GALLERY_KEY"),
        (settings, bytes(32), r"the gallery g.db was encrypted with another key"),
    ):
        with pytest.raises(FaceletError, match=says) as caught:
            rows.rows_of(FILE, stored, key)
        assert "\n" not in str(caught.value)


def test_vectors_are_little_endian_float32(sealed):
    wide = face()._replace(vector=unit(1)[0].astype(np.float64))
    assert sealed.unpack(sealed.pack(wide, MODEL), MODEL)[1] == unit(1)[0].astype("<f4").tobytes()
