"""Bounds of what a client costs: size, memory and time of a body, and work after it is gone."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.requests import Request
from starlette.responses import Response

from facelet.serve import connection
from facelet.serve.connection import BoundedConnections
from facelet.serve.errors import ApiError, response
from facelet.serve.settings import Settings

SETTINGS = Settings(body_bytes=2000, upload_bytes=5000, upload_seconds=0.2)


async def reads_all(scope, receive, send):
    """Answers with the body's length, and with ApiErrors as the application does."""
    try:
        answer = Response(str(len(await Request(scope, receive).body())))
    except ApiError as error:
        answer = response(error)
    await answer(scope, receive, send)


class Client:
    """Sends a body in parts, each after a delay, then waits, or disconnects."""

    def __init__(self, *parts: bytes, delay: float = 0.0, declared: int | None = None, leaves: float | None = None):
        self.parts, self.delay, self.leaves = list(parts), delay, leaves
        self.scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        if declared is not None:
            self.scope["headers"].append((b"content-length", str(declared).encode()))
        self.sent = []

    async def receive(self):
        if self.parts:
            await asyncio.sleep(self.delay)
            part = self.parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(self.parts)}
        await asyncio.sleep(100 if self.leaves is None else self.leaves)
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)

    async def through(self, app):
        await app(self.scope, self.receive, self.send)
        return self

    @property
    def status(self):
        return self.sent[0]["status"] if self.sent else None

    @property
    def code(self):
        return json.loads(self.sent[1]["body"])["error"]["code"]

    @property
    def headers(self):
        return dict(self.sent[0]["headers"])


def test_a_small_body_passes_and_frees_its_memory():
    async def main():
        app = BoundedConnections(reads_all, SETTINGS)
        client = await Client(b"x" * 900, b"", b"x" * 900, declared=1800).through(app)
        assert (client.status, client.sent[1]["body"]) == (200, b"1800")
        assert app.uploads.held == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    "client", [Client(b"x", declared=2001), Client(b"x" * 1500, b"x" * 1500)], ids=["declared", "chunked"]
)
def test_a_large_body_is_413_declared_or_not(client):
    async def main():
        app = BoundedConnections(reads_all, SETTINGS)
        await client.through(app)
        assert (client.status, client.code) == (413, "too_large")
        assert client.headers[b"connection"] == b"close"
        assert app.uploads.held == 0

    asyncio.run(main())


def test_bodies_together_are_bounded():
    async def main():
        app = BoundedConnections(reads_all, SETTINGS.model_copy(update={"upload_seconds": 10.0}))
        slow = [asyncio.ensure_future(Client(b"x" * 1900, b"", delay=0.1).through(app)) for _ in range(2)]
        await asyncio.sleep(0.15)
        refused = await Client(b"x" * 1900, declared=1900).through(app)
        assert (refused.status, refused.code) == (429, "overloaded")
        assert refused.headers[b"retry-after"] == b"1"
        assert [client.status for client in await asyncio.gather(*slow)] == [200, 200]
        assert app.uploads.held == 0

    asyncio.run(main())


def test_when_full_a_post_is_refused_before_its_body_is_read():
    async def main():
        app = BoundedConnections(reads_all, SETTINGS, full=lambda: True)
        client = await Client(b"x").through(app)
        assert (client.status, client.code, client.parts) == (429, "overloaded", [b"x"])
        client = Client(b"x")
        client.scope["method"] = "GET"
        assert (await client.through(app)).status == 200

    asyncio.run(main())


def test_a_slow_upload_ends_although_it_goes_on():
    async def main():
        app = BoundedConnections(reads_all, SETTINGS)
        client = await asyncio.wait_for(Client(*[b"x"] * 100, delay=0.05).through(app), 2)
        assert (client.status, client.code) == (408, "slow_upload")
        assert app.uploads.held == 0

    asyncio.run(main())


def test_work_ends_when_the_client_leaves(monkeypatch):
    monkeypatch.setattr(connection, "PATIENCE", 0.01)
    ended = []

    async def works_long(scope, receive, send):
        await Request(scope, receive).body()
        try:
            await asyncio.sleep(100)
        finally:
            ended.append(True)

    async def main():
        app = BoundedConnections(works_long, SETTINGS)
        client = await asyncio.wait_for(Client(b"x", leaves=0.05).through(app), 2)
        assert ended == [True]
        assert client.sent == []
        assert app.uploads.held == 0

    asyncio.run(main())


def test_a_client_that_leaves_while_it_sends_is_no_error():
    async def main():
        app = BoundedConnections(reads_all, SETTINGS)
        client = Client(b"x")
        client.parts.append(b"never")

        async def leaves():
            return {"type": "http.disconnect"}

        client.receive = leaves
        await client.through(app)
        assert client.sent == []

    asyncio.run(main())


def test_being_cancelled_from_outside_stays_a_cancellation():
    async def works_long(scope, receive, send):
        await asyncio.sleep(100)

    async def main():
        task = asyncio.ensure_future(Client(b"x").through(BoundedConnections(works_long, SETTINGS)))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_other_protocols_pass():
    seen = []

    async def lifespan(scope, receive, send):
        seen.append(scope["type"])

    asyncio.run(BoundedConnections(lifespan, SETTINGS)({"type": "lifespan"}, None, None))
    assert seen == ["lifespan"]
