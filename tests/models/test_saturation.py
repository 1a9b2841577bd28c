"""Which int8 files can saturate: the bound, by hand and against a second implementation of the arithmetic."""

from __future__ import annotations

import platform

import int8_reference
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelet import cpu
from facelet.faces.cartoon.golden import golden_faces
from facelet.faces.sources.toy import toy
from facelet.models import bundled, model_file, saturation, self_test
from facelet.models.saturation import Risk, risks, worst_pair
from facelet.models.session import self_test_feed
from facelet.runtime.model import prepared
from facelet.shrink.int8.qdq import Calibrated, QuantizationConfig


def qdq(op, weights, between=(), kind=np.int8, **attributes):
    """One node with dequantized weights, which pass the nodes ``between`` on their way."""
    stored = np.array(weights, kind)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "s"], ["w0"]),
    ]
    for number, name in enumerate(between):
        nodes.append(helper.make_node(name, [f"w{number}"], [f"w{number + 1}"]))
    nodes.append(helper.make_node(op, ["d", f"w{len(between)}"], ["y"], name="it", **attributes))
    return model(nodes, {"w": stored, "s": np.float32(0.1), "z": np.uint8(0)})


def model(nodes, weights):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()


CHANNEL = [[[[64]], [[-64]], [[3]]]]
OVER = [[[[64]], [[-65]], [[3]]]]
APART = [[[[127]], [[1]]], [[[-127]], [[0]]]]
"""Two large weights of two output channels, which never meet."""


@pytest.mark.parametrize(
    ("data", "pair"),
    [
        (qdq("Conv", CHANNEL), 128),
        (qdq("Conv", OVER), 129),
        (qdq("Conv", APART), 128),
        (qdq("Conv", [[[[-128]]]]), 128),
        (qdq("ConvTranspose", np.moveaxis(np.array(APART), 0, 1)), 128),
        (qdq("ConvTranspose", APART), 254),
        (qdq("Gemm", [[127, -1], [1, 127]]), 128),
        (qdq("Gemm", [[127, 1], [1, 100]], transB=1), 128),
        (qdq("Gemm", [[127, 1], [100, 1]], transB=1), 128),
        (qdq("Gemm", [[127, 1], [100, 1]]), 227),
        (qdq("MatMul", [[127, 1], [1, 127]]), 128),
        (qdq("Conv", OVER, ["Identity"]), 129),
        (qdq("Conv", APART, ["Transpose"]), 254),  # its axes are not known any more
        (qdq("Add", OVER), 0),  # adds nothing up
        (qdq("Conv", np.full((1, 2, 1, 1), 200), kind=np.uint8), 0),  # unsigned weights are multiplied in 16 bits
    ],
)
def test_the_largest_pair(data, pair):
    assert worst_pair(data) == pair
    assert bool(risks(data)) == (pair > saturation.LARGEST_PAIR)


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("QLinearConv", ["x", "s", "z", "w", "s", "z", "s", "z"]),
        ("ConvInteger", ["x", "w"]),
        ("QLinearMatMul", ["x", "s", "z", "w", "s", "z", "s", "z"]),
        ("MatMulInteger", ["x", "w"]),
        ("DynamicQuantizeMatMul", ["x", "w", "s"]),
        ("QGemm", ["x", "s", "z", "w", "s", "z"]),
    ],
)
def test_operators_that_are_int8_themselves(op, inputs):
    stored = np.full((4, 4, 1, 1) if "Conv" in op else (4, 4), 100, np.int8)
    data = model([helper.make_node(op, inputs, ["y"], name="it")], {"w": stored, "s": np.float32(1), "z": np.uint8(0)})
    assert risks(data) == [Risk("it", op, 200)]
    assert str(risks(data)[0]) == f"{op} it (weight pair 200, safe up to 128)"


