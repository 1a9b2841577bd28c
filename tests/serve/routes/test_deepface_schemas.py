"""DeepFace's names, distances and areas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance as scipy_distance

from facelet.faces import load
from facelet.runtime.face import Face
from facelet.serve.errors import ApiError
from facelet.serve.routes.deepface_schemas import EMOTIONS, Area, closest, distance, emotions


def test_eight_labels_become_seven_names():
    labels = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
    probabilities = dict(zip(labels, (0.1, 0.2, 0.05, 0.05, 0.1, 0.1, 0.1, 0.3), strict=True))
    found = emotions(probabilities)
    assert tuple(found) == EMOTIONS
    assert sum(found.values()) == pytest.approx(100)
    assert found["neutral"] == pytest.approx(40)
    assert found["happy"] == pytest.approx(20)
    assert emotions({"happy": 1.0})["happy"] == 100
    with pytest.raises(ApiError, match="bored"):
        emotions({"bored": 1.0})


@pytest.mark.slow
@pytest.mark.real
def test_contempt_is_most_often_neutral_to_other_annotators(real, capsys):
    """The figures of docs/compatible.md."""
    faces = load(f"ferplus:{real('ferplus.zip')}")
    contempt = faces.classes.index("contempt")
    votes = faces.votes[faces.labels == contempt].astype(float)
    votes[:, contempt] = 0
    shares = dict(zip(faces.classes, (votes.sum(axis=0) / votes.sum()).tolist(), strict=True))
    with capsys.disabled():
        print(f"\n{len(votes)} faces; other votes:", {name: f"{share:.1%}" for name, share in shares.items()})
    first, second, *_ = sorted(shares, key=lambda name: -shares[name])
    assert (first, second) == ("neutral", "disgust")
    assert (len(votes), round(100 * shares["neutral"]), round(100 * shares["disgust"])) == (148, 41, 20)


def test_distances_are_scipys():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = (vector / np.linalg.norm(vector) for vector in rng.normal(size=(2, 8)))
        cosine = float(a @ b)
        assert distance(cosine, "cosine") == pytest.approx(scipy_distance.cosine(a, b))
        assert distance(cosine, "euclidean") == pytest.approx(scipy_distance.euclidean(a, b))
        assert distance(cosine, "euclidean_l2") == distance(cosine, "euclidean")
        assert distance(cosine, "angular") == pytest.approx(np.arccos(cosine) / np.pi)
    assert distance(1.0000001, "angular") == 0


def test_areas_are_whole_and_within_the_photo():
    landmarks = np.array([(3.4, 5.6), (9.5, 5.4), (6, 8), (4, 11), (8, 11)], np.float32)
    area = Area.of(Face((-2.6, 1.2, 20.0, 13.0), 0.9, landmarks), (12, 40))
    assert (area.x, area.y, area.w, area.h) == (0, 1, 12, 13)
    assert (area.right_eye, area.left_eye) == ((3, 6), (10, 5))
    outside = Area.of(Face((-20, -20, 5, 5), 0.9), (12, 40))
    assert (outside.x, outside.y, outside.w, outside.h) == (0, 0, 0, 0)


def test_the_closest_pair():
    def face(*vector: float) -> Face:
        return Face((0, 0, 1, 1), 1.0, identity=np.array(vector, np.float32))

    first, second = [face(1, 0), face(0, 1)], [face(-1, 0), face(0.6, 0.8)]
    a, b, cosine = closest(first, second)
    assert a is first[1]
    assert b is second[1]
    assert cosine == pytest.approx(0.8)
