"""One shape for every error, and no detail of the server in it."""

from __future__ import annotations

import json

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from starlette.testclient import TestClient

from facelet.errors import FaceletError, TooManyPixelsError
from facelet.serve import errors
from facelet.serve.errors import ApiError, explained


@pytest.fixture
def client():
    app = FastAPI()
    errors.install(app)
    raised = {
        "api": ApiError(418, "teapot", "short\x1b[31m\x00 and stout", {"X-Pot": "1"}),
        "long": ApiError(400, "long", "x" * 10_000),
    }

    @app.get("/raise/{name}")
    async def fail(name: str, number: int = 0):
        raise raised[name]

    return TestClient(app, raise_server_exceptions=False)


def test_shape(client):
    answer = client.get("/raise/api")
    assert (answer.status_code, answer.headers["x-pot"]) == (418, "1")
    assert answer.json() == {"error": {"code": "teapot", "message": "short[31m and stout"}}
    assert len(client.get("/raise/long").json()["error"]["message"]) == 500


def test_the_frameworks_errors(client):
    assert client.get("/nowhere").json() == {"error": {"code": "not_found", "message": "Not Found"}}
    answer = client.post("/raise/api")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    answer = client.get("/raise/api?number=x")
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("number: Input should be a valid integer")


def test_unexpected_errors_tell_nothing():
    answer = errors.unexpected(RuntimeError("password in /srv/secret"), "/v1/analyze")
    assert (answer.status_code, json.loads(answer.body)["error"]["code"]) == (500, "internal")
    assert b"secret" not in answer.body
    assert errors.unexpected(MemoryError(), "/v1/analyze").status_code == 413


def test_errors_of_the_runtime():
    with pytest.raises(ApiError) as caught, explained(422, "unreadable_image"):
        raise FaceletError("the photo: cut short")
    assert (caught.value.status_code, caught.value.code, caught.value.detail) == (
        422,
        "unreadable_image",
        "the photo: cut short",
    )
    with pytest.raises(ApiError) as caught, explained(422, "unreadable_image"):
        raise TooManyPixelsError("the photo", 9, 9, 80)
    assert (caught.value.status_code, caught.value.code) == (413, "too_many_pixels")
    assert errors.overloaded("full").headers == {"Retry-After": "1"}


def test_an_api_with_another_shape():
    app = FastAPI()
    errors.install(app)
    shaped = errors.route_class(lambda error: JSONResponse({"code": error.code}, 400), "/other")
    router = APIRouter(route_class=shaped)

    @router.get("/other")
    async def other(number: int = 0):
        raise ApiError(404, "unknown_person", "nobody")

    app.include_router(router)
    client = TestClient(app)
    assert client.get("/other").json() == {"code": "unknown_person"}
    assert client.get("/other?number=x").json() == {"code": "invalid"}
    assert client.get("/nowhere").status_code == 404
    assert client.get("/other/way").json() == {"code": "not_found"}
