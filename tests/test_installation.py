"""What to type for an extra, by how the package came; and a runtime install that can be looked at without the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

import facelet
from facelet import installation
from facelet.cli import app as cli

BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
"""
TRAINING = (
    "torch",
    "torchvision",
    "lightning",
    "timm",
    "onnx",
    "scipy",
    "sklearn",
    "matplotlib",
    "safetensors",
    "jinja2",
)


class Installed:
    def __init__(self, direct):
        self.direct = direct

    def read_text(self, name):
        return json.dumps(self.direct) if self.direct is not None and name == "direct_url.json" else None


@pytest.fixture
def came(monkeypatch):
    def by(direct):
        monkeypatch.setattr(metadata, "distribution", lambda name: Installed(direct))
        return installation.install_command()

    return by


def test_what_to_type(came, tmp_path):
    folder = tmp_path / "my checkout"
    folder.mkdir()
    gone = {"url": folder.as_uri(), "dir_info": {"editable": True}}
    assert came(gone) == "pip install '.[train]' in a checkout of Facelet"
    (folder / "pyproject.toml").touch()
    assert came(gone) == f"pip install '{folder}[train]'"
    wheel = {"url": "file:///d/facelet-1-py3-none-any.whl", "archive_info": {}}
    assert came(wheel) == "pip install 'facelet[train] @ file:///d/facelet-1-py3-none-any.whl'"
    git = {"url": "https://x/facelet", "vcs_info": {"vcs": "git", "commit_id": "0"}}
    assert came(git) == "pip install 'facelet[train] @ git+https://x/facelet'"


def test_what_to_type_without_a_note_of_pip(came, monkeypatch, tmp_path):
    checkout = Path(installation.__file__).resolve().parents[2]
    assert came(None) == f"pip install '{checkout}[train]'"  # not installed at all: the tests run in a checkout
    monkeypatch.setattr(installation, "__file__", str(tmp_path / "lib/site-packages/facelet/installation.py"))
    assert came(None) == "pip install 'facelet[train]'"


def runtime_only(code: str) -> subprocess.CompletedProcess[str]:
    """``code`` in a Python that has none of the training side's packages."""
    before = BLOCKED.format(blocked=TRAINING)
    return subprocess.run([sys.executable, "-c", before + code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "code",
    [
        "import facelet; help(facelet)",
        "import pydoc, facelet; print(pydoc.render_doc(facelet))",
        "import inspect, facelet; print(dict(inspect.getmembers(facelet))['run'].__doc__)",
        "from facelet import *; print(run.__doc__)",
    ],
)
def test_the_package_can_be_looked_at(code):
    done = runtime_only(code)
    assert done.returncode == 0, done.stderr
    assert "needs the extra `train`, pip install" in done.stdout


@pytest.mark.slow
def test_what_needs_the_rest_says_what_to_type():
    done = runtime_only("import facelet\ntry: facelet.run('tsnet')\nexcept facelet.FaceletError as error: print(error)")
    assert done.stdout.startswith("facelet.run needs torch: pip install '"), done.stderr
    command = "import sys; sys.argv = ['facelet', 'run', 'tsnet']; from facelet.cli.app import main; main()"
    done = runtime_only(command)
    assert done.returncode == 2
    assert "error: this command needs " in done.stderr
    assert "[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_version():
    said = CliRunner().invoke(cli.app, ["--version"])
    assert (said.exit_code, said.stdout) == (0, f"facelet {facelet.__version__}\n")
    assert CliRunner().invoke(cli.app, ["--help"]).stdout.count("--version") == 1
