from __future__ import annotations

import tracemalloc
from dataclasses import replace

import cv2
import numpy as np
import pytest

from facelet.faces.inspect.leaks import NEAR, Repeated, find_leaks, identical_to_train, likeness, repetitions


@pytest.fixture
def faces(face_set):
    return face_set(count=60, size=48)


def rows(faces, split: int) -> np.ndarray:
    return np.flatnonzero(faces.splits == split)


def between(leaks, first: str, second: str):
    return next(shared for shared in leaks.shared if (shared.first, shared.second) == (first, second))


def test_finds_nothing_where_there_is_nothing(faces):
    leaks = find_leaks(faces)
    assert not leaks.any
    assert [(shared.first, shared.second) for shared in leaks.shared] == [
        ("train", "val"),
        ("train", "test"),
        ("val", "test"),
    ]


def test_finds_exact_duplicates_and_other_labels(faces):
    train, test = rows(faces, 0), rows(faces, 2)
    for number in range(3):
        faces.images[test[number]] = faces.images[train[number]]
        faces.labels[test[number]] = faces.labels[train[number]]
    faces.labels[test[0]] = (faces.labels[train[0]] + 1) % 3
    shared = between(find_leaks(faces), "train", "test")
    assert (shared.exact, shared.relabelled, shared.near) == (3, 1, 0)
    assert np.flatnonzero(identical_to_train(faces, "test")).tolist() == [0, 1, 2]
    assert not identical_to_train(faces, "val").any()


def test_finds_copies_that_were_compressed_darkened_or_moved_by_a_pixel(faces):
    train, val = rows(faces, 0), rows(faces, 1)
    for number, change in enumerate((compressed, darkened, moved)):
        faces.images[val[number]] = change(faces.images[train[number]])
    shared = between(find_leaks(faces), "train", "val")
    assert (shared.exact, shared.near, shared.searched) == (0, 3, len(val))
    found = {(first, second) for first, second, _ in shared.examples}
    assert found == {(str(faces.names[train[n]]), str(faces.names[val[n]])) for n in range(3)}
    assert between(find_leaks(faces, near=False), "train", "val").near is None


def compressed(image: np.ndarray) -> np.ndarray:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)[..., None]


def darkened(image: np.ndarray) -> np.ndarray:
    return (image * 0.6).astype(np.uint8)


def moved(image: np.ndarray) -> np.ndarray:
    return np.roll(image, 1, axis=1)


def test_large_sets_are_sampled_and_say_so(faces, monkeypatch):
    monkeypatch.setattr("facelet.faces.inspect.leaks.MAX_PAIRS", len(rows(faces, 0)) * 4)
    shared = between(find_leaks(faces), "train", "val")
    assert 0 < shared.searched <= 4


def test_groups_in_two_splits(faces):
    faces.groups[:] = -1
    assert find_leaks(faces, near=False).groups == 0
    faces.groups[[rows(faces, 0)[0], rows(faces, 2)[0]]] = 7
    faces.groups[rows(faces, 0)[1:3]] = 8
    assert find_leaks(faces, near=False).groups == 1
    assert find_leaks(replace(faces, groups=None), near=False).groups == 0


def test_likeness_is_of_the_nearest_face(faces):
    train, others = faces.images[rows(faces, 0)], faces.images[rows(faces, 1)].copy()
    others[0] = train[3]
    others[1] = cv2.GaussianBlur(train[5], (3, 3), 0)[..., None]
    found = likeness(others, train)
    assert found[0] == pytest.approx(1.0, abs=1e-5)
    assert found[1] >= NEAR
    assert (found[2:] < NEAR).all()
    assert found.shape == (len(others),)


def within(leaks, split: str):
    return next(repeated for repeated in leaks.repeated if repeated.split == split)


def test_finds_one_photo_under_two_labels_in_one_split(faces):
    train, test = rows(faces, 0), rows(faces, 2)
    assert within(find_leaks(faces), "train") == Repeated("train", 0, 0, 0, len(train))
    for split in (train, test):
        faces.images[split[1]] = faces.images[split[0]]
        faces.labels[split[:2]] = 0, 1
    faces.images[train[3]] = faces.images[train[2]]
    faces.labels[train[2:4]] = 1, 1  # a copy under its own label
    faces.images[train[5]] = compressed(faces.images[train[4]])
    faces.labels[train[4:6]] = 2, 0
    names = [(str(faces.names[train[n]]), str(faces.names[train[n + 1]])) for n in (0, 4)]
    found = within(find_leaks(faces), "train")
    assert (found.copies, found.relabelled, found.near, found.searched) == (2, 2, 2, len(train) - 2)
    assert found.examples == (names[0], names[1][::-1])
    assert within(find_leaks(faces), "test").relabelled == 2
    assert within(find_leaks(faces, near=False), "train").near is None
    assert not find_leaks(faces).any  # nothing of it is in two splits
    assert repetitions(faces) == find_leaks(faces, near=False).repeated


def test_many_photos_that_look_the_same_under_every_label_take_no_more_memory(face_set):
    """As flat or broken crops do: the pairs are as many as the square of the faces."""
    alike = face_set(count=900, size=16)
    noise = np.random.default_rng(0).integers(0, 3, alike.images.shape, np.uint8)
    alike.images[:300] = alike.images[0] // 2 + noise[:300]
    alike.splits[:] = 0
    tracemalloc.start()
    found = within(find_leaks(alike), "train")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.near >= 290
    assert len(found.examples) == 5
    assert peak < 8e6


def test_a_photo_of_two_labels_in_train_contradicts_its_copy_in_test(faces):
    train, test = rows(faces, 0), rows(faces, 2)
    faces.images[[train[1], test[0]]] = faces.images[train[0]]
    for labels in ((0, 1), (1, 0)):
        faces.labels[train[:2]], faces.labels[test[0]] = labels, 0
        assert between(find_leaks(faces, near=False), "train", "test").relabelled == 1


def test_people_are_told_apart_where_there_are_no_classes(faces):
    people = replace(faces, classes=(), labels=np.full(60, -1), votes=None, identities=np.arange(60))
    train = rows(people, 0)
    people.images[train[1]] = people.images[train[0]]
    found = within(find_leaks(people), "train")
    assert (found.copies, found.relabelled, found.near) == (1, 2, None)
    people.identities[train[:2]] = -1, 5  # of one nothing is known
    assert within(find_leaks(people), "train").relabelled == 0
