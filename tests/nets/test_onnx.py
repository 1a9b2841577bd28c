"""Every net leaves torch whole: the current exporter, a dynamic batch, equal answers in ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from facelet import nets


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet18-finegrained", {"local": True, "width": 0.25}),
        ("shufflenet-v2-x0.5", {}),
        ("timm/mobilenetv3_small_050", {}),
    ],
)
def test_export(name, options, faces, tmp_path):
    net = nets.resolve(name, classes=8, size=48, **options).build().eval()
    path = tmp_path / "net.onnx"
    program = torch.onnx.export(
        net, (faces,), dynamo=True, dynamic_shapes=({0: torch.export.Dim("batch")},), verbose=False
    )
    assert program.model.opset_imports[""] >= 18
    program.save(path)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        images = torch.randn(batch, 1, 48, 48)
        (answer,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
        np.testing.assert_allclose(answer, net(images).detach().numpy(), atol=1e-4, rtol=1e-4)
