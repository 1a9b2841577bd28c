from __future__ import annotations

import re

import pytest
import torch
import torchvision

from facelet import nets
from facelet.errors import FaceletError
from facelet.nets.vgg import VGG19, ResidualBlock


@pytest.mark.slow
def test_convolutions_are_torchvisions(faces):
    net = nets.resolve("vgg19", classes=8, size=48, stem_stride=1).build().eval()
    theirs = torchvision.models.vgg19_bn().features.eval()
    theirs[0] = torch.nn.Conv2d(1, 64, 3, padding=1)
    layers = [module for module in net.blocks.modules() if not list(module.children())]
    kept = [module for module in theirs if not isinstance(module, torch.nn.MaxPool2d)]
    assert [type(module) for module in layers if not isinstance(module, torch.nn.MaxPool2d)] == [
        type(module) for module in kept
    ]
    for ours, other in zip((m for m in layers if not isinstance(m, torch.nn.MaxPool2d)), kept, strict=True):
        if isinstance(ours, torch.nn.Conv2d):  # whose biases batch norms make superfluous
            torch.nn.init.zeros_(other.bias)
        other.load_state_dict({**other.state_dict(), **ours.state_dict()})
    torch.testing.assert_close(
        net.stages(faces)[-1], theirs[:-1](faces), atol=1e-4, rtol=1e-4
    )  # its last pool left out


@pytest.mark.parametrize(("name", "params"), [("vgg11", 9_226_184), ("vgg19", 20_032_840), ("resvgg19", 20_206_856)])
def test_parameters(name, params):
    """By hand: 9 products of each two neighbouring widths, two of each batch norm, 512 x 8 + 8; the shortcuts' 1x1 on top."""
    net = nets.resolve(name, classes=8, size=48).skeleton()
    assert sum(parameter.numel() for parameter in net.parameters()) == params
    depths, widths = net.depths, (64, 128, 256, 512, 512)
    inputs, expected = 1, 512 * 8 + 8
    for width, depth in zip(widths, depths, strict=True):
        expected += 9 * inputs * width + (depth - 1) * 9 * width**2 + depth * 2 * width
        if name == "resvgg19" and (inputs != width or inputs == 1):
            expected += inputs * width + 2 * width
        inputs = width
    assert params == expected


@pytest.mark.parametrize(("size", "stride", "sides"), [(32, None, [32, 16, 8, 4, 2]), (48, None, [24, 12, 6, 3, 3])])
def test_small_maps_are_not_halved(size, stride, sides):
    net = nets.resolve("vgg11", classes=8, size=size, width=0.125, stem_stride=stride).build().eval()
    assert [maps.shape[2] for maps in net.stages(torch.zeros(1, 1, size, size))] == sides


def test_a_residual_block_is_relu_of_body_plus_shortcut():
    block, maps = ResidualBlock(8, 16, 2, 1).eval(), torch.randn(2, 8, 6, 6)
    first, norm, relu, second, last = block.body
    body = last(second(relu(norm(first(maps)))))
    projected = torch.einsum("oi,nihw->nohw", block.shortcut[0].weight[:, :, 0, 0], maps)
    torch.testing.assert_close(block(maps), (body + block.shortcut[1](projected)).relu())
    same = ResidualBlock(8, 8, 2, 1).eval()
    torch.testing.assert_close(same(maps), (same.body(maps) + maps).relu())


@pytest.mark.parametrize("name", ["vgg11", "vgg19", "resvgg19"])
def test_contract(name, faces):
    net = nets.resolve(name, classes=8, size=48, width=0.125).build().eval()
    stages = net.stages(faces)
    assert tuple(each.shape[1] for each in stages) == net.stage_widths
    assert net.embed(stages).shape == (2, net.embedding_width)
    torch.testing.assert_close(net(faces), net.classify(net.embed(stages)))
    assert isinstance(net, VGG19) == (name != "vgg11")


@pytest.mark.parametrize(
    ("options", "size", "said"), [({"stem_stride": 4}, 24, "at least 32 px"), ({"width": 9}, 48, "width is 9")]
)
def test_what_does_not_fit_is_named(options, size, said):
    with pytest.raises(FaceletError, match=re.escape(said)):
        nets.resolve("resvgg19", classes=8, size=size, **options)
