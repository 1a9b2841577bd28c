"""Keys and scopes, as the OpenAPI document has them."""

from __future__ import annotations

from facelet.serve.auth import LOCAL, SCOPES


def test_every_route_but_health_takes_a_key(client):
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            keyless = path in ("/healthz", "/readyz")
            assert bool(operation.get("security")) != keyless, (method, path)
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["in"], scheme["name"]) == ("header", "x-api-key")


def test_this_machine_may_do_everything():
    assert LOCAL.scopes == set(SCOPES)


def test_wrong_keys_do_not_matter_without_keys(client):
    assert client.get("/v1/models", headers={"x-api-key": "any"}).status_code == 200


def test_no_body_is_read_before_the_key_is_checked(keyed):
    """Broken bodies of every kind: 401 for a wrong key, 403 without the scope, and only then a word on the body."""
    reader = keyed("read")
    wrong = {"x-api-key": "wrong"}
    document = reader.get("/openapi.json").json()
    taking = [
        (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
    ]
    assert len(taking) >= 14
    for method, path in taking:
        for kind in ("application/json", "multipart/form-data; boundary=x", "text/plain"):
            headers = {"content-type": kind}
            unknown = reader.request(method, path, content=b"{", headers={**headers, **wrong})
            assert unknown.status_code == 401, (method, path, kind)
            expected = (400, 415, 422) if method == "post" and "read" in _scopes(path) else (403,)
            answer = reader.request(method, path, content=b"{", headers=headers)
            assert answer.status_code in expected, (method, path, kind)


def _scopes(path: str) -> tuple[str, ...]:
    """The scopes that are enough to post to a path."""
    changing = path in ("/v1/people", "/api/v1/recognition/faces", "/api/v1/recognition/subjects")
    return () if changing or path.endswith("/delete") else ("read",)
