from __future__ import annotations

import sys

import pytest

from facelet.deploy import TARGETS, export
from facelet.errors import FaceletError
from facelet.models import model_file

elsewhere = pytest.mark.skipif(sys.platform == "darwin", reason="CoreML runs here")


@elsewhere
@pytest.mark.slow
def test_an_export_is_marked_as_not_run_here(fp32, needs, tmp_path):
    needs("coreml")
    import coremltools

    exported = export(fp32, "coreml", tmp_path / "out.mlpackage")
    assert exported.verdict is None
    assert exported.elsewhere == "iOS and macOS"
    model = coremltools.models.MLModel(str(exported.files[0]), skip_model_load=True)
    stored = model.user_defined_metadata["facelet"]
    assert model_file.ModelInfo.model_validate_json(stored) == model_file.read(fp32)
    assert [value.name for value in model.get_spec().description.input] == ["x"]
    assert export(fp32, "coreml", tmp_path / "out.mlpackage").bytes > 0  # a package is replaced


@elsewhere
def test_it_does_not_open_here(fp32):
    with pytest.raises(FaceletError, match="run on iOS and macOS only"):
        TARGETS["coreml"]().open(fp32, model_file.read(fp32))
