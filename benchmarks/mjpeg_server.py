"""A camera in the network, on loopback: pictures as MJPEG over HTTP, with a camera's troubles.

>>> with MjpegServer([jpeg, other_jpeg], fps=25) as server:
...     cv2.VideoCapture(server.url)

Used by benchmarks/stream.py and by the tests of ``facelet.runtime.media.stream``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

HOST = "127.0.0.1"
BOUNDARY = "picture"


class MjpegServer:
    """Sends pictures in a loop to whoever asks, at a fixed rate.

    Attributes:
        pictures: JPEG files; may be replaced at any time.
        stalled: while set, connections stay open and nothing is sent.
        frozen: while set, the last picture is sent again and again.
        sent: number of pictures sent.
    """

    def __init__(self, pictures: Sequence[bytes], fps: float = 25.0) -> None:
        self.pictures, self.fps = list(pictures), fps
        self.stalled = self.frozen = False
        self.sent, self._port = 0, 0
        self._server: ThreadingHTTPServer | None = None
        self._running = threading.Event()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}/video.mjpg"

    def __enter__(self) -> MjpegServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listens, on the port of the last time."""
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served._send(self)

            def log_message(self, *_: Any) -> None: ...

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer((HOST, self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        self._running.set()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Ends the connections and refuses new ones, as a camera without power."""
        server, self._server = self._server, None
        if server is not None:
            self._running.clear()
            server.shutdown()
            server.server_close()

    def _send(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        request.end_headers()
        number, due = 0, time.monotonic()
        try:
            while self._running.is_set():
                if not self.stalled:
                    picture = self.pictures[number % len(self.pictures)]
                    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                    request.wfile.write(head.encode() + picture + b"\r\n")
                    self.sent += 1
                    number += not self.frozen
                due = max(due + 1 / self.fps, time.monotonic() - 1)
                time.sleep(max(0.0, due - time.monotonic()))
        except OSError:  # the reader has gone
            return
