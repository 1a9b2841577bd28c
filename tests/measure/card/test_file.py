"""The card in its model file, put there by the command."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
from rich.console import Console

from facelet.cli.measure import card
from facelet.errors import FaceletError
from facelet.measure.card import file
from facelet.measure.card.card import measured
from facelet.models import model_file
from facelet.runtime.model import Model

pytestmark = pytest.mark.usefixtures("quick_card")


def command(model, **changes):
    given = {"faces": [], "people": "", "pairs": "", "run": "", "split": "test", "out": "", "into_file": False}
    card.command(str(model), **{**given, "threads": 1, "errors": Console(quiet=True), **changes})


def test_a_card_is_kept_in_the_file(expression, shades, tmp_path, capsys):
    path, before = expression(), expression("plain.onnx")
    size = path.stat().st_size
    with pytest.raises(FaceletError, match=r"has no card in it; measure one with: facelet card .* --faces SOURCE"):
        command(path)
    command(path, faces=[f"folder:{shades}"], into_file=True, out=str(tmp_path / "cards" / "tiny.md"))
    assert capsys.readouterr().out == ""
    text = (tmp_path / "cards" / "tiny.md").read_text(encoding="utf-8")
    assert model_file.read(path).card == Model.load(path).info.card == text
    assert "# tiny" not in repr(model_file.read(path))
    command(path)
    assert capsys.readouterr().out == text
    faces = np.full((1, 32, 32, 1), 90, np.uint8)
    assert np.array_equal(Model.load(path).logits(faces), Model.load(before).logits(faces))
    again = measured(path, faces=[f"folder:{shades}"])
    assert again.bytes == pytest.approx(size, abs=20)  # the old card does not count
    file.put_into(path, "# Another")
    assert file.stored(path) == "# Another"
    assert [entry.key for entry in onnx.load(path).metadata_props] == ["facelet"]
    with pytest.raises(FaceletError, match="keep it beside the file with --out"):
        file.put_into(path, "x" * (model_file.MAX_CARD + 1))
    assert file.stored(path) == "# Another"


def test_a_card_is_printed_when_nowhere_is_named(expression, shades, capsys):
    command(expression(), faces=[f"folder:{shades}"])
    assert capsys.readouterr().out.partition("---\n\n")[2].startswith("# tiny\n")


def test_a_stored_card_is_read_without_the_training_side():
    code = "import sys; from facelet.measure.card import file; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint({"torch", "onnx", "scipy", "jinja2", "matplotlib", "onnxruntime"})


@pytest.mark.parametrize("given", [{"into_file": True}, {"people": "faces:x"}, {"run": "runs/x"}])
def test_what_is_to_be_measured_needs_faces(expression, identity, given):
    with pytest.raises(FaceletError, match="--faces SOURCE"):
        command(expression(), **given)
    with pytest.raises(FaceletError, match="--pairs lfw:PATH"):
        command(identity(), **given)
