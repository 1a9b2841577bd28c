from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from facelet.deploy import TARGETS, Target, export
from facelet.errors import FaceletError
from facelet.models import model_file
from facelet.models.session import open_session


@pytest.fixture
def copy_target(monkeypatch):
    """A target whose files are copies of the model file; ``wrong`` is added to its outputs."""

    class Copy(Target):
        name, title, suffix, modules = "copy", "Copy", ".copy", {"numpy": "numpy"}
        wrong = 0.0

        def convert(self, source, info, path):
            path.write_bytes(source.read_bytes())

        def open(self, path, info, threads=1):
            session = open_session(path, threads)
            return lambda face: session.run(None, {info.input.name: face})[0] + self.wrong * np.arange(3)

    monkeypatch.setitem(TARGETS._entries, "copy", Copy)
    return Copy


def test_files_and_metadata_are_written(fp32, copy_target, tmp_path):
    exported = export(fp32, "copy", tmp_path / "deep" / "out.copy")
    main, side = exported.files
    assert main.read_bytes() == fp32.read_bytes()
    assert exported.verdict.passed
    assert exported.bytes == fp32.stat().st_size
    stored = json.loads(side.read_text())
    assert stored["facelet"]["labels"] == ["dark", "bright", "striped"]
    assert stored["export"]["files"] == {"out.copy": hashlib.sha256(main.read_bytes()).hexdigest()}
    assert stored["export"]["gate"]["passed"] is True
    info = model_file.ModelInfo.model_validate(stored["facelet"])
    assert info == model_file.read(fp32)
    assert json.dumps(exported.to_json())


def test_the_gate_refuses_and_leaves_no_file(fp32, copy_target, tmp_path):
    copy_target.wrong = 1.0
    with pytest.raises(FaceletError, match=r"parity gate refuses .*out.copy: 8 golden faces: deviation .* --allow"):
        export(fp32, "copy", tmp_path / "out.copy")
    assert not list(tmp_path.iterdir())
    exported = export(fp32, "copy", tmp_path / "out.copy", allow=True)
    assert not exported.verdict.passed
    assert json.loads(exported.files[-1].read_text())["export"]["gate"]["passed"] is False


def test_a_runtime_that_is_not_here_has_no_verdict(fp32, copy_target, tmp_path):
    copy_target.elsewhere = "the moon"
    exported = export(fp32, "copy", tmp_path / "out.copy")
    assert exported.verdict is None
    assert exported.elsewhere == "the moon"
    assert exported.to_json()["passed"] is None


def test_an_error_of_a_converter_is_one_line(fp32, copy_target, tmp_path, monkeypatch):
    monkeypatch.setattr(copy_target, "convert", lambda self, source, info, path: {}["strides"])
    with pytest.raises(FaceletError, match=r"Copy cannot represent .*small\.onnx: KeyError: 'strides'$"):
        export(fp32, "copy", tmp_path / "out.copy")


def test_other_files_are_errors(copy_target, tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"hello")
    with pytest.raises(FaceletError, match="not a complete ONNX file"):
        export(tmp_path / "no.onnx", "copy", tmp_path / "out.copy")


def test_wrong_names_are_errors(fp32, copy_target, tmp_path):
    with pytest.raises(FaceletError, match=r"expected a name that ends with \.copy"):
        export(fp32, "copy", tmp_path / "out.onnx")
    with pytest.raises(FaceletError, match="unknown target 'literrt', did you mean 'litert'"):
        export(fp32, "literrt")


def test_a_missing_package_is_named_with_its_extra(fp32, copy_target, tmp_path):
    copy_target.modules = {"no_such_module": "no-such-package"}
    with pytest.raises(FaceletError, match=r"Copy needs no-such-package: pip install .*\[copy\]"):
        export(fp32, "copy", tmp_path / "out.copy")
