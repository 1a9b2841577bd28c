"""Two and three parts in one graph against a loop over single faces."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelet.shrink.exits.join_graph import assemble

rng = np.random.default_rng(0)
WEIGHTS = [rng.normal(size=(4, 3)).astype(np.float32) for _ in range(3)]


def part(number: int, last: bool) -> onnx.ModelProto:
    """Logits are the flat map times WEIGHTS[number]; the next map is the half of this one."""
    source = "before" if number else "images"
    nodes = [
        helper.make_node("Flatten", [source], ["flat"], name="flat"),
        helper.make_node("MatMul", ["flat", "w"], ["logits"], name="product"),
    ]
    values = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])]
    constants = [numpy_helper.from_array(WEIGHTS[number], "w")]
    if not last:
        nodes.append(helper.make_node("Mul", [source, "half"], ["map"], name="next"))
        values.append(helper.make_tensor_value_info("map", TensorProto.FLOAT, ["batch", 1, 2, 2]))
        constants.append(numpy_helper.from_array(np.float32(0.5), "half"))
    images = helper.make_tensor_value_info(source, TensorProto.FLOAT, ["batch", 1, 2, 2])
    graph = helper.make_graph(nodes, "part", [images], values, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def by_hand(face: np.ndarray, parts: int, threshold: float, temperature: float) -> tuple[np.ndarray, int]:
    for number in range(parts):
        logits = face.ravel() @ WEIGHTS[number]
        powers = np.exp(logits / temperature - (logits / temperature).max())
        if number == parts - 1 or powers.max() / powers.sum() >= threshold:
            return logits, number + 1
        face = face * np.float32(0.5)
    raise AssertionError


@pytest.mark.parametrize(("parts", "temperature"), [(2, 1.0), (3, 1.0), (3, 1.5)])
def test_each_face_stops_where_it_is_sure(parts, temperature):
    model = assemble([part(number, number == parts - 1) for number in range(parts)], 0.5, temperature)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    faces = np.random.default_rng(1).normal(size=(24, 1, 2, 2)).astype(np.float32)
    for threshold in (None, 0.0, 0.4, 2.0):
        feed = {} if threshold is None else {"threshold": np.array(threshold, np.float32)}
        logits, exits = session.run(["logits", "exit"], {"images": faces, **feed})
        wanted = [by_hand(face, parts, 0.5 if threshold is None else threshold, temperature) for face in faces]
        np.testing.assert_allclose(logits, [one for one, _ in wanted], atol=1e-5)
        assert exits.tolist() == [stop for _, stop in wanted]
        assert threshold not in (0.0, 2.0) or len(set(exits.tolist())) == 1
    assert len(set(session.run(["exit"], {"images": faces})[0].tolist())) == parts
