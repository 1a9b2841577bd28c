"""The models inside the package: names to files, hashes, defaults, and that what is released fits its manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import facelet
from facelet.errors import FaceletError
from facelet.models import bundled, model_file, session

ROOT = Path(__file__).parents[2]


@pytest.fixture
def full(shelf):
    """A shelf with three files, which need not be models to be held to their hashes."""
    lines = []
    for name in ("expression", "expression-fp32", "identity-tiny"):
        data = f"the bytes of {name}".encode()
        (shelf / f"{name}.onnx").write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        lines.append(
            {"name": name, "file": f"{name}.onnx", "task": name.split("-")[0], "sha256": digest, "bytes": len(data)}
        )
    (shelf / "models.json").write_text(json.dumps(lines))
    return shelf


def test_what_is_released_fits_its_manifest():
    models = bundled.models()
    names = [model.name for model in models]
    assert names == sorted(set(names))
    assert {path.name for path in bundled.FOLDER.glob("*.onnx")} == {model.file for model in models}
    for model in models:
        path, info = bundled.path_of(model.name), model_file.read(bundled.path_of(model.name))
        session.open_session(path, 1)
        assert path.stat().st_size == model.bytes <= 5_000_000
        assert info.task == model.task == model.name.split("-")[0]
        assert info.figures["test_accuracy"] > 0
        assert not model.twin or model_file.read(bundled.path_of(model.twin)).precision == "fp32"
        assert not model.card or (ROOT / model.card).is_file()


def test_names_and_files(full, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [model.name for model in bundled.models()] == ["expression", "expression-fp32", "identity-tiny"]
    assert bundled.found("expression") == bundled.found(Path("expression")) == full / "expression.onnx"
    Path("expression").mkdir()
    assert bundled.found("expression") == full / "expression.onnx"
    Path("identity-tiny").write_bytes(b"a file of mine")
    assert bundled.found("identity-tiny") == Path("identity-tiny")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "expresion",
            r"unknown model 'expresion', did you mean 'expression'\? \(one of: expression, expression-fp32, id",
        ),
        ("expression.onnx", "did you mean 'expression'"),
        ("student", r"no model file 'student', did you mean 'student-int8.onnx'\?"),
        ("mine/expression", "no model file 'mine/expression'$"),
        ("~nobody/expression", "cannot look into|no model file"),
        ("", "^no model|is not a file"),
        ("a\0b", "cannot look into|no model file"),
        ("x" * 5000, "cannot look into|no model file"),
    ],
)
def test_what_is_neither(full, tmp_path, monkeypatch, name, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "student-int8.onnx").touch()
    with pytest.raises(FaceletError, match=says):
        facelet.load(name)


def test_a_file_that_was_tampered_with_is_refused(full, tmp_path):
    file = full / "expression.onnx"
    file.write_bytes(file.read_bytes().replace(b"bytes", b"bites"))
    for look in (bundled.path_of, bundled.found, facelet.load):
        with pytest.raises(
            FaceletError, match=r"expression.onnx is not the file that Facelet was released with .* reinstall"
        ):
            look("expression")
    assert bundled.path_of("expression-fp32").is_file()
    file.unlink()
    with pytest.raises(FaceletError, match=r"released with \(No such file"):
        bundled.path_of("expression")


def test_the_default_of_a_task(full, shelf):
    assert bundled.default("expression") == bundled.path_of("expression")
    assert bundled.default("identity") is None


def test_a_file_in_the_users_folder_is_not_the_default(full, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "expression").write_text("a stranger's")
    assert bundled.default("expression").parent == full


@pytest.mark.parametrize("text", ["", "{", '{"name": 1}', '[{"name": "expression"}]', "[3]"])
def test_a_damaged_manifest(shelf, text, tmp_path):
    (shelf / "models.json").write_text(text)
    with pytest.raises(FaceletError, match=r"models.json is damaged .*; reinstall Facelet"):
        bundled.found("expression")
    (tmp_path / "own.onnx").touch()
    assert bundled.found(tmp_path / "own.onnx").is_file()
