"""A graph in QDQ form: what is quantized, with which scales, and what the plan says of it."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny
import torch

from facelet import nets
from facelet.errors import FaceletError
from facelet.models import model_file, saturation
from facelet.runtime.model import Model, prepared
from facelet.shrink.export import export
from facelet.shrink.int8 import qdq
from facelet.shrink.int8.qdq import Calibrated, QuantizationConfig


@pytest.fixture(scope="module")
def graph(fp32):
    info = model_file.read(fp32)
    return Calibrated(fp32, prepared(tiny.faces().split("train").images, info.input))


def test_the_graph_is_sound_and_in_order(graph):
    onnx.checker.check_model(graph.quantized(QuantizationConfig("u8s8")), full_check=True)


def test_every_computing_layer_and_what_lies_between_is_int8(graph):
    model = graph.quantized(QuantizationConfig("u8s8"))
    made_by = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.op_type in (*qdq.COMPUTING, "Concat", "Split"):
            assert made_by[node.input[0]].op_type == "DequantizeLinear", node.name
    weights = [tensor for tensor in model.graph.initializer if tensor.name.endswith("weight_quantized")]
    assert {tensor.data_type for tensor in weights} == {onnx.TensorProto.INT8}
    scales = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    assert list(scales["stem.0.weight_scale"]) == [16]  # per channel


@pytest.mark.parametrize(("factor", "shared"), [(1.1, True), (1.9, True), (5.0, False)])
def test_maps_that_a_join_connects_share_a_scale_unless_it_is_too_coarse(tmp_path, factor, shared):
    def conv(name, source, target, weight):
        constants.append(onnx.numpy_helper.from_array(weight.astype(np.float32)[:, :, None, None], name))
        return onnx.helper.make_node("Conv", [source, name], [target], name=target)

    constants = []
    nodes = [
        conv("a.w", "images", "a", np.eye(2)),
        conv("b.w", "images", "b", factor * np.eye(2)),
        onnx.helper.make_node("Concat", ["a", "b"], ["c"], axis=1),
        conv("y.w", "c", "y", np.ones((1, 4))),
    ]
    values = [
        onnx.helper.make_tensor_value_info(name, 1, ["batch", width, 8, 8]) for name, width in (("images", 2), ("y", 1))
    ]
    made = onnx.helper.make_graph(nodes, "g", values[:1], values[1:], constants)
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "join.onnx")
    inputs = np.random.default_rng(0).uniform(-1, 1, (20, 2, 8, 8)).astype(np.float32)
    quantized = Calibrated(tmp_path / "join.onnx", inputs).quantized(QuantizationConfig("u8s8"))
    scales = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in quantized.graph.initializer}
    assert (scales["a_scale"] == scales["b_scale"] == scales["c_scale"]) == shared
    assert scales["b_scale"] == pytest.approx(2 * factor / 255, rel=0.01)


def test_with_every_layer_in_float_nothing_is_quantized(graph, fp32):
    model = graph.quantized(QuantizationConfig("u8s8", floats=graph.computing))
    assert not any("Quantize" in node.op_type for node in model.graph.node)


def test_a_failure_without_words_is_told_by_its_kind(fp32, monkeypatch):
    def fail(*_, **__):
        raise AssertionError

    monkeypatch.setattr(qdq, "quant_pre_process", fail)
    with pytest.raises(FaceletError, match="AssertionError"):
        Calibrated(fp32, np.zeros((1, 1, 8, 8), np.float32))


def test_the_plan_counts_what_is_done(graph):
    assert graph.plan(QuantizationConfig("u8s8")).startswith(
        "u8s8, per channel, cannot saturate: 5 Conv and 1 Gemm in int8, "
    )
    some = graph.plan(QuantizationConfig("s8s8", graph.computing[:2]))
    assert "3 Conv and 1 Gemm in int8" in some
    assert "cannot saturate" in some
    assert "8-bit weights" in graph.plan(QuantizationConfig("u8s8", portable=False))
    assert f"2 left in float: {graph.computing[0]}, {graph.computing[1]}" in some


@pytest.mark.slow
def test_attention_and_capsules_can_be_quantized(tmp_path):
    faces = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), np.uint8)
    spec, path = nets.resolve("rescaps", classes=3, size=16, width=0.0625, types=4), tmp_path / "caps.onnx"
    inputs = prepared(faces, export(spec.build().eval(), spec, path, {"labels": ("a", "b", "c")}, faces).input)
    graph = Calibrated(path, inputs)
    onnx.save(graph.quantized(QuantizationConfig("u8s8")), tmp_path / "int8.onnx")
    assert " 6 MatMul " in graph.plan(QuantizationConfig("u8s8"))  # the votes, and what routing computes
    answers = [
        onnxruntime.InferenceSession(each, providers=["CPUExecutionProvider"]).run(["logits"], {"images": inputs})[0]
        for each in (path, tmp_path / "int8.onnx")
    ]
    assert np.abs(answers[0] - answers[1]).mean() < 0.1 * np.abs(answers[0]).mean()


def test_products_of_two_signed_maps_cannot_be_portable(tmp_path):
    """Their sums have no bound; of unsigned maps they have."""
    nodes = [
        onnx.helper.make_node("MatMul", ["images", "w"], ["a"], name="first"),
        onnx.helper.make_node("MatMul", ["a", "images"], ["y"], name="second"),
    ]
    values = [onnx.helper.make_tensor_value_info(name, 1, ["batch", 1, 8, 8]) for name in ("images", "y")]
    kept = onnx.numpy_helper.from_array(np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32), "w")
    graph = onnx.helper.make_graph(nodes, "g", values[:1], values[1:], [kept])
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9),
        tmp_path / "two.onnx",
    )
    inputs = np.random.default_rng(1).normal(size=(20, 1, 8, 8)).astype(np.float32)
    calibrated = Calibrated(tmp_path / "two.onnx", inputs)
    assert not saturation.risks(calibrated.quantized(QuantizationConfig("u8s8")).SerializeToString())
    assert saturation.risks(calibrated.quantized(QuantizationConfig("s8s8", portable=False)).SerializeToString())
    with pytest.raises(FaceletError, match=r"s8s8 cannot be made portable: MatMul second .*; use types: u8s8"):
        calibrated.quantized(QuantizationConfig("s8s8"))


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["prelu", "relu"])
def test_an_identity_net_in_int8_keeps_its_embeddings(activation, tmp_path):
    """The runtime has an int8 ReLU, which the convolution before it takes in, and no int8 PReLU."""
    torch.manual_seed(0)
    spec = nets.resolve("mobilefacenet", classes=0, size=48, width=0.25, embedding=64, activation=activation)
    net, faces = spec.build(), tiny.faces().images[:64].repeat(3, 1).repeat(3, 2)
    with torch.no_grad():
        for _ in range(20):  # batch norms as after training
            net((torch.from_numpy(faces).permute(0, 3, 1, 2) / 255 - 0.5) / 0.25)
    info = export(net.eval(), spec, tmp_path / "fp32.onnx", {"task": "identity", "labels": ()}, faces[:4])
    graph = Calibrated(tmp_path / "fp32.onnx", prepared(faces, info.input))
    model = graph.quantized(QuantizationConfig("u8s8"))
    assert "80 Conv in int8" in graph.plan(QuantizationConfig("u8s8"))
    assert sum(node.op_type == "PRelu" for node in model.graph.node) == (33 if activation == "prelu" else 0)
    model_file.write(model, info.model_copy(update={"precision": "int8", "selftest": None}), tmp_path / "int8.onnx")
    a, b = (Model.load(tmp_path / f"{name}.onnx").logits(faces) for name in ("fp32", "int8"))
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosines.min() > 0.97
