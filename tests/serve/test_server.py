"""A server in a process of its own: start, requests, an orderly end, and a gallery that survives being killed."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from photo_fixtures import tiny_identity, tiny_model

from facelet.errors import FaceletError
from facelet.runtime.people.store import EmbeddingStore
from facelet.serve.server import listening

START = """
import sys
from photo_fixtures import faces_in_a_row
from facelet.serve import server, service
from facelet.serve.settings import Settings
service.Detector = lambda *arguments, **options: faces_in_a_row
server.run(Settings.model_validate_json(sys.argv[1]))
"""


class Server:
    """The service in a process of its own, with tiny models and a detector of squares."""

    def __init__(self, folder: Path, **options) -> None:
        folder.mkdir(exist_ok=True)
        self.gallery = folder / "people.db"
        model, identity = folder / "tiny.onnx", folder / "identity.onnx"
        if not model.exists():
            tiny_model(model)
            tiny_identity(identity)
        settings = {
            "port": 0,
            "model": str(model),
            "identity_model": str(identity),
            "gallery": str(self.gallery),
            "threads": 1,
            **options,
        }
        tests, source = Path(__file__).parents[1], Path(__file__).parents[2] / "src"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(tests)])}
        for name in ("FACELET_API_KEY", "FACELET_KEYS"):
            environment.pop(name, None)
        environment["XDG_DATA_HOME"] = str(folder)  # no API keys
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, json.dumps(settings)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        line = self.process.stdout.readline()
        found = re.match(r"http://127\.0\.0\.1:(\d+) ", line)
        assert found, line + self.process.stderr.read()
        self.port = int(found[1])

    def post(self, path: str, body: bytes, kind: str = "image/png") -> tuple[int, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def end(self, how: signal.Signals = signal.SIGTERM) -> str:
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=30)
        return errors


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    running = Server(tmp_path / "server")
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGKILL)


def form(name: str, *photos: bytes) -> bytes:
    """A multipart body with the boundary b."""
    parts = [
        b'name="name"\r\n\r\n' + name.encode(),
        *(b'name="file"; filename="a"\r\n\r\n' + photo for photo in photos),
    ]
    return b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--b--\r\n"


@pytest.mark.slow
def test_shutdown_finishes_what_was_accepted(server, file_bytes):
    photo = file_bytes(np.full((24, 24, 3), 200, np.uint8))
    server.post("/v1/analyze", photo)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(server.post, "/v1/analyze", photo) for _ in range(200)]
        time.sleep(0.05)
        errors = server.end()
        outcomes = [answer.exception() or answer.result()[0] for answer in answers]
    assert server.process.returncode == -signal.SIGTERM, "uvicorn raises the signal again at its orderly end"
    assert "Traceback" not in errors
    answered = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert set(answered) == {200}, "no request that was accepted got an error"
    assert all(isinstance(outcome, int | ConnectionError) for outcome in outcomes), "the others were not accepted"


@pytest.mark.slow
def test_slow_huge_and_broken_clients_harm_nobody(tmp_path, file_bytes):
    server = Server(tmp_path / "server", upload_seconds=1.0, body_bytes=100_000)
    photo = file_bytes(np.full((24, 24, 3), 200, np.uint8))
    head = b"POST /v1/analyze HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    slow, huge, gone, garbage = (socket.create_connection(("127.0.0.1", server.port)) for _ in range(4))
    try:
        slow.sendall(head + b"Content-Length: 5000\r\n\r\nx")
        huge.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b"x" * 0x10000 + b"\r\n") * 2)
        gone.sendall(head + b"Content-Length: 5000\r\n\r\nxxxx")
        gone.close()
        garbage.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        assert server.post("/v1/analyze", photo)[0] == 200
        assert b" 413 " in huge.recv(4096).splitlines()[0]
        assert b" 400 " in garbage.recv(4096).splitlines()[0]
        slow.settimeout(5)
        assert b" 408 " in slow.recv(4096).splitlines()[0]
    finally:
        for client in (slow, huge, garbage):
            client.close()
        errors = server.end()
    assert "Traceback" not in errors


@pytest.mark.slow
def test_killed_during_enrollments_no_person_is_half_written(tmp_path, file_bytes):
    """kill -9 five times during 1,000 enrollments of two faces each: every answered one is there, and no half one."""
    folder = tmp_path / "server"
    rng = np.random.default_rng(0)
    photos = [file_bytes(rng.integers(0, 255, (24, 24, 3)).astype(np.uint8)) for _ in range(50)]
    answered: list[str] = []
    numbers = iter(range(1000))
    lock = threading.Lock()

    def enroll(server: Server) -> None:
        while server.process.poll() is None:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            name = f"person {number}"
            body = form(name, photos[number % 50], photos[(7 * number + 1) % 50])
            try:
                status, answer = server.post("/v1/people", body, "multipart/form-data; boundary=b")
                assert status == 201, answer
                answered.append(name)
            except (OSError, http.client.HTTPException):
                return

    for kill in range(6):
        server = Server(folder)
        threads = [threading.Thread(target=enroll, args=(server,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        if kill < 5:
            wanted, patience = len(answered) + int(rng.integers(50, 200)), time.monotonic() + 60
            while len(answered) < wanted and time.monotonic() < patience:
                time.sleep(0.001)
            server.end(signal.SIGKILL)
        for thread in threads:
            thread.join()
        if server.process.poll() is None:
            server.end()
        store = EmbeddingStore(server.gallery)
        faces = {person.name: person.faces for person in store.people()}
        store.close()
        assert set(faces.values()) <= {2}, "a half person"
        assert set(answered) <= faces.keys(), "an answered enrollment is missing"
    assert len(answered) > 500


@pytest.mark.slow
@pytest.mark.parametrize(("language", "command"), [("py", [sys.executable, "-c"]), ("js", ["node", "--eval"])])
def test_the_clients_on_the_page(server, tmp_path, file_bytes, language, command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    (tmp_path / "photo.jpg").write_bytes(file_bytes(np.full((24, 24, 3), 220, np.uint8), ".jpg"))
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"```{language}\n(.*?)```", page, re.S)
    if language == "js":
        code += 'analyze(require("fs").readFileSync("photo.jpg")).then((faces) => console.log(faces[0].expression));'
    code = code.replace(":8000", f":{server.port}")
    run = subprocess.run([*command, code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert run.stdout.startswith("bright"), run.stderr


@pytest.mark.slow
def test_curl(server, tmp_path, file_bytes):
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    (tmp_path / "photo.jpg").write_bytes(file_bytes(np.full((24, 24, 3), 220, np.uint8), ".jpg"))
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^\$ (curl --form .*)$", page, re.M)
    line = line.replace(":8000", f":{server.port}")
    run = subprocess.run([*line.split(), "--silent"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert json.loads(run.stdout)["faces"][0]["expression"] == "bright"


def test_a_port_in_use_is_said():
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FaceletError, match=f"cannot listen on 127.0.0.1, port {port}: .*; use another --port"):
            listening("127.0.0.1", port)
    with pytest.raises(FaceletError, match="cannot listen on"):
        listening("no-such-host.invalid", 0)
