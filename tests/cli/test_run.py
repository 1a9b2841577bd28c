"""`facelet recipes` needs no more than `pip install .` brings."""

from __future__ import annotations

import io
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from facelet.cli import run
from facelet.recipes import presets


def test_recipes_are_listed_without_the_training_side():
    code = "import sys; from facelet.cli import run; run.table(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "onnx", "lightning", "scipy"}.isdisjoint(done.stdout.split())
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert any(line.startswith("PyYAML") for line in project["dependencies"])


@pytest.mark.parametrize("width", [80, 110, 200])
def test_names_are_whole_in_the_table(width):
    """They are what a user types: a recipe, and models behind --only."""
    out = io.StringIO()
    Console(file=out, width=width).print(run.table(width))
    assert "…" not in out.getvalue()
    words = set(out.getvalue().replace(",", " ").split())
    for name in presets.names():
        made = {step["as"] for step in yaml.safe_load(presets.text_of(name))["steps"]}
        assert {name, *made} <= words
