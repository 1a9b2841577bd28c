from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelet.errors import FaceletError
from facelet.faces.splits import hash_order, split_by_name


def named(count: int) -> list[str]:
    return [f"face {number}" for number in range(count)]


def test_shares_hold_for_every_class():
    labels = np.repeat([0, 1, 2], [1000, 100, 20])
    splits = split_by_name(named(1120), labels, val=0.1, test=0.2, classes="abc")
    for label, count in enumerate([1000, 100, 20]):
        assert np.bincount(splits[labels == label]).tolist() == [count * 7 // 10, count // 10, count // 5]


def test_depends_on_names_and_not_on_their_order():
    names, labels = named(60), np.arange(60) % 4
    splits = dict(zip(names, split_by_name(names, labels, val=0.2, test=0.2, classes="abcd"), strict=True))
    order = np.random.default_rng(0).permutation(60)
    mixed = [names[row] for row in order]
    again = dict(zip(mixed, split_by_name(mixed, labels[order], val=0.2, test=0.2, classes="abcd"), strict=True))
    assert splits == again


def test_hash_order_is_the_same_on_every_machine():
    assert hash_order(["a", "b", "c", "d"]).tolist() == [3, 2, 1, 0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(3, 40), min_size=1, max_size=5), st.floats(0.01, 0.45), st.floats(0.01, 0.45))
def test_every_class_is_in_every_split(counts, val, test):
    labels = np.repeat(np.arange(len(counts)), counts)
    splits = split_by_name(named(len(labels)), labels, val=val, test=test, classes="abcde")
    for label in range(len(counts)):
        assert set(splits[labels == label]) == {0, 1, 2}


def test_too_few_faces_in_a_class():
    with pytest.raises(FaceletError, match="class 'b' has 2 faces, too few for train, val, test"):
        split_by_name(named(12), np.array([0] * 10 + [1] * 2), val=0.1, test=0.1, classes="ab")
    splits = split_by_name(named(12), np.array([0] * 10 + [1] * 2), val=0.1, test=0.0, classes="ab")
    assert sorted(splits[10:]) == [0, 1]


@pytest.mark.parametrize(("val", "test"), [(-0.1, 0.1), (0.5, 0.5), (0.1, 2.0), (float("nan"), 0.1)])
def test_impossible_shares(val, test):
    with pytest.raises(FaceletError, match="together less than 1"):
        split_by_name(named(12), np.zeros(12, int), val=val, test=test, classes="a")


def test_groups_stay_together_and_shares_nearly_hold():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60, 1200)
    labels = rng.integers(0, 3, 1200)
    splits = split_by_name(named(1200), labels, val=0.1, test=0.2, classes="abc", groups=groups)
    for group in range(60):
        assert len(set(splits[groups == group])) == 1
    for label in range(3):
        shares = np.bincount(splits[labels == label], minlength=3) / (labels == label).sum()
        assert np.abs(shares - [0.7, 0.1, 0.2]).max() < 0.03


def test_few_or_unknown_groups():
    with pytest.raises(FaceletError, match="2 groups cannot be distributed over 3 splits"):
        split_by_name(named(10), np.zeros(10, int), val=0.1, test=0.1, classes="a", groups=np.arange(10) % 2)
    splits = split_by_name(named(3), np.zeros(3, int), val=0.1, test=0.1, classes="a", groups=np.arange(3))
    assert set(splits) == {0, 1, 2}
    splits = split_by_name(named(50), np.zeros(50, int), val=0.2, test=0.2, classes="a", groups=np.full(50, -1))
    assert np.bincount(splits).tolist() == [30, 10, 10]


def test_by_face_against_a_loop():
    rng = np.random.default_rng(1)
    names, labels = [f"{number}" for number in rng.permutation(500)], rng.choice([0, 2, 3], 500)
    expected, order = np.zeros(500, np.int8), hash_order(names)
    for label in (0, 2, 3):
        members = [row for row in order if labels[row] == label]
        val, test = round(0.1 * len(members)), round(0.2 * len(members))
        expected[members[:val]], expected[members[val : val + test]] = 1, 2
    assert np.array_equal(split_by_name(names, labels, val=0.1, test=0.2, classes="abcd"), expected)
