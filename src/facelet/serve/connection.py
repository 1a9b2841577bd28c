"""ASGI middleware that bounds what a client can cost: bytes and time of an upload, and work after it is gone.

The limits hold while the body is read, with or without a declared length, so every way of reading it is covered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facelet.serve.errors import ApiError, overloaded, response
from facelet.serve.settings import Settings

PATIENCE = 0.05
"""Seconds before a request that is still under way is watched for its client leaving; most are answered sooner."""
CLOSE = {"Connection": "close"}
"""Ends the connection, for the rest of the body need not be read."""


@dataclass
class Uploads:
    """Bytes of all request bodies in memory."""

    held: int = 0


class BoundedConnections:
    """Middleware with the limits ``body_bytes``, ``upload_bytes`` and ``upload_seconds``, raised as ApiError 413, 429 and 408.

    When the client disconnects, the request's task is cancelled. While ``full()`` is true, a POST is refused with 429 before its
    body is read, so that refusing costs little when there is most to refuse.
    """

    def __init__(self, app: ASGIApp, settings: Settings, full: Callable[[], bool] = lambda: False) -> None:
        self.app = app
        self.settings = settings
        self.full = full
        self.uploads = Uploads()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        task = asyncio.current_task()
        assert task is not None
        body = Body(receive, self.settings, self.uploads, task)
        try:
            if scope["method"] == "POST" and self.full():
                raise overloaded("too many requests are under way; try again")
            body.require_room(int(declared[:18]) if declared.isdigit() else 0)
        except ApiError as error:
            await response(error, scope["path"])(scope, receive, send)
            return
        try:
            await self.app(scope, body.receive, send)
        except ClientDisconnect:
            pass
        except asyncio.CancelledError:
            if not body.gone:
                raise
        finally:
            body.close()


@dataclass
class Body:
    """The body of a request while it is received, and the watch on its client.

    Attributes:
        source: the server's ``receive``.
        settings: the limits.
        uploads: the share of all bodies in memory.
        task: the request's task, which is cancelled when the client disconnects.
        gone: whether that happened.
    """

    source: Receive
    settings: Settings
    uploads: Uploads
    task: asyncio.Task[object]
    gone: bool = False
    _bytes: int = 0
    _complete: bool = False
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _watch: asyncio.TimerHandle | asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._deadline = self._loop.time() + self.settings.upload_seconds

    def require_room(self, more: int) -> None:
        """Raises ApiError when ``more`` bytes exceed this body's limit or that of all bodies."""
        if self._bytes + more > self.settings.body_bytes:
            limit = f"{self.settings.body_bytes:,} bytes"
            raise ApiError(413, "too_large", f"the request body is larger than the limit of {limit}", CLOSE)
        if self.uploads.held + more > self.settings.upload_bytes:
            raise overloaded("other uploads fill the memory for request bodies; try again", CLOSE)

    async def receive(self) -> Message:
        """The next part of the body, counted. Reading it notices by itself when the client disconnects."""
        if self._complete:
            return await self.source()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self.source()
        except TimeoutError:
            limit = f"{self.settings.upload_seconds:g} seconds"
            raise ApiError(408, "slow_upload", f"the request body did not arrive within {limit}", CLOSE) from None
        size = len(message.get("body", b""))
        self.require_room(size)
        self._bytes += size
        self.uploads.held += size
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._complete = True
            self._watch = self._loop.call_later(PATIENCE, self._start_watch)
        return message

    def close(self) -> None:
        """Frees the body's share of the memory, and ends the watch."""
        self.uploads.held -= self._bytes
        if self._watch is not None and not self.gone:
            self._watch.cancel()

    def _start_watch(self) -> None:
        self._watch = self._loop.create_task(self._wait_for_disconnect())

    async def _wait_for_disconnect(self) -> None:
        while (await self.source())["type"] != "http.disconnect":
            pass
        self.gone = True
        self.task.cancel()
