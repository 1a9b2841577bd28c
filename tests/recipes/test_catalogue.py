"""`facelet recipes` needs no more than `pip install .` brings."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path


def test_recipes_are_listed_without_the_training_side():
    code = "import sys; from facelet.recipes import catalogue; catalogue.table(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "onnx", "lightning", "scipy"}.isdisjoint(run.stdout.split())
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert any(line.startswith("PyYAML") for line in project["dependencies"])