@pytest.mark.parametrize(("zero", "safe"), [(np.int8(0), False), (np.uint8(0), True)])
def test_a_product_of_two_computed_maps(zero, safe):
    """Signed maps have no bound; unsigned ones are multiplied in 16 bits."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("MatMul", ["d", "d"], ["y"], name="it"),
    ]
    assert risks(model(nodes, {"s": np.float32(1), "z": zero})) == ([] if safe else [Risk("it", "MatMul", 256)])


def test_nodes_in_branches_are_found():
    inner = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["w", "s"], ["d"]),
            helper.make_node("DequantizeLinear", ["q", "s"], ["x8"]),
            helper.make_node("MatMul", ["x8", "d"], ["y"], name="deep"),
        ],
        "inner",
        [],
        [],
    )
    branches = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    data = model([branches], {"w": np.full((2, 2), 100, np.int8), "s": np.float32(1)})
    assert [risk.node for risk in risks(data)] == ["deep", "deep"]


def test_weights_alone_in_int8_are_multiplied_in_float():
    """As in files whose weights are only stored in 8 bits."""
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["d"]),
        helper.make_node("Conv", ["x", "d"], ["y"]),
    ]
    assert worst_pair(model(nodes, {"w": np.full((2, 2, 1, 1), 127, np.int8), "s": np.float32(1)})) == 0


@pytest.mark.parametrize("between", ["Relu", "MaxPool", "Transpose"])
def test_maps_may_pass_operators_before_they_are_multiplied(between):
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["d"]),
        helper.make_node(between, ["d"], ["p"]),
        helper.make_node("DequantizeLinear", ["w", "s"], ["wd"]),
        helper.make_node("Conv", ["p", "wd"], ["y"]),
    ]
    assert worst_pair(model(nodes, {"w": np.full((2, 2, 1, 1), 127, np.int8), "s": np.float32(1)})) == 254


def test_the_bound_is_exact():
    """At 128 no pair of products leaves int16; at 129 one does."""
    for first, second, fits in ((64, 64, True), (127, 1, True), (-64, -64, True), (64, 65, False)):
        pair = np.array([[255, 255]], np.uint8), np.array([[first], [second]], np.int8)
        exact, saturated = (int8_reference._multiply(*pair, saturating=each) for each in (False, True))
        assert (exact == saturated).all() == fits


def test_the_kernels_of_this_machine_are_asked():
    """What they do fits the processor, where that is known."""
    flags = set(cpu.instruction_sets())
    if not flags:
        pytest.skip("the system does not list the processor's instruction sets")
    x86 = platform.machine() in ("x86_64", "AMD64")
    assert saturation.kernels_saturate() == (x86 and not flags & {"avx_vnni", "avx512_vnni"})


def test_the_probe_tells_saturating_kernels_from_exact_ones():
    session = onnxruntime.InferenceSession(saturation._probe(), providers=["CPUExecutionProvider"])
    onnx.checker.check_model(onnx.load_from_string(saturation._probe()), full_check=True)
    assert session.get_inputs()[0].shape == [1, saturation.CHANNELS, 4, 4]
    exact = saturation.CHANNELS * 255 * 127
    saturated = saturation.CHANNELS // 2 * 32767
    assert round(saturated / exact * saturation.EXACT) == 101 != saturation.EXACT


def test_no_bundled_file_can_saturate():
    models = {model.name: bundled.path_of(model.name).read_bytes() for model in bundled.models()}
    assert not any(risks(data) for data in models.values())
    for name, data in models.items():
        info = model_file.read(bundled.path_of(name))
        assert (info.precision == "int8") == (worst_pair(data) > 0) == (info.target == "portable")


@pytest.fixture(scope="module", params=["expression-tiny", "expression", "identity"])
def quantized(request):
    """Info of a bundled int8 model, golden faces prepared, and its fp32 twin quantized with all 8 bits and portably."""
    info, twin = model_file.read(bundled.path_of(request.param)), f"{request.param}-fp32"
    faces = toy(size=info.input.cut_size, channels=3, faces=100).images
    graph = Calibrated(bundled.path_of(twin), prepared(faces, info.input))
    feed = self_test_feed(golden_faces(3), info)[info.input.name]
    return (
        info,
        feed,
        graph.quantized(QuantizationConfig("u8s8", portable=False)),
        graph.quantized(QuantizationConfig("u8s8")),
    )


def test_the_reference_computes_as_the_runtime_does_where_nothing_saturates(quantized):
    info, feed, _, portable = quantized
    session = onnxruntime.InferenceSession(portable.SerializeToString(), providers=["CPUExecutionProvider"])
    ours = session.run(None, {info.input.name: feed})[0]
    # One unit of the output's 8 bits, where a half was rounded the other way.
    assert self_test.deviation(int8_reference.run(portable, feed, saturating=False), ours) < 0.02


@pytest.mark.slow
def test_eight_bit_weights_fail_the_self_test_where_kernels_saturate(quantized):
    """What this project released before: right with VNNI, wrong without. The portable file is the same with both."""
    info, feed, wide, portable = quantized
    exact, saturated = (
        self_test.deviation(int8_reference.run(wide, feed, saturating=each), info.selftest.outputs)
        for each in (False, True)
    )
    assert risks(wide.SerializeToString())
    assert not risks(portable.SerializeToString())
    assert saturated > 1.3 * exact
    if info.name == "expression-tiny":
        assert saturated > 2 * info.selftest.tolerance
    answers = [int8_reference.run(portable, feed, saturating=each) for each in (False, True)]
    assert np.array_equal(*answers)
