import time

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from facelet.errors import FaceletError
from facelet.faces import SPLITS, load
from facelet.faces.cartoon.person import MOVES, PROTOTYPES
from facelet.faces.sources.toy import ANNOTATORS, _opinion, _quota, toy


@pytest.fixture(scope="module")
def faces():
    return load("toy?faces=1500&seed=3", size=32)


def test_shapes_and_words(faces):
    assert faces.images.shape == (1500, 32, 32, 1)
    assert faces.classes == tuple(PROTOTYPES)
    assert len(set(faces.names.tolist())) == 1500
    assert load("toy?faces=60", channels=3).images.shape == (60, 48, 48, 3)
    assert "cartoons" in faces.protocol.notes[0]


def test_no_person_is_in_two_splits(faces):
    people = [set(faces.split(name).identities.tolist()) for name in SPLITS]
    assert not people[0] & people[1]
    assert not (people[0] | people[1]) & people[2]
    assert set(faces.identities.tolist()) == set(range(125))
    np.testing.assert_array_equal(faces.identities, faces.groups)
    shares = [faces.protocol.total(name) / 1500 for name in SPLITS]
    np.testing.assert_allclose(shares, [0.7, 0.15, 0.15], atol=0.05)


def test_classes_are_uneven_and_all_there(faces):
    for name in SPLITS:
        counts = faces.protocol.counts[name]
        assert min(counts.values()) > 0
        assert counts["neutral"] > counts["anger"] > counts["contempt"]


def test_votes_name_the_faces(faces):
    np.testing.assert_allclose(faces.votes.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(faces.votes * ANNOTATORS, np.rint(faces.votes * ANNOTATORS), atol=1e-5)
    top = faces.votes.max(axis=1)
    np.testing.assert_array_equal(faces.votes[np.arange(1500), faces.labels], top)
    assert 0.1 < (top < 0.7).mean() < 0.5, "some faces should be ambiguous, most should not"


def test_annotators_see_strong_faces_clearly_and_take_weak_ones_for_neutral():
    moves = MOVES.astype(float)
    np.testing.assert_array_equal(_opinion(moves, 8).argmax(axis=1), np.arange(8))
    assert _opinion(moves, 8).max(axis=1).min() > 0.65
    assert (_opinion(0.1 * moves, 8).argmax(axis=1) == 0).all()
    halfway = _opinion(0.28 * moves, 8).max(axis=1)
    assert halfway[1:].mean() < 0.75


def test_annotators_opinion_derived_by_hand():
    """Neutral at 0, happiness anywhere from 0.45 to all of its move: Gaussian in the distance, 1 % lapses, neutral twice."""
    smile = MOVES[1].astype(float)
    face = 0.3 * smile
    to_rest, to_smile = (face**2).sum(), ((0.45 * smile - face) ** 2).sum()
    others = [((np.clip(face @ m / (m @ m), 0.45, 1) * m - face) ** 2).sum() for m in MOVES[2:].astype(float)]
    distances = np.array([to_rest, to_smile, *others])
    likely = np.exp(-(distances - distances.min()) / (2 * 0.4**2)) + 0.01
    likely[0] *= 2
    np.testing.assert_allclose(_opinion(face[None], 8)[0], likely / likely.sum(), rtol=1e-6)


def test_quota_is_as_frequent_as_said():
    assert np.bincount(_quota(1000, 8), minlength=8).tolist() == [250, 210, 140, 130, 110, 60, 50, 50]
    assert len(np.unique(_quota(60, 7))) == 7


def test_the_same_seed_gives_the_same_faces(faces):
    again = load("toy?faces=1500&seed=3", size=32)
    np.testing.assert_array_equal(faces.images, again.images)
    assert faces.protocol == again.protocol
    other = load("toy?faces=1500&seed=4", size=32)
    assert not np.array_equal(faces.images, other.images)
    assert other.protocol.hash != faces.protocol.hash


def test_size_and_colour_change_pixels_only(faces):
    large = load("toy?faces=1500&seed=3", size=40, channels=3)
    assert large.protocol == faces.protocol
    np.testing.assert_array_equal(large.votes, faces.votes)


def test_the_population_is_the_one_that_figures_were_made_with():
    """Changing it changes every figure in the docs: do it knowingly."""
    assert toy(faces=300, size=16).protocol.split_hash == "d4aa73faeb57a225"


def test_seven_classes_are_those_without_contempt():
    seven = load("toy?faces=300&classes=7", size=16)
    assert seven.classes == tuple(PROTOTYPES)[:7]
    assert seven.votes.shape == (300, 7)
    assert seven.labels.max() == 6


def test_few_people_still_fill_three_splits():
    small = load("toy?faces=30&identities=3", size=16)
    assert all(small.has(name) for name in SPLITS)


def test_noise_makes_it_harder():
    def accuracy(noise):
        some = toy(faces=1200, size=24, noise=noise)
        train, test = some.split("train"), some.split("test")
        model = RidgeClassifier(300).fit(train.images.reshape(len(train), -1) / 255.0, train.labels)
        return model.score(test.images.reshape(len(test), -1) / 255.0, test.labels)

    clean, hard = accuracy(0), accuracy(3)
    assert clean > 0.5
    assert hard < clean - 0.1


def test_thousands_a_second():
    start = time.process_time()
    toy(faces=600)
    assert time.process_time() - start < 0.6, "a thousand a second at the least, on a busy machine"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("toy?faces=3", "faces=3 should be between 30"),
        ("toy?classes=6", "classes=6 should be between 7 and 8"),
        ("toy?noise=9", "noise=9.0 should be between 0 and 3"),
        ("toy?faces=100&identities=200", "identities=200 should be between 3 and 100"),
        ("toy?seed=-1", "seed=-1"),
        ("toy?faces=many", "faces='many' should be a whole number"),
        ("toy?face=100", "did you mean 'faces'"),
        ("toy:somewhere", "have no path"),
    ],
)
def test_bad_options(source, message):
    with pytest.raises(FaceletError, match=message):
        load(source)


def test_bad_sizes():
    for bad in ({"size": 4}, {"channels": 2}):
        with pytest.raises(FaceletError, match="toy faces"):
            toy(**bad)
