"""Responses: the values of `facelet predict --json`, and examples that fit."""

from __future__ import annotations

import numpy as np
import pytest

from facelet.runtime.face import Face
from facelet.serve import schemas
from facelet.serve.engine import AnalyzedPhoto
from facelet.serve.schemas import Analysis, Response


def test_a_face_is_what_predict_prints():
    face = Face(
        (1.234, 2, 3, 4), 0.98765, np.ones((5, 2), np.float32), "happy", {"happy": 0.123456789}, warnings=("small",)
    )
    answer = Analysis.of(AnalyzedPhoto([face], (640, 480), 2)).model_dump(mode="json")
    printed = face.to_json()
    printed["embedding"] = printed.pop("identity")
    assert answer == {"width": 640, "height": 480, "faces": [printed], "omitted": 2}
    assert Analysis.model_validate(answer).faces[0].expression == "happy"


RESPONSES = [value for value in vars(schemas).values() if isinstance(value, type) and issubclass(value, Response)]


@pytest.mark.parametrize("model", RESPONSES, ids=lambda model: model.__name__)
def test_values_are_described_or_have_an_example(model):
    assert model.__doc__
    for name, field in model.model_fields.items():
        nested = any(response.__name__ in str(field.annotation) for response in RESPONSES)
        assert field.description or field.examples or nested, name
