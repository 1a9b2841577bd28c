from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from facelet.shrink.channel_routes import shorten


def graph(nodes, initializers=(), width=8, outputs=("y",)):
    """A model over "x" (batch, width, 4, 4)."""
    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", width, 4, 4])]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in outputs]
    model = helper.make_model(
        helper.make_graph(nodes, "g", values, made, list(initializers)), opset_imports=[helper.make_opsetid("", 18)]
    )
    model.ir_version = 9
    return model


def run(model):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).standard_normal((2, session.get_inputs()[0].shape[1], 4, 4), np.float32)
    return session.run(None, {"x": x})


def kinds(model):
    return Counter(node.op_type for node in model.graph.node)


def ints(name, values):
    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)


def test_swapping_halves_twice_is_no_route_at_all():
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Split", ["r"], ["a", "b"], axis=1, num_outputs=2),
        helper.make_node("Concat", ["b", "a"], ["c"], axis=1),
        helper.make_node("Split", ["c"], ["d", "e"], axis=1, num_outputs=2),
        helper.make_node("Concat", ["e", "d"], ["f"], axis=1),
        helper.make_node("Neg", ["f"], ["y"]),
    ]
    model = graph(nodes)
    before = run(model)
    assert shorten(model) == (4, 0)
    assert kinds(model) == {"Relu": 1, "Neg": 1}
    np.testing.assert_array_equal(run(model), before)
    onnx.checker.check_model(model)


def test_slices_with_negative_and_endless_bounds_are_followed():
    nodes = [
        helper.make_node("Slice", ["x", "from", "to", "axes"], ["a"]),
        helper.make_node("Slice", ["x", "zero", "from", "axes"], ["b"]),
        helper.make_node("Concat", ["b", "a"], ["c"], axis=1),
        helper.make_node("Neg", ["c"], ["y"]),
    ]
    model = graph(nodes, [ints("from", [-3]), ints("zero", [0]), ints("to", [2**63 - 1]), ints("axes", [1])])
    before = run(model)
    assert shorten(model) == (3, 0)
    assert not model.graph.initializer
    np.testing.assert_array_equal(run(model), before)


@pytest.mark.parametrize("axis", [2, 3])
def test_routes_of_other_axes_are_left(axis):
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b"], axis=axis, num_outputs=2),
        helper.make_node("Concat", ["b", "a"], ["c"], axis=axis),
        helper.make_node("Neg", ["c"], ["y"]),
    ]
    model = graph(nodes)
    before = run(model)
    shorten(model)
    assert kinds(model) == {"Split": 1, "Concat": 1, "Neg": 1}
    np.testing.assert_array_equal(run(model), before)


def test_a_routed_output_is_left_as_it_is():
    nodes = [helper.make_node("Concat", ["x", "x"], ["y"], axis=1)]
    model = graph(nodes)
    assert shorten(model) == (1, 1)
    assert kinds(model) == {"Concat": 1}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 7), st.booleans(), st.booleans()), min_size=1, max_size=5))
def test_any_chain_of_cuts_and_joins_gives_the_same_numbers(turns):
    """Each turn cuts at a channel, perhaps computes with a part, and joins the parts, perhaps turned round."""
    nodes, initializers, at = [], [], "x"
    for number, (cut, turned, computed) in enumerate(turns):
        a, b, joined = f"a{number}", f"b{number}", f"j{number}"
        initializers.append(ints(f"s{number}", [cut, 8 - cut]))
        nodes.append(helper.make_node("Split", [at, f"s{number}"], [a, b], axis=1))
        if computed:
            nodes.append(helper.make_node("Neg", [a], [f"n{number}"]))
            a = f"n{number}"
        nodes.append(helper.make_node("Concat", [b, a] if turned else [a, b], [joined], axis=1))
        at = joined
    nodes.append(helper.make_node("Neg", [at], ["y"]))
    model = graph(nodes, initializers)
    before = run(model)
    was, now = shorten(model)
    assert now <= was
    onnx.checker.check_model(model)
    np.testing.assert_array_equal(run(model), before)
