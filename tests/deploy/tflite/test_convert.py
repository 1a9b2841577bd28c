from __future__ import annotations

import graphs
import numpy as np
import onnx
from onnx import numpy_helper

from facelet.deploy.graph import read_graph
from facelet.models import self_test


def interpreter_of(path):
    from ai_edge_litert.interpreter import Interpreter

    from facelet.deploy.tflite.convert import convert

    interpreter = Interpreter(model_content=convert(read_graph(path), {}))
    interpreter.allocate_tensors()
    return interpreter


def run(interpreter, faces):
    rows = []
    for face in faces:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], face[None].transpose(0, 2, 3, 1))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.array(rows)


def test_int8_gives_what_onnx_runtime_gives(int8, needs):
    needs("litert")
    faces = np.random.default_rng(1).standard_normal((32, 1, 16, 16), np.float32)
    expected = graphs.answers(int8, faces)
    assert self_test.deviation(run(interpreter_of(int8), faces), expected) < 0.01


def test_int8_keeps_the_ranges_and_computes_in_int8(int8, needs):
    needs("litert")
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(int8).graph.initializer}
    theirs = {
        (round(float(stored[node.input[1]]), 9), int(stored[node.input[2]]) - 128)
        for node in onnx.load(int8).graph.node
        if node.op_type == "QuantizeLinear"
    }
    details = interpreter_of(int8).get_tensor_details()
    maps = [
        tensor
        for tensor in details
        if tensor["dtype"] == np.int8 and len(tensor["quantization_parameters"]["scales"]) == 1
    ]
    ours = {(round(float(scale), 9), zero) for scale, zero in (tensor["quantization"] for tensor in maps)}
    assert theirs == ours & theirs
    weights = [
        tensor
        for tensor in details
        if len(tensor["quantization_parameters"]["scales"]) > 1 and tensor["dtype"] == np.int8
    ]
    assert len(weights) == 4  # three convolutions and the classifier
    assert all(not tensor["quantization_parameters"]["zero_points"].any() for tensor in weights)


def test_an_activation_is_part_of_its_convolution(fp32, needs):
    needs("litert")
    operators = [operator["op_name"] for operator in interpreter_of(fp32)._get_ops_details()]
    assert "RELU" not in operators
