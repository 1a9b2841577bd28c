from __future__ import annotations

import zipfile

import numpy as np
import pytest

from facelet.faces import load
from facelet.faces.faceset import PER_FACE
from facelet.faces.sources.pack_writer import write_pack


def same(one, other) -> bool:
    for field in PER_FACE:
        mine, theirs = getattr(one, field), getattr(other, field)
        if (mine is None) != (theirs is None) or (mine is not None and not np.array_equal(mine, theirs)):
            return False
    return (one.licence, one.margin) == (other.licence, other.margin)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_round_trip_loses_nothing(face_set, tmp_path, raw, channels):
    faces = face_set(channels=channels)
    assert write_pack(faces, tmp_path / "a.pack", raw=raw) == (tmp_path / "a.pack").stat().st_size
    back = load(f"pack:{tmp_path / 'a.pack'}")
    assert same(faces, back)
    assert back.protocol == faces.protocol
    assert back.protocol.hash == faces.protocol.hash
    assert isinstance(back.images, np.memmap) == raw


def test_noise_in_several_strips(face_set, tmp_path, monkeypatch):
    monkeypatch.setattr("facelet.faces.sources.pack_writer.STRIP_PIXELS", 24 * 24 * 7)
    faces = face_set(count=50)
    faces.images[:] = np.random.default_rng(0).integers(0, 256, faces.images.shape)
    write_pack(faces, tmp_path / "a.pack")
    with zipfile.ZipFile(tmp_path / "a.pack") as packed:
        assert sum(name.endswith(".webp") for name in packed.namelist()) == 8
    assert same(faces, load(f"pack:{tmp_path / 'a.pack'}"))


def test_optional_arrays_may_be_absent(face_set, tmp_path):
    faces = face_set()
    faces.votes = faces.groups = faces.identities = faces.agreement = None
    write_pack(faces, tmp_path / "a.pack")
    assert same(faces, load(f"pack:{tmp_path / 'a.pack'}"))


def test_equal_faces_give_equal_files(face_set, tmp_path):
    for name in "ab":
        write_pack(face_set(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_numpy_opens_it_too(face_set, tmp_path):
    faces = face_set()
    write_pack(faces, tmp_path / "a.pack", raw=True)
    with np.load(tmp_path / "a.pack", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["images"], faces.images)
        assert np.array_equal(arrays["votes"], faces.votes)
