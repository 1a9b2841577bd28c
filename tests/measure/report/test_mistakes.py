from __future__ import annotations

import base64
from types import SimpleNamespace

import cv2
import numpy as np

from facelet.faces import FaceSet
from facelet.measure.report.mistakes import THUMBNAIL, WRONG_PAIRS, embedded, wrong_faces, wrong_pairs


def decoded(uri: str) -> np.ndarray:
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_wrong_face_is_shown_small_and_in_its_colours():
    images = np.zeros((2, 200, 200, 3), np.uint8)
    images[1, ..., 0] = 250
    votes = np.array([[1, 0, 0], [0.25, 0, 0.75]], np.float32)
    names, splits = np.array(["a", "b"]), np.full(2, 2, np.int8)
    faces = FaceSet(images, np.array([0, 2]), splits, names, ("sad", "calm", "glad"), "mine", votes)
    result = SimpleNamespace(
        worst=lambda most: np.array([0]), index=np.array([1]), truth=np.array([2]), predicted=np.array([0]),
        classes=faces.classes, labels=("sadness", "calm"), probabilities=np.array([[0.9, 0.1]]),
    )  # fmt: skip
    (wrong,) = wrong_faces(result, faces)
    assert (wrong.name, wrong.label, wrong.predicted, wrong.confidence) == ("b", "glad", "sadness", 0.9)
    assert wrong.votes == (("glad", 0.75), ("sad", 0.25))
    shown = decoded(wrong.picture)
    assert shown.shape == (THUMBNAIL, THUMBNAIL, 3)
    assert shown[0, 0].tolist() == [0, 0, 250], "OpenCV reads BGR"


def test_wrong_pairs_are_those_furthest_beyond_their_folds_threshold():
    count = 40
    same, folds = np.arange(count) % 2 == 0, np.arange(count) // 20
    thresholds = [0.2, 0.6]
    scores = np.random.default_rng(0).uniform(-1, 1, count)
    correct = np.array([(scores[k] >= thresholds[folds[k]]) == same[k] for k in range(count)])
    result = SimpleNamespace(scores=scores, thresholds=thresholds, folds=folds, same=same, correct=correct)
    pairs = SimpleNamespace(
        pairs=np.stack([np.arange(count), np.arange(count)[::-1]], 1),
        images=np.zeros((count, 8, 8, 1), np.uint8),
        names=np.array([f"{number}" for number in range(count)]),
    )
    found = wrong_pairs(result, pairs)
    for kind in (True, False):
        order = sorted(
            (k for k in range(count) if same[k] == kind and not correct[k]),
            key=lambda k: -abs(scores[k] - thresholds[folds[k]]),
        )
        expected = [(str(k), str(count - 1 - k)) for k in order[: WRONG_PAIRS // 2]]
        assert [pair.names for pair in found if pair.same == kind] == expected
    assert decoded(found[0].pictures[1]).shape == (8, 8)


def test_a_file_is_embedded_as_it_is(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    assert base64.b64decode(embedded(tmp_path / "a.png").split(",")[1]) == b"\x89PNG"
