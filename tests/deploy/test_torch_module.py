"""Every operator, in torch, gives what ONNX Runtime gives."""

from __future__ import annotations

import graphs
import numpy as np
import pytest
import torch

from facelet.deploy.graph import read_graph
from facelet.deploy.torch_module import TorchModule
from facelet.errors import FaceletError


@pytest.mark.parametrize("name", graphs.CASES)
def test_an_operator(name, tmp_path):
    path = tmp_path / "case.onnx"
    path.write_bytes(graphs.proto(*graphs.CASES[name]).SerializeToString())
    face = graphs.random(*graphs.SHAPE, seed=9)
    with torch.inference_mode():
        actual = TorchModule(read_graph(path), "torch")(torch.from_numpy(face)).numpy()
    np.testing.assert_allclose(actual, graphs.answers(path, face), atol=2e-5, rtol=1e-4)


def test_an_unknown_operator_is_named(tmp_path):
    path = tmp_path / "case.onnx"
    path.write_bytes(graphs.proto(*graphs.one("Selu")).SerializeToString())
    with pytest.raises(FaceletError, match="CoreML cannot represent node 'Selu_0' of type Selu"):
        TorchModule(read_graph(path), "CoreML")
