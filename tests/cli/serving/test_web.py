"""`facelet web`: one line about the site, one about how to try it, JSON, and errors in one line."""

from __future__ import annotations

import json

import pytest

from facelet.cli import app
from facelet.serve.web import onnxruntime_web


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Small stand-ins for the detector and ONNX Runtime for browsers."""
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    for name in onnxruntime_web.FILES:
        (runtime / name).write_bytes(b"part")
    (tmp_path / "yunet.onnx").write_bytes(b"detector")
    monkeypatch.setenv(onnxruntime_web.VARIABLE, str(runtime))
    monkeypatch.setenv("FACELET_YUNET", str(tmp_path / "yunet.onnx"))
    monkeypatch.delenv("FACELET_MODEL", raising=False)


def run(monkeypatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["facelet", *words])
    with pytest.raises(SystemExit) as ended:
        app.main()
    return ended.value.code


def test_a_site_and_how_to_try_it(parts, tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, "web", "--out", str(tmp_path / "my site")) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith(f"{tmp_path / 'my site'}: ")
    assert f"--directory '{tmp_path / 'my site'}'" in told[1]
    assert (tmp_path / "my site" / "index.html").is_file()


def test_json(parts, tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, "web", "--out", str(tmp_path / "site"), "--model", "expression-tiny", "--json") == 0
    site = json.loads(capsys.readouterr().out)
    assert site["out"] == str(tmp_path / "site")
    assert site["files"] > 20
    assert site["bytes"] > 1_000_000


def test_errors_are_one_line(parts, tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, "web", "--out", str(tmp_path)) == 2
    assert "has other files" in capsys.readouterr().err
    assert run(monkeypatch, "web", "--out", str(tmp_path / "site"), "--model", "expresion") == 2
    assert "did you mean" in capsys.readouterr().err
