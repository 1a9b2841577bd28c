from __future__ import annotations

import graphs
import numpy as np
import pytest

from facelet.deploy import TARGETS, export
from facelet.errors import FaceletError
from facelet.models import model_file


@pytest.mark.slow
def test_an_export_passes_the_gate(fp32, needs, tmp_path):
    needs("executorch")
    exported = export(fp32, "executorch", tmp_path / "out.pte")
    assert exported.verdict.passed
    face = graphs.random(1, 1, 16, 16)
    run = TARGETS["executorch"]().open(exported.files[0], model_file.read(fp32))
    np.testing.assert_allclose(run(face), graphs.answers(fp32, face), atol=1e-4)


@pytest.mark.slow
def test_a_bundled_int8_model_gives_what_onnx_runtime_gives(needs, tmp_path):
    needs("executorch")
    exported = export("expression-tiny", "executorch", tmp_path / "out.pte")
    assert exported.verdict.passed
    assert exported.verdict.from_onnx < 1e-4


@pytest.mark.slow
def test_int8_that_xnnpack_does_not_take_is_refused(int8, needs, tmp_path):
    """Concat and MaxPool in int8 are left to kernels that the runtime lacks."""
    needs("executorch")
    with pytest.raises(FaceletError, match=r"ExecuTorch cannot load out\.pte"):
        export(int8, "executorch", tmp_path / "out.pte")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_damaged_files_are_errors(fp32, needs, tmp_path):
    needs("executorch")
    (tmp_path / "no.pte").write_bytes(b"hello" * 100)
    with pytest.raises(FaceletError, match=r"ExecuTorch cannot load no\.pte"):
        TARGETS["executorch"]().open(tmp_path / "no.pte", model_file.read(fp32))
