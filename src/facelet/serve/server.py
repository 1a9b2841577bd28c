"""Runs the application with uvicorn until a signal ends it."""

from __future__ import annotations

import socket

import uvicorn

from facelet.cpu import description
from facelet.errors import FaceletError
from facelet.io.pixels import cv2
from facelet.serve import audit
from facelet.serve.app import create_app
from facelet.serve.protocol import bounded
from facelet.serve.settings import Settings

BACKLOG = 2048


def run(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM; then accepts no more and finishes what was accepted.

    Raises FaceletError as ``create_app`` does, and when the port cannot be used.
    """
    cv2.setNumThreads(1)  # each worker thread has a processor
    app = create_app(settings)
    audit.open_log(settings.audit)
    with listening(settings.host, settings.port) as listener:
        host, port = listener.getsockname()[:2]
        address = f"[{host}]" if ":" in host else host
        service = app.state.service
        keys = "API key needed" if service.keys.required else "no API key: this machine only"
        print(
            f"http://{address}:{port} ({keys}; {settings.workers} workers on {description()}); Ctrl-C stops", flush=True
        )
        config = uvicorn.Config(
            app,
            http=bounded(settings.upload_seconds),
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="on",
            timeout_keep_alive=30,
            timeout_graceful_shutdown=int(settings.upload_seconds + settings.seconds) + 1,
        )
        uvicorn.Server(config).run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises FaceletError when the address is not this machine's or the port is in use."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FaceletError(f"cannot listen on {host}, port {port}: {reason}; use another --port or --host") from None
