"""Errors name the thing, its value and the nearest valid choice."""

from __future__ import annotations

import ast
import traceback
from pathlib import Path

import onnx
import pytest

import facelet
from facelet.errors import FaceletError, TooManyPixelsError, nearest, unknown


def test_unknown_names_the_nearest_and_all():
    error = unknown("net", "resnet81", ["shufflenet-v2", "resnet18"])
    assert str(error) == "unknown net 'resnet81', did you mean 'resnet18'? (one of: resnet18, shufflenet-v2)"


def test_nothing_near_lists_all_the_same():
    assert nearest("zzz", ["resnet18"]) is None
    assert str(unknown("net", "zzz", ["resnet18"])) == "unknown net 'zzz'; (one of: resnet18)"


@pytest.mark.parametrize(
    "code",
    [
        "import facelet; facelet.load('{folder}/gone.onnx')",
        "import facelet; facelet.load('{folder}/text.onnx')",
        "import facelet; facelet.load('{folder}/other.onnx')",
        "import facelet; facelet.load('bad\\0name')",
        "from facelet.models.model_file import ModelInfo, parse; parse({{'facelet': '{{}}'}}, 'x.onnx')",
        "from facelet.io.files import read_json; read_json('{folder}/text.onnx')",
        "from facelet.faces import load; load('toy?faces=many')",
        "from facelet.faces import load; load('toy?faces')",
        "from facelet.faces import load; load('pack:{folder}/text.onnx')",
        "from facelet.faces.protocol import Protocol; Protocol.from_json({{}})",
        "from facelet.recipes import schema; schema.load('tsnet', settings=['seeds=[', 'x=1'])",
        "import facelet; facelet.Gallery('{folder}/text.onnx').people()",
    ],
)
def test_a_mistake_has_a_traceback_of_its_own_alone(code, tmp_path):
    """The message says the cause: Python need not print what was raised on the way to it."""
    (tmp_path / "text.onnx").write_text("not a model")
    onnx.save(onnx.ModelProto(ir_version=9), str(tmp_path / "other.onnx"))
    with pytest.raises(FaceletError) as caught:
        exec(code.format(folder=tmp_path))
    told = "".join(traceback.format_exception(caught.value))
    assert "During handling" not in told
    assert "direct cause" not in told


def _says_all_of(message: ast.expr, error: str) -> bool:
    """Whether a message has {error} in it, or is str(error)."""
    values = [part.value for part in ast.walk(message) if isinstance(part, ast.FormattedValue)]
    return any(isinstance(value, ast.Name) and value.id == error for value in values) or (
        ast.unparse(message) == f"str({error})"
    )


def test_what_a_message_says_in_full_is_no_cause():
    """Python would print the exception a second time, with a traceback of its own."""
    twice = []
    for path in sorted(Path(facelet.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (
                isinstance(node, ast.Raise) and isinstance(node.cause, ast.Name) and isinstance(node.exc, ast.Call)
            ):
                continue
            kind = ast.unparse(node.exc.func)
            ours = not kind.endswith("Error") or kind == "FaceletError"
            if ours and any(_says_all_of(message, node.cause.id) for message in node.exc.args):
                twice.append(f"{path.name}:{node.lineno}")
    assert not twice, f"say `from None` in {', '.join(twice)}"


def test_an_image_with_too_many_pixels_says_how_many():
    error = TooManyPixelsError("a.jpg", 6000, 4000, 12_500_000)
    assert str(error) == "a.jpg has 6000 x 4000 pixels, more than the limit of 12.5 million"
