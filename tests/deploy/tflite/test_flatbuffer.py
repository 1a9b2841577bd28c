from __future__ import annotations

import numpy as np


def test_a_file_by_hand(needs):
    needs("litert")
    from ai_edge_litert.interpreter import Interpreter

    from facelet.deploy.tflite.flatbuffer import Flatbuffer, read_metadata

    file = Flatbuffer()
    first, last = file.tensor("x", (1, 3)), file.tensor("y", (1, 3))
    file.operator("RELU", [first], [last])
    data = file.finish("x", first, "y", last, {"facelet": b'{"a": 1}'})
    assert read_metadata(data) == {"facelet": b'{"a": 1}'}
    interpreter = Interpreter(model_content=data)
    assert interpreter.get_signature_list() == {"serving_default": {"inputs": ["x"], "outputs": ["y"]}}
    runner = interpreter.get_signature_runner()
    np.testing.assert_array_equal(runner(x=np.array([[-1, 0, 2]], np.float32))["y"], [[0, 0, 2]])
