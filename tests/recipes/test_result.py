"""What a finished step writes into its model file."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tiny_onnx
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

from facelet.faces import load
from facelet.measure.classification import Classification
from facelet.models import model_file
from facelet.models.model_file import InputInfo, ModelInfo
from facelet.recipes.context import RunContext
from facelet.recipes.result import measure, write_figures
from facelet.recipes.schema import check
from facelet.shrink.adopt import Adopt
from facelet.step import Hardware


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


def test_a_bar_is_shown_while_a_model_is_measured(tmp_path):
    """A large net takes minutes for the test faces."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    (tmp_path / "theirs.onnx").write_bytes(tiny_onnx.model(shape=(1, 1, 16, 16)).SerializeToString())
    fields = {"do": "adopt", "as": "theirs", "file": str(tmp_path / "theirs.onnx"), "size": 16, "channels": 1}
    fields |= {"mean": [0.5], "std": [0.25], "labels": ["happiness", "sadness"]}
    recipe, faces = check({"title": "Theirs", "steps": [fields]}), load("toy?faces=200", size=16, channels=1)
    work = RunContext(recipe, faces, tmp_path / "run", Hardware(), lambda line: None, console)
    step = Adopt.model_validate(fields)
    work.place(step, 0).mkdir(parents=True)
    made = step.run(work.job(step, 0, {}))
    result = measure(work, step, False, made, work.place(step, 0), {"name": "theirs", "seed": 0})
    said = console.file.getvalue()
    for split, figures in (("val", result.val), ("test", result.test)):
        assert f"theirs, {split}" in said
        assert f"{figures.all.n}/{figures.all.n}" in said
