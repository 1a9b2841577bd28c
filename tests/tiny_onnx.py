"""The smallest graph that a model file may have."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from facelet.models.model_file import InputInfo, ModelInfo

INFO = ModelInfo(labels=("sad", "happy"), input=InputInfo(size=8, channels=1, mean=(0.5,), std=(0.25,)))


def model(shape=("batch", 1, 8, 8), classes=2, name="images", kind=TensorProto.FLOAT, outputs=1):
    """Flatten and a matrix product: the smallest graph that a model file may have."""
    width = int(np.prod([side for side in shape[1:] if isinstance(side, int)]))
    nodes = [helper.make_node("Flatten", [name], ["flat"])]
    for number in range(outputs):
        nodes.append(helper.make_node("MatMul", ["flat", "w"], [f"logits{number}"]))
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, shape)],
        [helper.make_tensor_value_info(f"logits{n}", kind, ["batch", classes]) for n in range(outputs)],
        [numpy_helper.from_array(np.ones((width, classes), helper.tensor_dtype_to_np_dtype(kind)), "w")],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
