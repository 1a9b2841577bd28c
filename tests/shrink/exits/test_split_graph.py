"""Parts of small graphs that are made by hand; those of nets are held against torch in test_early_exit."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from facelet.errors import FaceletError
from facelet.shrink.exits.split_graph import cut


def chain(last: list[str]) -> onnx.ModelProto:
    """images → Relu → map0 → Neg → (with ``last``, Add) → logits."""
    nodes = [
        helper.make_node("Relu", ["images"], ["map0"], name="relu"),
        helper.make_node("Neg", ["map0"], ["negative"]),
    ]
    nodes.append(helper.make_node("Add", ["negative", *last], ["logits"]))
    names = ("images", "map0", "logits")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2, 4, 4]) for name in names]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def run(model: onnx.ModelProto, values: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: values})[0]


def test_the_parts_of_a_chain_compute_what_the_chain_does():
    model = chain(["map0"])
    images = np.random.default_rng(0).normal(size=(3, 2, 4, 4)).astype(np.float32)
    shallow, deep = cut(model, "images", ["map0"], "part 1"), cut(model, "map0", ["logits"], "part 2")
    maps = run(shallow, images)
    np.testing.assert_array_equal(maps, np.maximum(images, 0))
    np.testing.assert_array_equal(run(deep, maps), 0 * maps)
    assert "Relu" not in {node.op_type for node in deep.graph.node}
    assert len(model.graph.node) == 3, "the whole is left as it is"


def test_a_part_that_reads_more_than_the_map_before_it_is_refused():
    with pytest.raises(FaceletError, match="part 2 of net reads more than the map of the stage before it"):
        cut(chain(["images"]), "map0", ["logits"], "part 2 of net")
