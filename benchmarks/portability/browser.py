"""onnxruntime-web in a real browser: WebAssembly with SIMD, one thread, in headless Chromium.

A server on the loopback address serves the model and the faces to the page and receives the outputs.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from facelet.errors import FaceletError
from portability.job import STARTING, Job, RuntimeOutputs, failure

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
TYPES = {".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json"}


def wasm(job: Job) -> RuntimeOutputs:
    """Runs the page. Raises FaceletError without a browser or the npm package, and with the page's message when it fails."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        raise FaceletError("no chromium; apt-get install chromium")
    package = job.cache / "wasm" / "node_modules" / "onnxruntime-web"
    if not package.is_dir():
        raise FaceletError("not prepared; python benchmarks/portability.py --prepare wasm")
    version = json.loads((package / "package.json").read_text())["version"]
    told = _in_browser(browser, job, package / "dist")
    chrome = re.search(r"Chrom[a-z]*/([0-9]+)", told["agent"])
    where = f"Chromium {chrome[1]}, SIMD, one thread" if chrome else told["agent"]
    return RuntimeOutputs.of(told["logits"], told["seconds"], version, where)


def prepare_wasm(cache: Path) -> None:
    """Installs the pinned npm package, 150 MB. Raises FaceletError without npm, or with its message."""
    folder = cache / "wasm"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / name, folder / name)
    npm = shutil.which("npm")
    if not npm:
        raise FaceletError("no npm; apt-get install npm")
    ended = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True)
    if ended.returncode:
        raise FaceletError(f"npm ci failed: {failure(ended)}")


def _in_browser(browser: str, job: Job, dist: Path) -> dict:
    """The result that page.html posts."""
    posted: dict[str, bytes] = {}
    done = threading.Event()

    def take(path: str, body: bytes) -> None:
        posted[path] = body
        done.set()

    sent = {
        "/": (HERE / "page.html").read_bytes(),
        "/job.json": json.dumps({"name": job.name, "shape": job.inputs.shape, "seconds": job.seconds}).encode(),
        "/model": job.model.read_bytes(),
        "/inputs": np.ascontiguousarray(job.inputs, "<f4").tobytes(),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(sent, dist, take))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="facelet-", ignore_cleanup_errors=True) as profile:
        words = [browser, *FLAGS, f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/"]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            _wait(done, process, job.seconds + STARTING)
        finally:
            _end(process)
            server.shutdown()
            server.server_close()
    if "/failed" in posted:
        raise FaceletError(posted["/failed"].decode("utf-8", "replace").splitlines()[0][:300])
    return json.loads(posted["/answers"])


def _wait(done: threading.Event, process: subprocess.Popen[bytes], seconds: float) -> None:
    """Waits for the page's result. Raises FaceletError when the browser exits first or the time limit is reached."""
    end = time.monotonic() + seconds
    while not done.wait(0.2):
        if process.poll() is not None and not done.is_set():
            raise FaceletError(f"the browser ended with code {process.returncode} before the page answered")
        if time.monotonic() > end:
            raise FaceletError(f"no answer from the page in {seconds:.0f} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills the browser and its child processes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _handler(sent: dict[str, bytes], dist: Path, take: Callable[[str, bytes], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = sent.get(self.path)
            file = dist / self.path.removeprefix("/ort/")
            if body is None and self.path == f"/ort/{file.name}" and file.is_file():
                body = file.read_bytes()
            self.send_response(404 if body is None else 200)
            kind = ".html" if self.path == "/" else Path(self.path).suffix
            self.send_header("Content-Type", TYPES.get(kind, "application/octet-stream"))
            # Isolated pages have a clock of 5 microseconds, others of 100.
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()
            take(self.path, body)

        def log_message(self, *words: object) -> None:
            pass

    return Handler
