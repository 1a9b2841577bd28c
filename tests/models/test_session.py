"""Opening a model file: what its graph must be, and what is refused."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper
from tiny_onnx import INFO, model

from facelet.errors import FaceletError
from facelet.models import model_file
from facelet.models import session as model_session


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (model(shape=("batch", 1, 16, 16)), "['batch', 1, 16, 16]"),
        (model(shape=("batch", 3, 8, 8)), "['batch', 3, 8, 8]"),
        (model(shape=(1, 1, 8, 8)), "[1, 1, 8, 8]"),
        (model(classes=7), "2 labels"),
        (model(name="pixels"), "pixels"),
        (model(kind=TensorProto.DOUBLE), "double"),
    ],
)
def test_metadata_that_do_not_fit_the_graph_are_refused(tmp_path, made, word):
    model_file.write(made, INFO, tmp_path / "m.onnx")
    assert model_file.read(tmp_path / "m.onnx") == INFO
    with pytest.raises(FaceletError, match="its metadata") as caught:
        model_session.open_session(tmp_path / "m.onnx")
    assert word in str(caught.value)


def test_weights_in_other_files_are_refused(tmp_path):
    made = model()
    onnx.external_data_helper.convert_model_to_external_data(made, location="weights.bin", size_threshold=0)
    helper.set_model_props(made, {"facelet": INFO.model_dump_json()})
    onnx.save(made, tmp_path / "m.onnx")
    with pytest.raises(FaceletError, match="keeps weights in other files"):
        model_session.open_session(tmp_path / "m.onnx")


def test_a_graph_that_does_not_run_is_refused_in_one_line(tmp_path):
    made = model()
    made.graph.node[0].op_type = "Flattern"
    model_file.write(made, INFO, tmp_path / "m.onnx")
    with pytest.raises(FaceletError, match="not a working ONNX file") as caught:
        model_session.open_session(tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)


def test_an_identity_model_may_have_any_width(tmp_path):
    info = INFO.model_copy(update={"task": "identity", "labels": ()})
    model_file.write(model(classes=128), info, tmp_path / "m.onnx")
    assert model_session.open_session(tmp_path / "m.onnx").get_outputs()[0].shape == ["batch", 128]
