"""The scripts in benchmarks/ and reproduce/ start, and the load test of the service runs to its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(
    script
    for folder in ("benchmarks", "reproduce")
    for script in (ROOT / folder).glob("*.py")
    if "__main__" in script.read_text(encoding="utf-8")
)


def run(script: Path, *words: str) -> str:
    command = [sys.executable, str(script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
    assert not done.returncode, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_help_says_what_it_does(script):
    assert "usage: " in run(script, "--help")


def test_the_load_test_of_the_service(yunet, monkeypatch):
    for package in ("uvloop", "httptools", "fastapi"):
        pytest.importorskip(package, reason="the service is not installed: pip install '.[serve]'")
    monkeypatch.setenv("FACELET_YUNET", str(yunet))
    monkeypatch.setenv("FACELET_KEYS", "missing")  # the developer's own settings do not matter
    table = run(ROOT / "benchmarks/serve.py", "--minutes", "0.1", "--requests", "20", "--clients", "4")
    for row in ("crops: capacity, 4 clients", "photos: capacity, 4 clients", "memory after"):
        assert row in table
