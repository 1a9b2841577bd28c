"""The application: its OpenAPI document, its page, and a fuzz of every route from the document."""

from __future__ import annotations

import pytest

from facelet.serve import app as application
from facelet.serve.app import ROUTERS
from facelet.serve.headers import PAGE_POLICY


def test_the_document_describes_every_route(client):
    document = client.get("/openapi.json").json()
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len(operations) == sum(route.include_in_schema for router in ROUTERS for route in router.routes)
    for operation in operations:
        assert operation["summary"]
        assert operation["tags"]
    posts = [
        methods["post"] for path, methods in document["paths"].items() if path.startswith("/v1") and "post" in methods
    ]
    assert all({"multipart/form-data", "application/json"} <= set(post["requestBody"]["content"]) for post in posts)
    assert "examples" in document["components"]["schemas"]["AnalyzedFace"]["properties"]["box"]


def test_no_page_that_loads_scripts_from_elsewhere(client):
    assert client.get("/docs").status_code == 404
    assert client.get("/redoc").status_code == 404


def test_a_slash_too_many_is_not_redirected(client):
    """The path without it deletes everybody."""
    answer = client.delete("/api/v1/recognition/faces/", follow_redirects=False)
    assert answer.status_code in (400, 404, 405)


def test_the_page_has_its_own_policy(serve, tmp_path, monkeypatch):
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<h1>Facelet</h1>")
    monkeypatch.setattr(application, "page_folder", lambda: folder)
    client = serve()
    answer = client.get("/")
    assert "Facelet" in answer.text
    assert answer.headers["content-security-policy"] == PAGE_POLICY
    assert "cache-control" not in answer.headers
    assert client.get("/v1/models").headers["content-security-policy"] != PAGE_POLICY
    assert client.get("/../keys").status_code == 404
    assert client.get("/gone").json() == {"error": {"code": "not_found", "message": "Not Found"}}


@pytest.mark.slow
@pytest.mark.parametrize("negative", [False, True], ids=["fitting", "unfitting"])
def test_every_route_survives_a_fuzz(client, fuzz, negative):
    assert {200, 422} & fuzz(client, "/", 20, negative)


@pytest.mark.slow
def test_a_wrong_key_is_401_whatever_is_sent(keyed, fuzz):
    client = keyed("read")
    client.headers["x-api-key"] = "fk_wrong"
    seen = fuzz(client, "/v1", 10)
    assert 401 in seen
    assert seen <= {401, 404, 405}, "a generated name may lead to no route"
