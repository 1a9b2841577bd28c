"""docs/extend.md as its reader follows it: each snippet in the file that it names, in a plugin, and in an installed package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "extend.md").read_text(encoding="utf-8"), re.S)
RECIPE = """
title: Noise
faces: {source: noise, size: 32, faces: 90}
steps:
  - {do: train, as: teacher, net: tiny, epochs: 1, batch: 16}
  - {do: distill, as: student, net: tiny, net_options: {width: 4}, from: teacher, losses: {logits: 1}, epochs: 1, batch: 16}
  - {do: copy, as: again, of: student}
"""


def snippet(name: str) -> str:
    return next(text for text in SNIPPETS if f'register("{name}")' in text)


def facelet(folder: Path, *words: str, path: Path = ROOT / "src") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "facelet.cli", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def plugin(tmp_path) -> Path:
    (tmp_path / "my_plugin.py").write_text("\n\n".join(SNIPPETS))
    return tmp_path


@pytest.mark.slow
def test_each_snippet_is_a_file_of_the_package(tmp_path):
    """The new file, and the one line that imports it."""
    package = tmp_path / "facelet"
    shutil.copytree(ROOT / "src" / "facelet", package, ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
    for room, file, name in (("faces/sources", "noise", "noise"), ("nets", "tiny", "tiny"), ("learn", "copy", "copy")):
        (package / room / f"{file}.py").write_text(snippet(name))
        here = package / room / "__init__.py"
        text = here.read_text()
        module = f"facelet.{room.replace('/', '.')}"
        importing = next(line for line in text.splitlines() if line.startswith(f"from {module} import "))
        assert not (package / room / f"{file}.py").read_text().startswith("from facelet.faces import")
        if "(" not in importing.split("#")[0]:
            text = text.replace(importing, importing.replace("import ", f"import {file}, ", 1))
        else:
            text = text.replace(f"{importing}\n", f"{importing}\n    {file},\n")
        here.write_text(text)
    with (package / "learn" / "tasks" / "distillation_losses.py").open("a") as terms:
        terms.write(re.sub(r"from facelet.learn.tasks.distillation_losses import .*\n", "", snippet("logits")))
    shown = facelet(tmp_path, "faces", "noise?faces=30", "--json", path=tmp_path)
    assert not shown.returncode, shown.stderr
    assert json.loads(shown.stdout)["faces"] == 30
    code = (
        "import facelet, facelet.learn; from facelet.learn.tasks.distillation_losses import TERMS; from facelet.nets import NETS; "
        "from facelet.step import STEPS; print('tiny' in NETS, 'copy' in STEPS, 'logits' in TERMS, facelet.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "True", "True", str(package / "__init__.py")], done.stderr


@pytest.mark.slow
def test_all_of_them_in_a_plugin_train_a_recipe(plugin):
    (plugin / "noise.yaml").write_text(RECIPE)
    done = facelet(plugin, "run", "noise.yaml", "--out", "run", "--plugin", "my_plugin.py")
    assert not done.returncode, done.stderr
    assert "plugin my_plugin.py: net tiny, distillation loss logits, step copy, face source noise" in done.stderr
    rows = json.loads((plugin / "run" / "ledger.json").read_text())
    assert [(row["name"], row["step"]) for row in rows] == [
        ("teacher", "train"),
        ("student", "distill"),
        ("again", "copy"),
    ]
    assert rows[1]["accuracy"] == rows[2]["accuracy"]
    words = ("eval", "run/student.onnx", "--faces", "noise?faces=60", "--json", "--plugin", "my_plugin.py")
    measured = facelet(plugin, *words)
    assert not measured.returncode, measured.stderr
    assert json.loads(measured.stdout)["protocol"]


@pytest.mark.slow
def test_an_installed_package_needs_no_option(tmp_path):
    site = tmp_path / "site"
    (site / "facelet_noise-1.0.dist-info").mkdir(parents=True)
    (site / "facelet_noise.py").write_text(snippet("noise"))
    (site / "facelet_noise-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: facelet-noise\nVersion: 1.0\n"
    )
    points = re.search(r"```toml\n(.*?)```", (ROOT / "docs" / "extend.md").read_text(encoding="utf-8"), re.S)[1]
    points = points.replace('[project.entry-points."facelet.plugins"]', "[facelet.plugins]").replace('"', "")
    (site / "facelet_noise-1.0.dist-info" / "entry_points.txt").write_text(points)
    path = Path(f"{site}{os.pathsep}{ROOT / 'src'}")
    shown = facelet(tmp_path, "faces", "noise?faces=30", "--json", path=path)
    assert not shown.returncode, shown.stderr
    assert json.loads(shown.stdout)["protocol"]["source"] == "noise"
    wrong = facelet(tmp_path, "faces", "nois", path=path)
    assert "did you mean 'noise'" in wrong.stderr
