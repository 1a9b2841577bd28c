"""Every operator, in LiteRT's interpreter, gives what ONNX Runtime gives."""

from __future__ import annotations

import graphs
import numpy as np
import pytest

from facelet.deploy.graph import read_graph
from facelet.errors import FaceletError

ALLOWED = 2e-5


def run(data: bytes, face: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], face.transpose(0, 2, 3, 1))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@pytest.mark.parametrize("name", graphs.CASES)
def test_an_operator(name, needs, tmp_path):
    needs("litert")
    from facelet.deploy.tflite.convert import convert

    path = tmp_path / "case.onnx"
    path.write_bytes(graphs.proto(*graphs.CASES[name]).SerializeToString())
    face = graphs.random(*graphs.SHAPE, seed=9)
    expected = graphs.answers(path, face)
    actual = run(convert(read_graph(path), {}), face)
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, atol=ALLOWED, rtol=1e-4)


def test_an_unknown_operator_is_named(needs, tmp_path):
    needs("litert")
    from facelet.deploy.tflite.convert import convert

    path = tmp_path / "case.onnx"
    path.write_bytes(graphs.proto(*graphs.one("Erf")).SerializeToString())
    with pytest.raises(FaceletError, match="LiteRT cannot represent node 'Erf_0' of type Erf"):
        convert(read_graph(path), {})
