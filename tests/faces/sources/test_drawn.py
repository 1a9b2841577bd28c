"""Pairs drawn among people: whose they are, how many, and that they can be drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import load, load_pairs


@pytest.fixture
def people(lay_out):
    files = [f"{letter}{person}/{number}.pgm" for letter in "cF" for person in range(20) for number in range(4)]
    return f"drawn:{lay_out(files, size=16)}"


def whose(pairs):
    return np.array([name.split("/")[0] for name in pairs.names])[pairs.pairs]


def test_pairs_are_of_validation_people(people):
    pairs = load_pairs(f"{people}?pairs=40&val=0.2")
    names = whose(pairs)
    assert len(pairs) == 40
    assert pairs.same.sum() == 20
    assert np.array_equal(names[:, 0] == names[:, 1], pairs.same)
    faces = load(f"{people.replace('drawn', 'identities', 1)}?val=0.2")
    validation = {name.split("/")[0] for name in faces.names[faces.splits == 1]}
    assert set(names.ravel().tolist()) <= validation
    assert pairs.rule == "8 people of val, 10 folds, 20 + 20 drawn, seed 0"
    assert pairs.protocol == load_pairs(f"{people}?pairs=40&val=0.2").protocol
    assert pairs.protocol != load_pairs(f"{people}?pairs=40&val=0.2&seed=1").protocol
    trained = whose(load_pairs(f"{people}?pairs=40&val=0.2&split=train"))
    assert not set(trained.ravel().tolist()) & validation


def test_people_are_chosen_by_how_their_names_begin(people):
    pairs = load_pairs(f"{people}?pairs=40&val=0.5&people=F")
    assert {name[0] for name in whose(pairs).ravel()} == {"F"}
    assert "people of val (F...)" in pairs.rule
    fewer = load_pairs(f"{people}?pairs=4000&val=0.5&people=F")
    assert fewer.same.sum() < 100, "all pairs of one person, and no more"


def test_pixels_are_those_of_the_people(people):
    pairs = load_pairs(f"{people}?pairs=40&val=0.2", size=24, channels=3)
    faces = load(f"{people.replace('drawn', 'identities', 1)}?val=0.2", size=24, channels=3)
    where = {name: number for number, name in enumerate(faces.names)}
    for image, name in zip(pairs.images, pairs.names, strict=True):
        assert np.array_equal(image, faces.images[where[name]])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("split=test", "unknown split of face source 'drawn' 'test'"),
        ("pairs=4", "pairs=4 .* should be 20 to 10,000,000"),
        ("seed=-1", "seed=-1 .* should be 0 or more"),
        ("people=x", "no person of val whose folder's name begins with 'x'; the first is "),
        ("people=F&val=0.1", "are too few; expected at least 10 of each"),
        ("ppl=F", "unknown option of face source 'drawn' 'ppl'"),
    ],
)
def test_mistakes(people, options, says):
    with pytest.raises(FaceletError, match=says):
        load_pairs(f"{people}?{options}")
