"""Nodes and weights of an ONNX file, read without the onnx package: the same as onnx reads."""

from __future__ import annotations

import contextlib

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from facelet.models import bundled
from facelet.models.onnx_graph import INT8, graphs


def made(nodes, weights=()):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()


@pytest.mark.parametrize("name", ["expression", "expression-tiny-fp32", "identity"])
def test_nodes_and_weights_of_a_bundled_model(name):
    data = bundled.path_of(name).read_bytes()
    model, (graph,) = onnx.load_from_string(data), graphs(data)
    assert [(n.op, n.domain, n.name, list(n.inputs), list(n.outputs)) for n in graph.nodes] == [
        (n.op_type, n.domain, n.name, list(n.input), list(n.output)) for n in model.graph.node
    ]
    assert {key: (w.data_type, w.shape) for key, w in graph.weights.items()} == {
        t.name: (t.data_type, tuple(t.dims)) for t in model.graph.initializer
    }
    for tensor in model.graph.initializer:
        if tensor.data_type == INT8:
            assert np.array_equal(graph.weights[tensor.name].int8(), numpy_helper.to_array(tensor))


def test_integer_attributes_with_their_sign():
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1, axis=-1, alpha=0.5)
    (graph,) = graphs(made([node]))
    assert graph.nodes[0].integers == {"transB": 1, "axis": -1}


def test_weights_as_single_integers_and_in_constants():
    values = np.array([[-128, 127], [0, -1]], np.int8)
    listed = helper.make_tensor("w", TensorProto.INT8, [2, 2], values.ravel())
    constant = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(values, "inside"))
    (graph,) = graphs(made([constant], [listed]))
    assert np.array_equal(graph.weights["w"].int8(), values)
    assert np.array_equal(graph.weights["c"].int8(), values)


def test_subgraphs_see_the_weights_around_them():
    inner = helper.make_graph([helper.make_node("Identity", ["w"], ["z"])], "inner", [], [])
    data = made(
        [helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)],
        [numpy_helper.from_array(np.ones(3, np.int8), "w")],
    )
    outer, then, other = graphs(data)
    assert [graph.nodes[0].op for graph in (outer, then, other)] == ["If", "Identity", "Identity"]
    assert "w" in then.weights


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_raise_value_error(data):
    with contextlib.suppress(ValueError):
        list(graphs(data))
