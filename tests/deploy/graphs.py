"""Small ONNX graphs: one for each operator that converters must get right, and a whole model file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from facelet.faces.cartoon.golden import golden_faces
from facelet.models import model_file, self_test
from facelet.models.model_file import InputInfo, ModelInfo
from facelet.models.session import self_test_feed

LABELS = ("dark", "bright", "striped")
SHAPE = (1, 4, 6, 6)
Nodes = Sequence[tuple[str, Sequence[str], Sequence[str], dict[str, Any]]]


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def integers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def proto(
    nodes: Nodes, weights: dict[str, np.ndarray], shape: Sequence[int] = SHAPE, output: str = "y"
) -> onnx.ModelProto:
    """A model with the input "x" and an output of unknown shape."""
    graph = helper.make_graph(
        [
            helper.make_node(op, inputs, outputs, name=f"{op}_{at}", **given)
            for at, (op, inputs, outputs, given) in enumerate(nodes)
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape[1:]])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", None])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def answers(path: Path | bytes, face: np.ndarray) -> np.ndarray:
    """ONNX Runtime's output."""
    session = onnxruntime.InferenceSession(
        path if isinstance(path, bytes) else str(path), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: face})[0]


def conv(weights: np.ndarray, **given: Any) -> tuple[Nodes, dict[str, np.ndarray]]:
    bias = random(len(weights), seed=1)
    return [("Conv", ["x", "w", "b"], ["m"], given)], {"w": weights, "b": bias}


def flat(nodes: Nodes, weights: dict[str, np.ndarray]) -> tuple[Nodes, dict[str, np.ndarray]]:
    """The graph with its map "m" flattened, which also tests the order of the axes."""
    return [*nodes, ("Flatten", ["m"], ["y"], {})], weights


def one(op: str, *inputs: np.ndarray, **given: Any) -> tuple[Nodes, dict[str, np.ndarray]]:
    weights = {f"w{at}": value for at, value in enumerate(inputs)}
    return flat([(op, ["x", *weights], ["m"], given)], weights)


CASES: dict[str, tuple[Nodes, dict[str, np.ndarray]]] = {
    "conv": flat(*conv(random(5, 4, 3, 3), pads=[1, 1, 1, 1])),
    "conv stride": flat(*conv(random(5, 4, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2])),
    "conv valid": flat(*conv(random(5, 4, 3, 3))),
    "conv dilated": flat(*conv(random(5, 4, 3, 3), pads=[2, 2, 2, 2], dilations=[2, 2])),
    "conv depthwise": flat(*conv(random(4, 1, 3, 3), pads=[1, 1, 1, 1], group=4)),
    "conv depthwise twice": flat(*conv(random(8, 1, 3, 3), pads=[1, 1, 1, 1], group=4)),
    "conv groups": flat(*conv(random(6, 2, 1, 1), group=2)),
    "max pool": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "average pool": one("AveragePool", kernel_shape=[2, 2], strides=[2, 2]),
    "average pool counted": one(
        "AveragePool", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "average pool uncounted": one("AveragePool", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1]),
    "global average": one("GlobalAveragePool"),
    "global max": one("GlobalMaxPool"),
    "mean of places": ([("ReduceMean", ["x", "a"], ["y"], {"keepdims": 0})], {"a": integers(2, 3)}),
    "mean of channels": one("ReduceMean", integers(1), keepdims=1),
    "mean of rows": one("ReduceMean", integers(2), keepdims=0),
    "length": one("ReduceL2", integers(1), keepdims=1),
    "softmax of channels": one("Softmax", axis=1),
    "softmax of columns": one("Softmax", axis=-1),
    "transpose": one("Transpose", perm=[0, 2, 1, 3]),
    "slice": one("Slice", integers(1, 0), integers(3, 5), integers(1, 2), integers(1, 2)),
    "gather": one("Gather", integers(3, 1), axis=1),
    "pad": one("Pad", integers(0, 0, 1, 2, 0, 0, 0, 1)),
    "relu": one("Relu"),
    "sigmoid": one("Sigmoid"),
    "hard swish": one("HardSwish"),
    "hard sigmoid": one("HardSigmoid", alpha=1 / 6, beta=0.5),
    "leaky relu": one("LeakyRelu", alpha=0.1),
    "prelu": one("PRelu", np.abs(random(4, 1, 1))),
    "clip": one("Clip", np.array(-0.5, np.float32), np.array(0.5, np.float32)),
    "add constant": one("Add", random(4, 1, 1)),
    "mul scalar": one("Mul", np.array(3.0, np.float32)),
    "batch norm": one("BatchNormalization", random(4), random(4, seed=1), random(4, seed=2), np.abs(random(4, seed=3))),
    "conv relu": flat([("Conv", ["x", "w"], ["c"], {}), ("Relu", ["c"], ["m"], {})], {"w": random(5, 4, 1, 1)}),
    "conv relu 6": flat(
        [("Conv", ["x", "w"], ["c"], {}), ("Clip", ["c", "low", "high"], ["m"], {})],
        {"w": 5 * random(5, 4, 1, 1), "low": np.array(0, np.float32), "high": np.array(6, np.float32)},
    ),
    "squeeze and excite": flat(
        [
            ("GlobalAveragePool", ["x"], ["p"], {}),
            ("Conv", ["p", "w"], ["c"], {}),
            ("Sigmoid", ["c"], ["g"], {}),
            ("Mul", ["x", "g"], ["m"], {}),
        ],
        {"w": random(4, 4, 1, 1)},
    ),
    "split and concat": flat(
        [("Split", ["x"], ["s", "t"], {"axis": 1, "num_outputs": 2}), ("Concat", ["t", "s"], ["m"], {"axis": 1})], {}
    ),
    "uneven split": flat(
        [("Split", ["x", "sizes"], ["s", "t"], {"axis": 1}), ("Concat", ["t", "s"], ["m"], {"axis": 1})],
        {"sizes": integers(1, 3)},
    ),
    "shuffle": flat(
        [
            ("Reshape", ["x", "five"], ["r"], {}),
            ("Transpose", ["r"], ["t"], {"perm": [0, 2, 1, 3, 4]}),
            ("Reshape", ["t", "four"], ["m"], {}),
        ],
        {"five": integers(-1, 2, 2, 6, 6), "four": integers(-1, 4, 6, 6)},
    ),
    "classifier": (
        [("Flatten", ["x"], ["f"], {}), ("Gemm", ["f", "w", "b"], ["y"], {"transB": 1})],
        {"w": random(3, 144), "b": random(3)},
    ),
    "product": flat([("Transpose", ["x"], ["t"], {"perm": [0, 1, 3, 2]}), ("MatMul", ["x", "t"], ["m"], {})], {}),
    "shape of the input": (
        [
            ("Shape", ["x"], ["s"], {"end": 1}),
            ("Concat", ["s", "k"], ["r"], {"axis": 0}),
            ("Reshape", ["x", "r"], ["y"], {}),
        ],
        {"k": integers(144)},
    ),
}
"""Name -> nodes and weights, with the input "x" of SHAPE and the output "y"."""


