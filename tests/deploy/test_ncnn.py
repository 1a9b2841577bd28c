from __future__ import annotations

import graphs
import numpy as np
import pytest

from facelet.deploy import TARGETS, export
from facelet.errors import FaceletError
from facelet.models import model_file


def test_an_export_passes_the_gate(fp32, needs, tmp_path):
    needs("ncnn")
    exported = export(fp32, "ncnn", tmp_path / "out.param")
    assert exported.verdict.passed
    assert [path.name for path in exported.files] == ["out.param", "out.bin", "out.param.json"]
    face = graphs.random(1, 16, 16, 1).transpose(0, 3, 1, 2)  # strides that ncnn ignores
    run = TARGETS["ncnn"]().open(exported.files[0], model_file.read(fp32))
    np.testing.assert_allclose(run(face), graphs.answers(fp32, face), atol=1e-4)


def test_int8_is_refused(int8, needs, tmp_path):
    needs("ncnn")
    with pytest.raises(FaceletError, match="ncnn cannot represent node"):
        export(int8, "ncnn", tmp_path / "out.param")


def test_a_foreign_layer_is_named(needs, tmp_path):
    needs("ncnn")
    from facelet.deploy.ncnn import _require_layers

    (tmp_path / "a.param").write_text("7767517\n2 2\nInput in0 0 1 in0\npnnx.Expression sum_1 1 1 in0 out0\n")
    with pytest.raises(FaceletError, match=r"ncnn cannot represent node 'sum_1' of type pnnx\.Expression"):
        _require_layers(tmp_path / "a.param")
