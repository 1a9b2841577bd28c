"""CompreFace's similarity, and the choice of faces."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facelet.runtime.face import Face
from facelet.serve.engine import AnalyzedPhoto
from facelet.serve.errors import ApiError
from facelet.serve.routes import compreface_schemas as schemas
from facelet.serve.routes.compreface_schemas import Located, PhotoOptions, similarity
from facelet.serve.schemas import Response


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 0.35, 0.4325, 0.9, 1.0])
def test_similarity(threshold):
    cosines = np.linspace(-1, 1, 201)
    values = [similarity(cosine, threshold) for cosine in cosines]
    assert values == sorted(values)
    assert 0 <= values[0] <= values[-1] <= 1
    assert similarity(threshold, threshold) == 0.5
    for cosine, value in zip(cosines, values, strict=True):
        a, b = np.array([1.0, 0.0]), np.array([cosine, math.sqrt(max(0.0, 1 - cosine**2))])
        limit = math.sqrt(2 - 2 * threshold)
        assert value == pytest.approx((math.tanh((limit - np.linalg.norm(a - b)) * 5.292) + 1) / 2, abs=1e-5)


def test_similarity_of_the_bundled_model():
    """The figures of docs/compatible.md."""
    assert similarity(1.0, 0.4325) > 0.9999
    assert similarity(0.0, 0.4325) < 0.03
    sixty = next(cosine for cosine in np.arange(-1, 1, 0.001) if similarity(cosine, 0.4325) >= 0.6)
    assert sixty == pytest.approx(0.473, abs=0.002)


def photo(*scores: float) -> AnalyzedPhoto:
    return AnalyzedPhoto([Face((-3.4, 2.0, 10.0, 10.0), score) for score in scores], (5, 100))


def test_chosen_faces():
    assert len(PhotoOptions().selected(photo(0.9, 0.8, 0.95))) == 3
    assert [face.score for face in PhotoOptions(det_prob_threshold=0.9, limit=1).selected(photo(0.8, 0.9, 0.95))] == [
        0.9
    ]
    with pytest.raises(ApiError, match="No face is found"):
        PhotoOptions(det_prob_threshold=0.99).selected(photo(0.9))
    assert PhotoOptions(face_plugins="landmarks, age").plugins == {"landmarks", "age"}


def test_boxes_are_within_the_photo():
    found = photo(0.9)
    box = Located.fields_of(found.faces[0], found.size, PhotoOptions())["box"]
    assert (box.x_min, box.y_min, box.x_max, box.y_max) == (0, 2, 5, 12)


RESPONSES = [
    value
    for value in vars(schemas).values()
    if isinstance(value, type) and issubclass(value, Response) and value.__module__ == schemas.__name__
]


@pytest.mark.parametrize("model", RESPONSES, ids=lambda model: model.__name__)
def test_values_are_described_or_have_an_example(model):
    assert model.__doc__
    for name, field in model.model_fields.items():
        nested = any(response.__name__ in str(field.annotation) for response in RESPONSES)
        assert field.description or field.examples or nested, name