def classifier(channels: int = 1) -> onnx.ModelProto:
    """Conv - Relu - MaxPool, a depthwise branch joined by Concat, mean, Gemm; for faces of 16 pixels."""
    nodes: Nodes = [
        ("Conv", ["x", "w", "b"], ["c"], {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ("Relu", ["c"], ["r"], {}),
        ("Conv", ["r", "d", "b"], ["e"], {"pads": [1, 1, 1, 1], "group": 8}),
        ("Relu", ["e"], ["s"], {}),
        ("Concat", ["r", "s"], ["j"], {"axis": 1}),
        ("MaxPool", ["j"], ["p"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Conv", ["p", "o"], ["q"], {}),
        ("ReduceMean", ["q", "a"], ["m"], {"keepdims": 0}),
        ("Gemm", ["m", "f"], ["y"], {"transB": 1}),
    ]
    weights = {
        "w": random(8, channels, 3, 3, seed=1),
        "b": random(8, seed=2),
        "d": random(8, 1, 3, 3, seed=3),
        "o": random(8, 16, 1, 1, seed=4),
        "a": integers(2, 3),
        "f": random(len(LABELS), 8, seed=5),
    }
    return proto(nodes, weights, (1, channels, 16, 16))


def write_model(path: Path, model: onnx.ModelProto | None = None, precision: str = "fp32", **fields: Any) -> Path:
    """A model file with a self-test, whose reference is ``classifier`` in fp32."""
    graph = classifier()
    info = ModelInfo(
        labels=LABELS,
        input=InputInfo(name="x", size=16, channels=1, mean=(0.4,), std=(0.2,)),
        precision=precision,
        name=path.stem,
        **fields,
    )
    faces = golden_faces(1)
    feed = self_test_feed(faces, info)["x"]
    expected = answers(graph.SerializeToString(), feed)
    model = model or graph
    measured = self_test.deviation(answers(model.SerializeToString(), feed), expected)
    test = self_test.make(faces, expected, measured, precision)
    model_file.write(model, info.model_copy(update={"selftest": test}), path)
    return path
