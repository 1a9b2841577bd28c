"""ONNX Runtime for browsers: given, named by the environment, cached, fetched by npm; and every way in which that fails."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

import pytest

from facelet.errors import FaceletError
from facelet.serve.web import onnxruntime_web


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A small package file whose hash is the pinned one; nothing else is on this machine."""
    path, content = tmp_path / "onnxruntime-web-1.2.3.tgz", io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name in (*onnxruntime_web.FILES, "not-needed.js"):
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    path.write_bytes(content.getvalue())
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(content.getvalue()).digest()).decode()}"
    lock = tmp_path / "lock.json"
    entry = {"version": "1.2.3", "integrity": integrity}
    lock.write_text(json.dumps({"packages": {"node_modules/onnxruntime-web": entry}}))
    monkeypatch.setattr(onnxruntime_web, "LOCK", lock)
    monkeypatch.delenv(onnxruntime_web.VARIABLE, raising=False)
    return path


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """``npm("print(...)")`` puts a command npm on the path, and nothing else, that runs Python code."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    python = Path(sys.base_prefix) / "bin" / "python3"
    if not python.exists():
        pytest.skip("needs a Python in bin, as on Linux and macOS")

    def install(code: str) -> None:
        (folder / "npm").write_text(f"#!{python}\nimport shutil, sys\n{code}\n")
        (folder / "npm").chmod(0o755)

    return install


def test_the_pinned_version_is_that_of_package_json():
    wanted = json.loads(onnxruntime_web.LOCK.with_name("package.json").read_text())["dependencies"]
    version, integrity = onnxruntime_web.pinned()
    assert wanted == {"onnxruntime-web": version}
    assert integrity.startswith("sha512-")
    assert "resolved" not in onnxruntime_web.LOCK.read_text()


def test_a_package_file_is_unpacked_into_the_cache_and_found_there(package, tmp_path):
    folder = onnxruntime_web.find(package, cache=tmp_path / "cache")
    assert folder == tmp_path / "cache" / "onnxruntime-web-1.2.3"
    assert sorted(file.name for file in folder.iterdir()) == sorted(onnxruntime_web.FILES)
    assert (folder / "ort.wasm.min.mjs").read_text() == "ort.wasm.min.mjs"
    assert onnxruntime_web.find(cache=tmp_path / "cache", download=False) == folder


def test_an_unpacked_package_is_used_where_it_is(package, fake_runtime, tmp_path, monkeypatch):
    assert onnxruntime_web.find() == fake_runtime
    (tmp_path / "node").mkdir()
    fake_runtime.rename(tmp_path / "node" / "dist")
    assert onnxruntime_web.find(tmp_path / "node") == tmp_path / "node" / "dist"
    with pytest.raises(FaceletError, match="no folder or package file"):
        onnxruntime_web.find()


def test_wrong_packages_are_refused(package, tmp_path):
    package.write_bytes(package.read_bytes() + b"\0")
    with pytest.raises(FaceletError, match=r"not the pinned onnxruntime-web 1\.2\.3: its hash differs"):
        onnxruntime_web.find(package, cache=tmp_path / "cache")
    with pytest.raises(FaceletError, match=r"has no ort\.wasm\.min\.mjs; expected the npm package"):
        onnxruntime_web.find(tmp_path)


def test_npm_fetches_it_once(package, npm, tmp_path):
    npm(f"shutil.copy({str(package)!r}, sys.argv[sys.argv.index('--pack-destination') + 1])")
    folder = onnxruntime_web.find(cache=tmp_path / "cache")
    npm("sys.exit(1)")
    assert onnxruntime_web.find(cache=tmp_path / "cache") == folder


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ('print(\'{"error": {"summary": "network down\\\\nmore"}}\'); sys.exit(1)', "network down; give a copy"),
        ("print('npm error code E404', file=sys.stderr); sys.exit(1)", "npm error code E404; give a copy"),
        ("", "exit code 0"),
    ],
)
def test_npms_reason_is_told(package, npm, tmp_path, code, reason):
    npm(code)
    with pytest.raises(FaceletError, match=reason):
        onnxruntime_web.find(cache=tmp_path / "cache")


def test_without_npm_the_ways_to_get_it_are_told(package, npm, tmp_path):
    with pytest.raises(
        FaceletError, match=r"npm is needed once.*\[web\].*--onnxruntime-web FILE.*npm pack onnxruntime-web@1\.2\.3"
    ):
        onnxruntime_web.find(cache=tmp_path / "cache")
    with pytest.raises(FaceletError, match="not on this machine"):
        onnxruntime_web.find(cache=tmp_path / "cache", download=False)
