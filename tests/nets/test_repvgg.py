from __future__ import annotations

import pytest
import torch
from timm.models.byobnet import RepVggBlock
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import net_cost
from facelet.nets.layers.fusable import fused
from facelet.nets.repvgg import RepVGGBlock

WIDTHS = {"repvgg": (32, 64, 128, 192), "repvgg-x0.5": (16, 32, 64, 96)}


def lively(net):
    """Batch norms as after training."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.3, 1.5)
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, 0, 0.3)
    return net.eval()


@pytest.mark.parametrize(
    ("name", "params", "macs"), [("repvgg", 1_016_712, 44_625_408), ("repvgg-x0.5", 254_920, 11_198_208)]
)
def test_parameters_and_macs_layer_by_layer(name, params, macs):
    """Of the plain net: 9 products of two neighbouring widths and a bias, at each place of the map."""
    spec = nets.resolve(name, classes=8, size=48)
    first, *widths = WIDTHS[name]
    weights, products, inputs = 9 * first + first, 24 * 24 * 9 * first, first
    for width, depth, side in zip(widths, (4, 5, 1), (12, 6, 3), strict=True):
        for number in range(depth):
            one = 9 * (width if number else inputs) * width
            weights, products = weights + one + width, products + side * side * one
        inputs = width
    assert (weights + 8 * inputs + 8, products + 8 * inputs) == (params, macs)
    for net in (spec.skeleton(), fused(spec.build())):
        cost = net_cost(net, spec)
        assert (cost.params, cost.macs) == (params, macs)


@pytest.mark.parametrize(("inputs", "stride"), [(8, 1), (8, 2), (4, 1)])
@pytest.mark.parametrize("norms", ["branches", "sum"])
def test_a_block_is_relu_of_the_sum_of_its_branches(inputs, stride, norms):
    block, maps = lively(RepVGGBlock(inputs, 8, stride, norms)), torch.randn(2, inputs, 6, 6)
    padded = nn.functional.pad(maps, (1, 1, 1, 1))
    wide, point = (torch.zeros(2, 8, 6 // stride, 6 // stride) for _ in range(2))
    for row in range(6 // stride):
        for column in range(6 // stride):
            patch = padded[:, :, row * stride : row * stride + 3, column * stride : column * stride + 3]
            wide[:, :, row, column] = torch.einsum("nihw,oihw->no", patch, block.conv.weight)
            point[:, :, row, column] = patch[:, :, 1, 1] @ block.pointwise.weight[:, :, 0, 0].T
    parts = [block.bn(wide), block.pointwise_bn(point)]
    if (inputs, stride) == (8, 1):
        parts.append(block.identity(maps))
    assert (block.identity is None) == (len(parts) == 2)
    expected = block.sum_bn(sum(parts)).relu()
    torch.testing.assert_close(block(maps), expected, rtol=1e-5, atol=1e-5)
    plain = block.fused()
    torch.testing.assert_close(plain(maps), expected, rtol=1e-5, atol=1e-5)
    assert [type(module) for module in plain] == [nn.Conv2d, nn.ReLU]


@pytest.mark.parametrize(("inputs", "stride"), [(8, 1), (8, 2), (4, 1)])
def test_a_single_block_is_a_convolution_its_norm_and_a_relu(inputs, stride):
    block, maps = lively(RepVGGBlock(inputs, 8, stride, "single")), torch.randn(2, inputs, 6, 6)
    expected = block.bn(nn.functional.conv2d(maps, block.conv.weight, None, stride, 1)).relu()
    torch.testing.assert_close(block(maps), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(block.fused()(maps), expected, rtol=1e-5, atol=1e-5)
    assert {name.split(".")[0] for name in block.state_dict()} == {"conv", "bn"}


@pytest.mark.parametrize(("inputs", "stride"), [(8, 1), (8, 2), (4, 1)])
def test_a_block_fuses_as_timms_does(inputs, stride):
    theirs, ours = lively(RepVggBlock(inputs, 8, stride=stride)), RepVGGBlock(inputs, 8, stride, "branches").eval()
    ours.conv.load_state_dict(theirs.conv_kxk.conv.state_dict())
    ours.bn.load_state_dict(theirs.conv_kxk.bn.state_dict())
    ours.pointwise.load_state_dict(theirs.conv_1x1.conv.state_dict())
    ours.pointwise_bn.load_state_dict(theirs.conv_1x1.bn.state_dict())
    if ours.identity is not None:
        ours.identity.load_state_dict(theirs.identity.state_dict())
    maps = torch.randn(2, inputs, 6, 6)
    torch.testing.assert_close(ours(maps), theirs(maps))
    theirs.reparameterize()
    conv = ours.fused()[0]
    torch.testing.assert_close(conv.weight, theirs.reparam_conv.weight)
    torch.testing.assert_close(conv.bias, theirs.reparam_conv.bias)


@pytest.mark.parametrize("name", ["repvgg", "repvgg-x0.5"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"norms": "sum"},
        {"norms": "single"},
        {"embedding": 64, "dropout": 0.3},
        {"blocks": [1, 2, 3], "width": 0.5},
    ],
)
def test_fused_it_answers_the_same(name, options, faces):
    net = lively(nets.resolve(name, classes=8, size=48, **options).build())
    with torch.no_grad():
        for module in net.modules():  # answers of the size that a trained net's are
            if isinstance(module, RepVGGBlock):
                nn.init.uniform_(module.sum_bn.weight if options.get("norms") == "sum" else module.bn.weight, 0.2, 0.6)
        plain = fused(net)
        answers, largest = net(faces), float(net(faces).abs().max())
        assert largest > 1e-2
        torch.testing.assert_close(plain(faces) / largest, answers / largest, rtol=0, atol=1e-5)
    norms = [module for module in plain.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == (2 if "embedding" in options else 0), "but for those of the head, which export folds"


@pytest.mark.parametrize("options", [{}, {"norms": "sum"}, {"embedding": 96, "dropout": 0.3}, {"blocks": [1, 2, 1]}])
@pytest.mark.parametrize(("size", "channels"), [(32, 1), (40, 3), (48, 1), (64, 3)])
def test_contract(size, channels, options):
    net = nets.resolve("repvgg", classes=5, size=size, channels=channels, width=0.25, **options).build().eval()
    faces = torch.randn(2, channels, size, size)
    stages = net.stages(faces)
    strides = (2, 4, 8) if size < 40 else (4, 8, 16)
    assert [each.shape[2] for each in stages] == [-(-size // stride) for stride in strides]
    assert tuple(each.shape[1] for each in stages) == net.stage_widths == (16, 32, 48)
    assert [len(stage) for stage in (net.stage1, net.stage2, net.stage3)] == options.get("blocks", [4, 5, 1])
    embedding = net.embed(stages)
    assert embedding.shape == (2, net.embedding_width) == (2, options.get("embedding", 48))
    torch.testing.assert_close(net(faces), net.classify(embedding))
    assert net(faces).shape == (2, 5)


@pytest.mark.parametrize("options", [{}, {"norms": "sum"}, {"norms": "single"}, {"embedding": 64}])
def test_every_weight_learns_and_the_net_returns_from_its_file(options, faces, tmp_path):
    spec = nets.resolve("repvgg", classes=0, size=48, width=0.125, blocks=[2, 1, 1], **options)
    net = spec.build()
    answers = net(torch.randn(4, 1, 48, 48))
    (answers * torch.randn(answers.shape[1])).square().sum().backward()
    assert all(value.grad.abs().sum() > 0 for value in net.parameters())
    nets.save(net, spec, tmp_path / "net.safetensors")
    again, found = nets.load(tmp_path / "net.safetensors")
    assert found == spec
    assert torch.equal(again(faces), net.eval()(faces))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 12, "stem_stride": 2}, "at least 16 px"),
        ({"width": 9}, "width is 9"),
        ({"blocks": [1, 2]}, "'blocks' .* at least 3 items"),
        ({"blocks": [0, 2, 1]}, "'blocks' .* greater than or equal to 1"),
        ({"norms": "none"}, "'norms' .* is 'none'"),
        ({"stem_stride": 4}, "'stem_stride' .* is 4"),
    ],
)
def test_what_does_not_fit_is_named(options, said):
    with pytest.raises(FaceletError, match=said):
        nets.resolve("repvgg", **{"classes": 8, "size": 48, **options})
