"""Errors of CompreFace's API: ``{"message": ..., "code": 28}``, with CompreFace's numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi.responses import JSONResponse
from pydantic import Field

from facelet.serve.errors import ApiError
from facelet.serve.schemas import Response


class Number(NamedTuple):
    """HTTP status and CompreFace's number of an error."""

    status: int
    code: int


NUMBERS = {
    "unauthorized": Number(401, 20),
    "forbidden": Number(403, 32),
    "unreadable_image": Number(400, 21),
    "invalid_base64": Number(400, 21),
    "invalid": Number(400, 26),
    "invalid_name": Number(400, 26),
    "no_face": Number(400, 28),
    "several_faces": Number(400, 31),
    "missing_parameter": Number(400, 33),
    "missing_file": Number(400, 34),
    "invalid_id": Number(400, 36),
    "unknown_person": Number(404, 42),
    "name_in_use": Number(400, 43),
    "unknown_face": Number(404, 44),
}
"""By the code of the native API. CompreFace has no numbers for the others: they keep their status and get 0."""


class ErrorResponse(Response):
    """The body of every error."""

    message: str = Field(description="a sentence", examples=["No face is found in the given image"])
    code: int = Field(description="CompreFace's number; 0 for errors without a number", examples=[28])


def as_compreface(error: ApiError) -> JSONResponse:
    """An error in CompreFace's shape."""
    other = 400 if error.status_code in (415, 422) else error.status_code
    number = NUMBERS.get(error.code, Number(other, 0))
    body = {"message": error.detail, "code": number.code}
    return JSONResponse(body, number.status, dict(error.headers or {}))


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": text}
    for status, text in {
        400: "an image that is missing, unreadable or without a face, or an invalid parameter",
        401: "no valid API key",
        403: "the key lacks the scope, or the request comes from another site's page",
        404: "no such subject or image",
        408: "the body did not arrive in time",
        413: "the body or the image is too large",
        429: "too many requests are under way; Retry-After says when to try again",
        503: "the gallery cannot be used",
        504: "not finished in time",
    }.items()
}
"""Errors of all routes, for OpenAPI."""
