"""Several sources as one: classes by name, people never mixed, names that stay unique."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.faces.concat import concat


@pytest.fixture(scope="module")
def toys():
    return [load(f"toy?faces=60&seed={seed}&classes={classes}", size=16) for seed, classes in ((0, 8), (1, 7))]


def test_one_set_is_itself(toys):
    assert concat(toys[:1]) is toys[0]


def test_faces_keep_their_pixels_splits_and_classes_by_name(toys):
    turned = replace(toys[1], classes=toys[1].classes[::-1], labels=6 - toys[1].labels, votes=toys[1].votes[:, ::-1])
    both = concat([toys[0], turned])
    assert len(both) == 120
    assert both.classes == toys[0].classes
    np.testing.assert_array_equal(both.images[60:], toys[1].images)
    np.testing.assert_array_equal(both.splits, np.concatenate([one.splits for one in toys]))
    mine = [both.classes[label] for label in both.labels[60:]]
    assert mine == [toys[1].classes[label] for label in toys[1].labels]
    np.testing.assert_array_equal(both.votes[:60], toys[0].votes)
    np.testing.assert_array_equal(both.votes[60:, :7], toys[1].votes)  # by name, as the labels
    assert (both.votes[60:, 7] == 0).all()
    assert both.source == "toy + toy"


def test_a_label_counts_as_all_votes_where_another_set_has_votes(toys):
    plain = replace(toys[1], votes=None, labels=np.where(np.arange(60) < 20, -1, toys[1].labels))
    votes = concat([toys[0], plain]).votes[60:]
    assert (votes[:20] == 0).all()
    np.testing.assert_array_equal(votes[20:], np.eye(8)[plain.labels[20:]])
    assert concat([replace(toys[0], votes=None), plain]).votes is None


def test_votes_stay_where_all_have_them(toys):
    both = concat([toys[0], load("toy?faces=60&seed=3", size=16)])
    assert both.votes.shape == (120, 8)
    assert both.agreement is None


def test_people_and_groups_of_two_sets_are_different_ones(toys):
    both = concat(toys)
    people = [set(both.identities[:60].tolist()), set(both.identities[60:].tolist())]
    assert not people[0] & people[1]
    assert len(people[1]) == len(set(toys[1].identities.tolist()))


def test_faces_of_nobody_known_have_no_identity_and_no_label(toys):
    plain = replace(toys[1], classes=(), labels=np.full(60, -1), identities=None, groups=None, votes=None)
    both = concat([toys[0], plain])
    assert (both.identities[60:] == -1).all()
    assert (both.groups[60:] == -1).all()
    assert (both.labels[60:] == -1).all()
    assert (both.labels[:60] == toys[0].labels).all()
    alone = concat([plain, replace(plain, names=np.char.add("x", plain.names))])
    assert alone.identities is None
    assert alone.classes == ()


def test_a_name_that_both_have_says_whose_it_is(toys):
    both = concat([toys[0], toys[0]])
    assert len(set(both.names.tolist())) == 120
    assert both.names[0] == "1-toy/toy-0-000000"
    assert concat(toys).names[0] == "toy-0-000000"


def test_licences_notes_and_framing_are_told(toys):
    other = replace(toys[1], licence="mine", margin=0.3, notes=("blurred",))
    both = concat([toys[0], other])
    assert both.licence == "drawn by facelet, Apache-2.0; mine"
    assert both.margin == toys[0].margin
    assert "blurred" in both.notes
    assert any("margin of 0.3" in note for note in both.notes)


def test_other_sizes_are_refused(toys):
    with pytest.raises(FaceletError, match="16 px in 1 channels, those of toy 24 px"):
        concat([toys[0], load("toy?faces=60", size=24)])


def test_a_name_that_one_set_has_twice_is_left_to_it(toys):
    twice = replace(toys[0], names=np.array(["a", "a", *toys[0].names[2:]]))
    other = replace(toys[1], names=np.array(["b", *toys[1].names[1:]]))
    assert concat([twice, other]).names[[0, 1, 60]].tolist() == ["a", "a", "b"]
