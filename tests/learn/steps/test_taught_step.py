"""The teacher of a step, as its fields name it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"from": []}, "at least one"),
        ({"from": ["a", "a"]}, "none twice"),
        ({"from": "a", "mirror": 3}, "mirror"),
    ],
)
def test_fields_that_cannot_be_meant(step, fields, message):
    with pytest.raises(ValidationError, match=message):
        step("distill", epochs=1, **fields)
