"""uvicorn's HTTP protocol with a limit on the time of a request's header, for which uvicorn would wait forever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection on which no whole header arrives within ``header_seconds``, which keeps idle clients few."""

    header_seconds = 20.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._late = self.loop.call_later(self.header_seconds, self.transport.close)

    def on_message_begin(self) -> None:
        super().on_message_begin()  # type: ignore[no-untyped-call]
        self._late.cancel()
        self._late = self.loop.call_later(self.header_seconds, self.transport.close)

    def on_headers_complete(self) -> None:
        self._late.cancel()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)


def bounded(header_seconds: float) -> type[Any]:
    """The protocol with this limit, for ``uvicorn.Config(http=...)``."""
    return type("Protocol", (BoundedProtocol,), {"header_seconds": header_seconds})
