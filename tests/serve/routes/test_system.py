"""Health without a key, metrics with one."""

from __future__ import annotations

from starlette.testclient import TestClient

from facelet.serve.app import create_app


def test_health_needs_no_key(keyed):
    client = keyed("enroll")
    client.headers.pop("x-api-key")
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.get("/metrics").status_code == 401


def test_metrics_need_the_scope_read(keyed):
    assert keyed("delete").get("/metrics").status_code == 403


def test_metrics(client):
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "facelet_requests_under_way 0.0" in answer.text


def test_before_the_start_it_is_not_ready(settings):
    client = TestClient(create_app(settings), base_url="http://localhost")  # without its lifespan
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
