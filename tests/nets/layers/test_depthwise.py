import pytest
import torch
from torch import nn

from facelet import nets
from facelet.nets.base import NETS
from facelet.nets.layers.depthwise import Depthwise


@pytest.mark.parametrize("name", sorted(NETS))
def test_every_depthwise_convolution_is_of_the_class_that_trains_fast_on_cpus(name):
    net = nets.resolve(name, classes=8, size=48, channels=3).build()
    found = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1]
    assert found or name not in ("mobilefacenet", "mobilenet", "shufflenet-v2", "resnet18-light")
    assert all(isinstance(conv, Depthwise) for conv in found)


def test_under_autocast_on_a_cpu_it_computes_in_float32():
    conv = Depthwise(8, 3, stride=2, padding=1)
    maps = torch.randn(2, 8, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        out = conv(maps)
    assert out.dtype == torch.float32
    assert torch.equal(out, conv(maps))


def test_it_equals_a_grouped_convolution():
    conv, plain = Depthwise(8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
    plain.load_state_dict(conv.state_dict())
    maps = torch.randn(2, 8, 6, 6)
    assert torch.equal(conv(maps), plain(maps))
