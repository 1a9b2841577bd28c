from __future__ import annotations

import numpy as np
import pytest

from facelet.deploy.sample import Sample, draw, score
from facelet.errors import FaceletError
from facelet.models import model_file


@pytest.fixture
def info(fp32):
    return model_file.read(fp32)


def test_scores_of_labels(info):
    reference = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    outputs = np.eye(3, dtype=np.float32)[[0, 1, 1, 0]]
    sample = Sample(np.zeros((4, 16, 16, 1), np.uint8), np.array([0, 1, 1, -1]), None, "four")
    scores = score(outputs, reference, sample, info)
    assert (scores.n, scores.agreement, scores.accuracy) == (4, 0.75, 0.75)
    assert scores.low < 0.75 < scores.high


def test_scores_of_pairs(info):
    identity = info.model_copy(update={"task": "identity", "labels": (), "threshold": 0.5})
    vectors = np.array([[1, 0], [1, 0.1], [1, 0], [0, 1]], np.float32)
    sample = Sample(np.zeros((4, 16, 16, 1), np.uint8), None, np.array([True, True]), "two pairs")
    scores = score(2 * vectors, vectors, sample, identity)
    assert (scores.n, scores.accuracy) == (2, 0.5)
    assert scores.agreement == pytest.approx(1)


def test_outputs_of_another_width_are_an_error(info):
    sample = Sample(np.zeros((1, 16, 16, 1), np.uint8), None, None, "one")
    with pytest.raises(FaceletError, match="returns"):
        score(np.zeros((1, 2), np.float32), np.zeros((1, 3), np.float32), sample, info)


def test_pairs_are_for_identity_models(info, small_lfw):
    with pytest.raises(FaceletError, match="has pairs of faces; small is for expression"):
        draw(f"lfw:{small_lfw()}", info)
