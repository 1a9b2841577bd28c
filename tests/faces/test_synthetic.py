"""Synthetic faces join training faces, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.faces.sources.pack_writer import write_pack
from facelet.faces.synthetic import joined, synthetic_faces


@pytest.fixture
def faces():
    return load("toy?faces=60", size=16)


@pytest.fixture
def made(faces):
    images = np.full((3, 16, 16, 1), 7, np.uint8)
    return synthetic_faces(images, np.array([1, 2, 2]), ["a", "b", "c"], like=faces, rule="CycleGAN")


def test_they_stand_behind_the_real_ones(faces, made):
    train = faces.labelled("train")
    both = joined(train, made)
    assert len(both) == len(train) + 3
    assert both.labels[-3:].tolist() == [1, 2, 2]
    assert both.names[-3:].tolist() == ["synthetic/happiness/a", "synthetic/surprise/b", "synthetic/surprise/c"]
    assert both.synthetic.sum() == 3
    assert not both.synthetic[:-3].any()
    assert both.votes[-1].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert both.identities[-3:].tolist() == [-1] * 3
    assert np.array_equal(both.images[: len(train)], train.images)
    assert joined(both, replace(made, names=np.array(["x", "y", "z"]))).synthetic.sum() == 6


@pytest.mark.parametrize("split", [1, 2])
def test_they_can_never_be_in_val_or_test(faces, made, split):
    with pytest.raises(FaceletError, match="synthetic faces are in val or test"):
        replace(made, splits=np.full(3, split, np.int8))
    for other in ("val", "test"):
        with pytest.raises(FaceletError, match="only be joined to training faces"):
            joined(faces.split(other), made)
    both = joined(faces.labelled("train"), made)
    with pytest.raises(FaceletError, match="synthetic faces are in val or test"):
        replace(both, splits=np.full(len(both), split, np.int8))


def test_a_pack_remembers_which_they_are(made, tmp_path):
    path = tmp_path / "made.pack"
    write_pack(made, path)
    again = load(f"pack:{path}")
    assert again.synthetic.all()
    assert again.synthetic.dtype == bool
    assert not again.has("val")
    assert not again.has("test")


def test_others_are_refused(faces, made):
    train = faces.labelled("train")
    with pytest.raises(FaceletError, match="not synthetic"):
        joined(train, train)
    with pytest.raises(FaceletError, match="another size, colour or classes"):
        joined(load("toy?faces=60", size=24).labelled("train"), made)
