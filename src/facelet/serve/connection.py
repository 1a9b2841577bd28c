"""ASGI middleware that bounds what a client can cost: bytes and time of an upload, and work after it is gone.

The limits hold while the body is read, with or without a declared length, so every way of reading it is covered.
"""

from __future__ import annotations

import asyncio
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

    When the client disconnects, the request's task is cancelled.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.uploads = Uploads()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        body = Body(receive, self.settings, self.uploads)
        try:
            body.require_room(int(declared) if declared.isdigit() else 0)
        except ApiError as error:
            await response(error)(scope, receive, send)
            return
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        timer = loop.call_later(PATIENCE, body.watch, loop, task)
        try:
            await self.app(scope, body.receive, send)
        except ClientDisconnect:
            pass
        except asyncio.CancelledError:
            if not body.gone:
                raise
        finally:
            timer.cancel()
            body.close()


@dataclass
class Body:
    """The body of a request while it is received, and the watch on its client."""

    source: Receive
    settings: Settings
    uploads: Uploads
    gone: bool = False
    """Whether the client disconnected while its request was under way."""
    _bytes: int = 0
    _complete: bool = False
    _deadline: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    _watcher: asyncio.Task[None] | None = None

    def require_room(self, more: int) -> None:
        """Raises ApiError when ``more`` bytes exceed this body's limit or that of all bodies."""
        if self._bytes + more > self.settings.body_bytes:
            limit = f"{self.settings.body_bytes:,} bytes"
            raise ApiError(413, "too_large", f"the request body is larger than the limit of {limit}", CLOSE)
        if self.uploads.held + more > self.settings.upload_bytes:
            error = overloaded("other uploads fill the memory for request bodies; try again")
            error.headers = {**(error.headers or {}), **CLOSE}
            raise error

    async def receive(self) -> Message:
        """The next part of the body, counted."""
        if self._complete:
            return await self.source()
        try:
            async with asyncio.timeout_at(self._deadline + self.settings.upload_seconds):
                message = await self.source()
        except TimeoutError:
            limit = f"{self.settings.upload_seconds:g} seconds"
            raise ApiError(408, "slow_upload", f"the request body did not arrive within {limit}", CLOSE) from None
        size = len(message.get("body", b""))
        self.require_room(size)
        self._bytes += size
        self.uploads.held += size
        self._complete = not message.get("more_body", False)
        return message

    def watch(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[object]) -> None:
        """Cancels ``task`` when the client disconnects; before the body is complete, reading it notices that by itself."""
        if self._complete:
            self._watcher = loop.create_task(self._wait_for_disconnect(task))

    async def _wait_for_disconnect(self, task: asyncio.Task[object]) -> None:
        while (await self.source())["type"] != "http.disconnect":
            pass
        self.gone = True
        task.cancel()

    def close(self) -> None:
        """Frees the body's share of the memory, and ends the watch."""
        self.uploads.held -= self._bytes
        if self._watcher is not None and not self.gone:
            self._watcher.cancel()
