"""The error of the native API: ``{"error": {"code": ..., "message": ...}}`` with a fitting status, never a traceback.

Routes raise ApiError, or run code of the runtime within ``explained``, which turns its FaceletErrors into ApiErrors.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from facelet.errors import FaceletError, TooManyPixelsError
from facelet.text import printable

log = logging.getLogger("facelet.serve")

CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}
"""Codes of the framework's own errors, by status."""
LONGEST = 500
"""Maximum number of characters of a message, which may repeat the client's input."""


class ApiError(HTTPException):
    """An error for the client.

    Attributes:
        status_code: HTTP status.
        code: a word for programs, which stays the same.
        detail: a sentence for people.
        headers: additional response headers.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, printable(message)[:LONGEST], headers)
        self.code = code


def overloaded(message: str, headers: Mapping[str, str] | None = None) -> ApiError:
    """429, for the client to try again in a second."""
    return ApiError(429, "overloaded", message, {"Retry-After": "1", **(headers or {})})


@contextmanager
def explained(status: int, code: str) -> Iterator[None]:
    """Turns a FaceletError about the client's input into an ApiError; an image with too many pixels is always 413."""
    try:
        yield
    except TooManyPixelsError as error:
        raise ApiError(413, "too_many_pixels", str(error)) from None
    except FaceletError as error:
        raise ApiError(status, code, str(error)) from None


def install(app: FastAPI) -> None:
    """Registers the handlers that write all errors in the one shape."""
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(RequestValidationError, _answer)


_SHAPES: dict[str, Callable[[ApiError], Response]] = {}
"""Beginning of a path -> how errors below it are written, where that is not the native API's way."""


def route_class(write: Callable[[ApiError], Response], *paths: str) -> type[APIRoute]:
    """A class of routes whose errors have another shape, which ``write`` gives them: ``APIRouter(route_class=...)``.

    ``paths``: beginnings of paths for which errors outside of the routes have it, too, such as those of a full service.
    """
    _SHAPES.update(dict.fromkeys(paths, write))

    class Route(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    return await handler(request)
                except (HTTPException, RequestValidationError) as error:
                    return write(as_api_error(error))

            return handle

    return Route


def as_api_error(error: Exception) -> ApiError:
    """An error of the framework as an ApiError."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        return ApiError(422, "invalid", f"{where}: {first['msg']}")
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # FastAPI's, of a body that it cannot read, such as JSON in no Unicode encoding
        return ApiError(422, "invalid", str(error.detail), error.headers)
    return ApiError(error.status_code, CODES.get(error.status_code, "error"), str(error.detail), error.headers)


def response(error: ApiError, path: str = "") -> Response:
    """An ApiError as a response, in the shape of the API that the path belongs to."""
    for beginning, write in _SHAPES.items():
        if path.startswith(beginning):
            return write(error)
    body = {"error": {"code": error.code, "message": error.detail}}
    return JSONResponse(body, error.status_code, dict(error.headers or {}))


async def _answer(request: Request, error: Exception) -> Response:
    return response(as_api_error(error), request.url.path)


def unexpected(error: Exception, path: str) -> Response:
    """The last resort, without a detail of the error, which is for the server's log."""
    if isinstance(error, MemoryError):
        return response(ApiError(413, "too_large", "not enough memory for this request; send a smaller image"), path)
    return response(ApiError(500, "internal", "an error of the server; its log has the details"), path)
