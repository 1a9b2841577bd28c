from __future__ import annotations

import graphs
import numpy as np
import pytest

from facelet.deploy import TARGETS, export
from facelet.errors import FaceletError
from facelet.models import model_file


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_export_passes_the_gate_and_carries_its_metadata(precision, fp32, int8, needs, tmp_path):
    needs("litert")
    from facelet.deploy.tflite.flatbuffer import read_metadata

    source = {"fp32": fp32, "int8": int8}[precision]
    exported = export(source, "litert", tmp_path / "out.tflite")
    assert exported.verdict.passed
    stored = read_metadata(exported.files[0].read_bytes())["facelet"]
    assert model_file.ModelInfo.model_validate_json(stored) == model_file.read(source)


def test_one_face_in_onnx_order(fp32, needs, tmp_path):
    needs("litert")
    exported = export(fp32, "litert", tmp_path / "out.tflite")
    face = graphs.random(1, 1, 16, 16)
    run = TARGETS["litert"]().open(exported.files[0], model_file.read(fp32))
    np.testing.assert_allclose(run(face), graphs.answers(fp32, face), atol=1e-4)


def test_damaged_files_are_errors(fp32, needs, tmp_path):
    needs("litert")
    (tmp_path / "no.tflite").write_bytes(b"hello")
    with pytest.raises(FaceletError, match=r"LiteRT cannot load no\.tflite"):
        TARGETS["litert"]().open(tmp_path / "no.tflite", model_file.read(fp32))
