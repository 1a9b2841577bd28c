from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import Protocol, annotator_agreement, load


def test_splits_partition_the_faces(face_set):
    faces = face_set()
    parts = [faces.split(name) for name in ("train", "val", "test")]
    assert sorted(np.concatenate([part.names for part in parts])) == sorted(faces.names)
    assert parts[1].votes.shape == (len(parts[1]), 3)
    with pytest.raises(FaceletError, match="somewhere has no test faces"):
        parts[0].split("test")


def test_take_by_mask_index_and_slice_agree(face_set):
    faces = face_set()
    mask = np.zeros(30, bool)
    mask[4:9] = True
    for index in (mask, np.arange(4, 9)):
        part = faces.take(index)
        assert np.array_equal(part.images, faces.images[4:9])
        assert np.shares_memory(part.images, faces.images)
    assert faces.take(np.array([5, 3, -1])).names.tolist() == faces.names[[5, 3, -1]].tolist()
    assert len(faces.take(np.array([], int))) == 0


def test_labelled_faces_of_a_split(face_set):
    faces = face_set()
    faces.labels[faces.splits == 1] = -1
    faces.labels[2] = -1
    assert faces.labelled("train").names.tolist() == faces.names[(faces.splits == 0) & (faces.labels >= 0)].tolist()
    with pytest.raises(FaceletError, match="somewhere has no labelled val faces"):
        faces.labelled("val")


def test_the_hash_of_the_pixels_sees_one_of_them(face_set, monkeypatch):
    faces = face_set()
    found = faces.pixels_hash
    monkeypatch.setattr("facelet.faces.faceset.HASHED", 7)
    same, other = replace(faces, images=faces.images.copy()), replace(faces, images=faces.images.copy())
    other.images[29, 0, 0, 0] ^= 1
    assert same.pixels_hash == found != other.pixels_hash
    assert faces.protocol == other.protocol


def test_protocol_knows_counts_labels_and_splits(face_set):
    faces = face_set()
    assert faces.protocol.total("train") == (faces.splits == 0).sum()
    order = np.random.default_rng(0).permutation(30)
    assert faces.take(order).protocol == faces.protocol
    moved = replace(faces, splits=faces.splits[::-1].copy())
    assert moved.protocol.split_hash != faces.protocol.split_hash
    assert Protocol.from_json(faces.protocol.to_json()) == faces.protocol
    with pytest.raises(FaceletError, match=r"differ in .*split_hash"):
        faces.protocol.require_same(moved.protocol)


def test_agreement(face_set):
    assert annotator_agreement(face_set()) == pytest.approx(0.75)
    assert annotator_agreement(replace(face_set(), agreement=None)) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.full(30, 3)}, "label is outside 0..2"),
        ({"splits": np.full(30, 3, np.int8)}, "split is outside 0..2"),
        ({"names": np.array(["a"])}, "1 names for 30 images"),
        ({"votes": np.ones((30, 2), np.float32)}, "votes are"),
        ({"images": np.zeros((30, 8, 8, 1), np.float32)}, "must be uint8"),
        ({"images": np.zeros((30, 8, 8, 4), np.uint8)}, "must be uint8"),
    ],
)
def test_what_does_not_fit_is_refused(face_set, change, message):
    with pytest.raises(FaceletError, match=message):
        replace(face_set(), **change)


def test_the_same_selection_is_copied_once(monkeypatch):
    """All steps of a run ask for the same training faces, which may be gigabytes."""
    faces = load("toy?faces=60", size=16)
    faces = faces.take(np.argsort(faces.labels, kind="stable"))  # so that no split lies together
    copies, plain = [], type(faces)._at
    monkeypatch.setattr(type(faces), "_at", lambda self, rows: copies.append(rows) or plain(self, rows))
    first = faces.labelled("train")
    assert [faces.labelled("train") is first for _ in range(4)] == 4 * [True]
    assert len(copies) == 1
