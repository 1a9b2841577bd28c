from __future__ import annotations

import torch

from facelet.nets.separable import Separable


def test_autocast_on_a_cpu_keeps_the_depthwise_half_in_float32():
    layer, maps = Separable(8, 16, stride=2).eval(), torch.randn(2, 8, 6, 6)
    seen = []
    layer.depthwise.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        answer = layer(maps.bfloat16())
    assert seen == [torch.float32]
    assert answer.dtype == torch.bfloat16
    torch.testing.assert_close(answer.float(), layer(maps), atol=0.05, rtol=0.05)
