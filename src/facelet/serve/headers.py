"""ASGI middleware for headers: counts and times requests, refuses those of other web pages, and adds security headers.

Without API keys the service answers only this machine, but so does any browser on it: a foreign page could make the browser send
requests. They carry the page's Origin, or after DNS rebinding its Host, and are refused.
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facelet.serve.errors import ApiError, log, response, unexpected
from facelet.serve.metrics import Metrics
from facelet.serve.settings import Settings, is_loopback
from facelet.serve.web.site import CSP

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
"""On every response. The two Cross-Origin headers allow the page to use threads in WebAssembly."""
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = f"{CSP}; frame-ancestors 'none'"
"""The page's own, with the part that only a header can have."""


class CheckedHeaders:
    """Middleware around everything else, so that all responses have the headers and are counted.

    Args:
        app: the next application.
        settings: for the allowed origins.
        metrics: where requests are counted.
        keyless: whether the service runs without API keys, for this machine only.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics, keyless: bool) -> None:
        self.app = app
        self.origins = settings.origins
        self.metrics = metrics
        self.keyless = keyless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, start = 499, time.perf_counter()  # 499: the client disconnected before the answer

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                add_headers(MutableHeaders(scope=message), page="page" in scope)
            await send(message)

        try:
            await self._answer(scope, receive, send_with_headers)
        except Exception as error:
            log.exception("an unexpected error")
            if status != 499:  # the response has begun, and can only be broken off
                status = 500
                raise
            await unexpected(error, scope["path"])(scope, receive, send_with_headers)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(route, scope["method"] if route != "other" else "other", status).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - start)
            if status == 429:
                self.metrics.refused.inc()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (error := self._foreign(Headers(scope=scope))) is not None:
            await response(error, scope["path"])(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _foreign(self, headers: Headers) -> ApiError | None:
        """The error for a request that another site's page caused, or None."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.keyless and host and not is_loopback(_split(f"//{host}")[1]):
            return ApiError(
                403, "foreign_host", f"without API keys the service answers to localhost only, not to {host}"
            )
        if origin is not None and origin not in self.origins and _split(origin)[0] != host:
            return ApiError(403, "foreign_origin", f"requests of pages from {origin} are not allowed")
        return None


def add_headers(headers: MutableHeaders, page: bool) -> None:
    """Adds the security headers; answers of the API are not cached."""
    headers.update(SECURITY)
    headers["Content-Security-Policy"] = PAGE_POLICY if page else API_POLICY
    if not page:
        headers["Cache-Control"] = "no-store"


def _split(url: str) -> tuple[str, str]:
    """Host with port, and host alone, of a URL; empty when it has none."""
    try:
        parts = urlsplit(url)
        return parts.netloc, parts.hostname or ""
    except ValueError:
        return "", ""
