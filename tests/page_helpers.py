"""For tests of the page: a server of this machine, and what the page finds in a photo."""

from __future__ import annotations

import functools
import threading
import time
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@contextmanager
def serving(folder: Path):
    """URL of a server of a folder; ``log`` of the yielded server has the paths that were asked for."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.server.log.append(self.path)
            super().do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    server.log = []
    server.handle_error = lambda *_: None  # a browser that closes while it is answered
    server.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def wait_until(page, expression: str, seconds: float = 120) -> None:
    """Until a JavaScript expression holds. Playwright's own wait evaluates text in the page, which its policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < end, f"{expression} does not hold: {page.inner_text('body')[:500]}"
        page.wait_for_timeout(30)


def result_of(page, file: Path | dict) -> dict:
    """What the page finds in a photo that is chosen with the file picker."""
    before = page.evaluate("results.length")
    page.set_input_files("#file", file if isinstance(file, dict) else str(file))
    wait_until(page, f"results.length > {before} || !problem.hidden")
    problem = page.inner_text("#problem") if page.is_visible("#problem") else ""
    assert not problem, problem
    return page.evaluate("results.at(-1)")
