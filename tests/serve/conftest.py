"""For tests of the service: an application with tiny models, and a client for it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pytest
from photo_fixtures import *  # noqa: F403
from photo_fixtures import Studio, faces_in_a_row, tiny_model
from starlette.testclient import TestClient

from facelet.io import pixels
from facelet.serve.app import create_app
from facelet.serve.audit import log as audit_log
from facelet.serve.auth import create_key
from facelet.serve.settings import Settings

Serve = Callable[..., TestClient]


def encoded(image: np.ndarray, kind: str = ".png") -> bytes:
    """An RGB image as a file's bytes."""
    return pixels.cv2.imencode(kind, image[:, :, ::-1])[1].tobytes()


@pytest.fixture(scope="session")
def file_bytes():
    return encoded


@pytest.fixture
def settings(studio: Studio, tmp_path, monkeypatch) -> Settings:
    """Of the studio's detector, identity model and gallery, and a model that tells dark from bright."""
    monkeypatch.setattr("facelet.serve.service.Detector", lambda *arguments, **options: faces_in_a_row)
    monkeypatch.setattr("facelet.serve.app.page_folder", lambda: None)
    for name in ("FACELET_API_KEY", "FACELET_KEYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("platformdirs.user_data_path", lambda app: tmp_path / app)
    return Settings(model=str(tiny_model(tmp_path / "tiny.onnx")), threads=1)


@pytest.fixture
def keys_file(tmp_path) -> Path:
    """Where ``keyed`` puts its key."""
    return tmp_path / "keys"


@pytest.fixture
def serve(settings: Settings, keys_file: Path) -> Iterator[Serve]:
    """``serve(**changes)``: a client of a running application with changed settings, and the keys that ``keyed`` made."""
    with ExitStack() as stack:

        def start(**changes) -> TestClient:
            keys = keys_file if keys_file.exists() else None
            app = create_app(settings.model_copy(update={"keys": keys, **changes}))
            return stack.enter_context(TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False))

        yield start


@pytest.fixture
def client(serve: Serve) -> TestClient:
    """Without API keys."""
    return serve()


@pytest.fixture
def keyed(serve: Serve, keys_file: Path) -> Callable[..., TestClient]:
    """``keyed("read", ...)``: a client whose API key has these scopes."""

    def start(*scopes: str, **changes) -> TestClient:
        secret = create_key(keys_file, "phone", scopes)
        client = serve(**changes)
        client.headers["x-api-key"] = secret
        return client

    return start


@pytest.fixture
def lines(monkeypatch):
    """The audit's lines."""
    kept: list[dict] = []

    class Keep(logging.Handler):
        def emit(self, entry):
            kept.append(json.loads(entry.getMessage()))

    monkeypatch.setattr(audit_log, "handlers", [Keep()])
    audit_log.setLevel(logging.INFO)
    return kept


@pytest.fixture
def fuzz(file_bytes) -> Callable[..., set[int]]:
    """``fuzz(client, prefix, examples, negative=False)``: sends requests made from the OpenAPI document to the routes whose path
    begins with ``prefix``, requires that each answer has a documented status and no traceback, and returns the statuses.
    """
    schemathesis = pytest.importorskip("schemathesis")
    import requests
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import Unsatisfiable
    from schemathesis.generation import GenerationMode

    def sender(client: TestClient, documented: set[int], seen: set[int]) -> Callable[..., None]:
        def send(case) -> None:
            keywords = case.as_transport_kwargs(base_url="http://127.0.0.1")
            names = ("method", "url", "headers", "params", "data", "json", "files", "cookies")
            asked = requests.Request(**{name: keywords[name] for name in names if name in keywords}).prepare()
            headers = {**asked.headers, **client.headers}
            answer = client.request(asked.method, asked.url, content=asked.body or b"", headers=headers)
            # A generated path may be another route's, as DELETE /v1/people/ is GET /v1/people's.
            assert answer.status_code in documented | {404, 405}, (asked.method, asked.url, answer.text)
            assert "Traceback" not in answer.text
            seen.add(answer.status_code)

        return send

    def run(client: TestClient, prefix: str, examples: int, negative: bool = False) -> set[int]:
        seen: set[int] = set()
        bounded = settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        mode = GenerationMode.NEGATIVE if negative else GenerationMode.POSITIVE
        schema = schemathesis.openapi.from_dict(client.app.openapi())
        for result in schema.get_all_operations():
            operation = result.ok()
            if operation.path.startswith(prefix):
                documented = {int(status) for status in operation.definition.raw["responses"]}
                send = bounded(
                    given(case=operation.as_strategy(generation_mode=mode))(sender(client, documented, seen))
                )
                with suppress(Unsatisfiable):  # a route without parameters takes no unfitting request
                    send()
        return seen

    return run
