"""Errors have CompreFace's shape and numbers."""

from __future__ import annotations

import json

import pytest

from facelet.serve.errors import ApiError, overloaded
from facelet.serve.routes.compreface_errors import ERRORS, NUMBERS, as_compreface


@pytest.mark.parametrize(("code", "number"), NUMBERS.items())
def test_numbers(code, number):
    answer = as_compreface(ApiError(422, code, "why"))
    assert answer.status_code == number.status
    assert json.loads(answer.body) == {"message": "why", "code": number.code}
    assert number.status in ERRORS


def test_errors_without_a_number_keep_their_status():
    answer = as_compreface(overloaded("full"))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert json.loads(answer.body)["code"] == 0
    assert as_compreface(ApiError(415, "unsupported_media_type", "x")).status_code == 400
    assert as_compreface(ApiError(504, "timeout", "x")).status_code == 504
