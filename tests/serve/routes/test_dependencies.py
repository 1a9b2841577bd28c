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
