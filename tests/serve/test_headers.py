"""Security headers on every response; requests that other sites' pages cause are refused."""

from __future__ import annotations

import pytest

from facelet.serve.headers import API_POLICY, SECURITY


@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/nowhere", "/v1/analyze"])
def test_every_response_has_them(client, path):
    headers = client.get(path).headers
    assert {name: headers[name] for name in SECURITY} == SECURITY
    assert headers["content-security-policy"] == API_POLICY
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_an_error_of_the_server_has_them_too_and_is_counted(client, monkeypatch):
    def fail():
        raise RuntimeError("password in /srv/secret")

    monkeypatch.setattr(client.app.state.service, "people", fail)
    answer = client.get("/v1/people")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert {name: answer.headers[name] for name in SECURITY} == SECURITY
    assert 'route="/v1/people",status="500"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "LOCALHOST:1"])
def test_hosts_of_this_machine(client, host):
    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "evil@evil", "[", "10.0.0.1"])
def test_dns_rebinding_without_keys(client, keyed, host):
    answer = client.get("/v1/models", headers={"host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_host")
    assert keyed("read").get("/v1/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:81", "http://[", "", "file://"])
def test_pages_of_other_origins(client, origin):
    answer = client.post("/v1/people", headers={"origin": origin}, files={"file": b"x"}, data={"name": "Eve"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin")


def test_the_own_page_and_allowed_origins(client, serve):
    assert client.get("/healthz", headers={"origin": "http://127.0.0.1"}).status_code == 200
    shared = serve(origins=("https://app.example",))
    answer = shared.get("/v1/models", headers={"origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    asked = {"origin": "https://app.example", "access-control-request-method": "DELETE"}
    assert shared.options("/v1/people/Anna", headers=asked).status_code == 200
    assert shared.get("/v1/models", headers={"origin": "https://evil.example"}).status_code == 403


def test_requests_are_counted_by_route_and_status(client):
    client.get("/v1/people")
    client.delete("/v1/people/Nobody")
    client.get("/some/random/path")
    client.post("/v1/analyze", content=b"x", headers={"content-type": "image/png"})
    text = client.get("/metrics").text
    assert 'facelet_requests_total{method="GET",route="/v1/people",status="200"} 1.0' in text
    assert 'facelet_requests_total{method="DELETE",route="/v1/people/{name:path}",status="404"} 1.0' in text
    assert 'facelet_requests_total{method="other",route="other",status="404"} 1.0' in text
    assert 'facelet_requests_total{method="POST",route="/v1/analyze",status="422"} 1.0' in text
    assert 'facelet_request_seconds_count{route="/v1/analyze"} 1.0' in text
