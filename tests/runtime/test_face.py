"""A face as plain values."""

from __future__ import annotations

import json

import numpy as np

from facelet.runtime.face import Face
from facelet.runtime.quality import Quality


def test_a_face_without_predictions():
    document = json.loads(json.dumps(Face((0, 0, 1, 1), 1.0).to_json()))
    assert (document["landmarks"], document["expression"], document["identity"], document["quality"]) == (None,) * 4
    assert (document["probabilities"], document["warnings"], document["roll"]) == ({}, [], 0)


def test_a_face_with_all_of_them():
    quality = Quality(side=64, sharpness=0.5, light=0.5, contrast=0.2, turn=0.1)
    face = Face(
        (1.04, 2, 30.06, 40), 0.98765, np.full((5, 2), 7.25, np.float32), "dark", {"dark": 0.7000049, "bright": 0.3},
        np.array([0.6, 0.8], np.float32), ("small",), 89.96, quality,
    )  # fmt: skip
    document = json.loads(json.dumps(face.to_json()))
    assert document["box"] == [1.0, 2, 30.1, 40]
    assert (document["score"], document["roll"]) == (0.9877, 90.0)
    assert document["landmarks"] == [[7.2, 7.2]] * 5
    assert document["probabilities"] == {"dark": 0.7, "bright": 0.3}
    assert np.allclose(document["identity"], (0.6, 0.8))
    assert document["warnings"] == ["small"]
    assert document["quality"] == round(quality.score, 3)


def test_another_prior_changes_probabilities_and_label():
    face = Face((0, 0, 1, 1), 1.0, expression="dark", probabilities={"dark": 0.6, "bright": 0.4})
    other = face.reweighted(np.array([1.0, 3.0]))
    assert other.expression == "bright"
    np.testing.assert_allclose(list(other.probabilities.values()), [1 / 3, 2 / 3], rtol=1e-6)
    assert face.reweighted(None) is face
    nobody = Face((0, 0, 1, 1), 1.0)
    assert nobody.reweighted(np.array([1.0, 3.0])) is nobody
