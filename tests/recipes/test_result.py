"""What a finished step writes into its model file."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelet.measure.classification import Classification
from facelet.models import model_file
from facelet.models.model_file import InputInfo, ModelInfo
from facelet.recipes.result import write_figures


def test_a_model_gets_its_figures_and_not_the_card_of_its_parent(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["images"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(np.ones((64, 2), np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    info = ModelInfo(labels=("a", "b"), input=InputInfo(size=8, channels=1, mean=(0.5,), std=(0.25,)), card="# Parent")
    model_file.write(model, info, tmp_path / "m.onnx")
    probabilities = np.tile(np.array([0.9, 0.1], np.float32), (4, 1))
    answers = Classification(
        probabilities, np.array([0, 0, 0, 1]), np.arange(4), ("a", "b"), ("a", "b"), "15ca4b4b", "test"
    )
    write_figures(tmp_path / "m.onnx", info, {"val": answers, "test": answers}, 0.001)
    told = model_file.read(tmp_path / "m.onnx")
    assert told.card == ""
    assert (told.figures["test_accuracy"], told.figures["test_faces"]) == (pytest.approx(0.75), 4)
