"""JSON bodies that are read after the key: types, messages, limits."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field
from starlette.testclient import TestClient

from facelet.serve import errors
from facelet.serve.json_body import JsonBody


class Named(BaseModel):
    name: str


NAMED: JsonBody[Named] = JsonBody(Named)
FEW: JsonBody[list[str]] = JsonBody(Annotated[list[str], Field(max_length=2)])


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    errors.install(app)

    @app.post("/named", openapi_extra=NAMED.described)
    async def named(body: Annotated[Named, Depends(NAMED)]) -> str:
        return body.name

    @app.post("/few", openapi_extra=FEW.described)
    async def few(body: Annotated[list[str], Depends(FEW)]) -> int:
        return len(body)

    return TestClient(app)


def test_what_fits_is_read(client):
    assert client.post("/named", json={"name": "Zoë"}).json() == "Zoë"
    assert client.post("/few", json=["a", "b"]).json() == 2


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/named", b'{"name": 3}', "name: Input should be a valid string"),
        ("/named", b"{", "the body: Invalid JSON"),
        ("/named", b"", "the body: Invalid JSON"),
        ("/named", b"\xff\xfe{", "the body: Invalid JSON"),
        ("/named", b'{"name": ' + b"[" * 100_000, "the body: Invalid JSON: recursion limit exceeded"),
        ("/few", b'["a", "b", "c"]', "the body: List should have at most 2 items"),
        ("/few", b'["a", 1]', "1: Input should be a valid string"),
    ],
)
def test_what_does_not_fit_is_422(client, path, body, message):
    answer = client.post(path, content=body, headers={"content-type": "application/json; charset=utf-8"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert answer.json()["error"]["message"].startswith(message)


@pytest.mark.parametrize("kind", ["text/plain", "", "application/jsonp"])
def test_another_type_is_415(client, kind):
    answer = client.post("/named", content=b'{"name": "Anna"}', headers={"content-type": kind})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


def test_openapi_describes_the_body(client):
    document = client.get("/openapi.json").json()
    schema = document["paths"]["/few"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"type": "array", "items": {"type": "string"}, "maxItems": 2}
