from __future__ import annotations

import graphs
import numpy as np
import pytest

from facelet.deploy import TARGETS, export
from facelet.errors import FaceletError
from facelet.models import model_file


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_export_passes_the_gate(precision, fp32, int8, needs, tmp_path):
    needs("openvino")
    exported = export({"fp32": fp32, "int8": int8}[precision], "openvino", tmp_path / "out.xml")
    assert exported.verdict.passed
    assert [path.name for path in exported.files] == ["out.xml", "out.bin", "out.xml.json"]
    face = graphs.random(1, 1, 16, 16)
    run = TARGETS["openvino"]().open(exported.files[0], model_file.read(fp32))
    if precision == "fp32":
        np.testing.assert_allclose(run(face), graphs.answers(fp32, face), atol=1e-4)


def test_an_operator_that_it_does_not_know_is_named(fp32, needs, tmp_path):
    needs("openvino")
    import onnx

    model = onnx.load(fp32)
    model.graph.node[1].op_type, model.graph.node[1].domain = "Wiggle", "my.domain"
    onnx.save(model, tmp_path / "wiggle.onnx")
    with pytest.raises(FaceletError, match=r"OpenVINO cannot represent .*Wiggle"):
        TARGETS["openvino"]().convert(tmp_path / "wiggle.onnx", model_file.read(fp32), tmp_path / "out.xml")
