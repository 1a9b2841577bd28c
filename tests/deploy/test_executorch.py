from __future__ import annotations

import graphs
import numpy as np
import pytest

from facelet.deploy import TARGETS, export
from facelet.errors import FaceletError
from facelet.models import model_file


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_export_passes_the_gate(precision, fp32, int8, needs, tmp_path):
    needs("executorch")
    source = {"fp32": fp32, "int8": int8}[precision]
    exported = export(source, "executorch", tmp_path / "out.pte")
    assert exported.verdict.passed
    face = graphs.random(1, 1, 16, 16)
    run = TARGETS["executorch"]().open(exported.files[0], model_file.read(fp32))
    if precision == "fp32":
        np.testing.assert_allclose(run(face), graphs.answers(source, face), atol=1e-4)


@pytest.mark.slow
def test_damaged_files_are_errors(fp32, needs, tmp_path):
    needs("executorch")
    (tmp_path / "no.pte").write_bytes(b"hello" * 100)
    with pytest.raises(FaceletError, match=r"ExecuTorch cannot load no\.pte"):
        TARGETS["executorch"]().open(tmp_path / "no.pte", model_file.read(fp32))
