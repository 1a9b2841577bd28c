"""Cutting channels: what is cut was dead before, so the answers stay; the rest is rebuilt from its spec and exported."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from timm.layers.cbam import SpatialAttn
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.nets import NETS, FaceNet
from facelet.nets.layers.multi_scale import MultiScaleConv
from facelet.shrink.export import export
from facelet.shrink.pruning.channels import Channels
from facelet.shrink.pruning.importance import ChannelImportance, filters

ALL = (
    ("resnet18", {"width": 0.25}),
    ("resnet18", {"width": 0.25, "local": True}),
    ("resnet18-finegrained", {"width": 0.25}),
    ("shufflenet-v2-x0.5", {}),
    ("vgg11", {"width": 0.25}),
    ("resvgg19", {"width": 0.125}),
    ("rescaps", {"width": 0.25, "types": 8}),
    ("repvgg", {"width": 0.25}),
    ("repvgg", {"width": 0.25, "norms": "sum"}),
    ("mini-mobile", {}),
    ("mobilefacenet", {"width": 0.25}),
    ("seresnet18", {"width": 0.125, "embedding": 64}),
    ("timm/mobilenetv3_small_050", {"embedding": 64}),
    ("timm/mobilenetv2_050", {}),
    ("timm/mobilenetv3_small_050", {}),
    ("timm/regnetx_002", {}),
)
FREE = {"shufflenet-v2-x0.5": 17, "resnet18-finegrained": 4}


class Bottleneck(nn.Module):
    """1x1 - depthwise - 1x1, with a shortcut; MobileFaceNet's block, PReLU and all."""

    def __init__(self, width: int, wide: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.PReLU(wide)),
            *(nn.Conv2d(wide, wide, 3, 1, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.PReLU(wide)),
            *(nn.Conv2d(wide, width, 1, bias=False), nn.BatchNorm2d(width)),
        )

    def forward(self, maps):
        return maps + self.body(maps)


class MiniMobile(FaceNet):
    """Stem, two bottlenecks, a depthwise convolution over the whole map, a linear embedding with batch norm, a classifier."""

    def __init__(self, classes: int, size: int, channels: int) -> None:
        super().__init__()
        self.stage_widths, self.embedding_width = (16, 16), 24
        self.stem = nn.Sequential(nn.Conv2d(channels, 16, 3, 4, 1, bias=False), nn.BatchNorm2d(16), nn.PReLU(16))
        self.one, self.two = Bottleneck(16, 32), Bottleneck(16, 32)
        self.whole = nn.Sequential(nn.Conv2d(16, 16, size // 4, groups=16, bias=False), nn.BatchNorm2d(16))
        self.linear, self.norm = nn.Linear(16, 24, bias=False), nn.BatchNorm1d(24)
        self.fc = nn.Linear(24, classes)

    def stages(self, images):
        first = self.one(self.stem(images))
        return [first, self.two(first)]

    def embed(self, stages):
        return self.norm(self.linear(self.whole(stages[-1]).flatten(1)))

    def classify(self, embedding):
        return self.fc(embedding)

    def uncut(self):
        return [self.fc]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(NETS, "_entries", {**NETS._entries, "mini-mobile": MiniMobile})
    torch.manual_seed(1)


def lively(spec):
    """A net whose every layer says something, as after training."""
    net = spec.build()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
        if isinstance(module, SpatialAttn):  # else it would see that there are fewer channels, dead or not
            nn.init.zeros_(module.conv.conv.weight)
    return net.eval()


def silence(net, channels, scores, widths):
    """Zeros in every filter and batch norm of the channels that are to go."""
    for name, group in channels.groups.items():
        blocks = channels.blocks[name]
        part = channels.widths[name] // blocks
        dead = scores[name].argsort(stable=True)[: part - widths[name] // blocks].tolist()
        roots = {block * part + channel for block in range(blocks) for channel in dead}
        for item in group:
            module = item.dep.target.module
            if item.dep.handler.__name__ != "prune_out_channels" or not filters(module):
                continue
            mine = [index for index, root in zip(item.idxs, item.root_idxs, strict=True) if root in roots]
            with torch.no_grad():
                if isinstance(module, MultiScaleConv):
                    pieces = [(layer, dead) for layer in (*module.convs, *module.norms)]
                else:
                    pieces = [(module, mine)]
                for layer, rows in pieces:
                    layer.weight[rows] = 0
                    if layer.bias is not None:
                        layer.bias[rows] = 0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), ALL)
def test_cutting_dead_channels_changes_no_answer_and_the_net_returns_from_its_file(name, options, tmp_path):
    spec = nets.resolve(name, classes=8, size=48, **options)
    net = lively(spec)
    channels = Channels(net, spec)
    assert len(channels.widths) == FREE.get(name, len(channels.widths))
    scores = channels.scores(ChannelImportance("l2"))
    widths = {
        name: max(1, width // 2 // channels.blocks[name]) * channels.blocks[name]
        for name, width in channels.widths.items()
    }
    silence(net, channels, scores, widths)
    before, faces = copy.deepcopy(net), torch.randn(2, 1, 48, 48)
    channels.cut(widths, scores)
    with torch.no_grad():
        answers = net(faces)
        torch.testing.assert_close(answers, before(faces), rtol=1e-4, atol=1e-5)
        assert answers.abs().max() > 1e-3
        left = Channels(net, spec).widths  # a layer of one channel is not offered again
        assert left == {name: width for name, width in widths.items() if name in left or width > 1}
        nets.save(net, spec, tmp_path / "cut.safetensors")
        again, cut = nets.load(tmp_path / "cut.safetensors")
        assert torch.equal(again(faces), answers)
    assert cut == spec.measured(net)
    assert cut.widths
    assert tuple(maps.shape[1] for maps in again.stages(faces)) == again.stage_widths
    assert answers.shape == (2, 8)
    if name == "resnet18-finegrained":
        for module in (module for module in net.modules() if isinstance(module, MultiScaleConv)):
            assert len({conv.in_channels for conv in module.convs} | {conv.out_channels for conv in module.convs}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18-finegrained", "rescaps", "mini-mobile", "timm/mobilenetv3_small_050"])
def test_a_cut_net_becomes_a_model_file(name, tmp_path):
    spec = nets.resolve(name, classes=3, size=32, **({"width": 0.0625} if name.startswith("res") else {}))
    net = lively(spec)
    channels = Channels(net, spec)
    channels.cut({name: width - channels.blocks[name] for name, width in channels.widths.items()})
    faces = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 1), np.uint8)
    info = export(net, spec.measured(net), tmp_path / "cut.onnx", {"labels": ("a", "b", "c")}, faces)
    assert info.params == sum(weight.numel() for weight in net.parameters())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("timm/vit_tiny_patch16_224", "its weight 'model.cls_token' is outside of the prunable layers"),
        ("timm/convnext_atto", r"its weight 'model.stages.0.blocks.0.gamma'"),
        ("resnet18-light", "all of its layers lead into splits or shuffles"),
    ],
)
def test_a_net_that_cannot_be_cut_is_refused_with_the_reason(name, reason):
    spec = nets.resolve(name, classes=8, size=48)
    with pytest.raises(FaceletError, match=f"{name} cannot be pruned: {reason}"):
        Channels(spec.skeleton(), spec)


def test_the_quarters_of_a_shuffle_net_stay():
    spec = nets.resolve("shufflenet-v2-x0.5", classes=8, size=48)
    net = spec.build()
    names = {module: name for name, module in net.named_modules()}
    assert not {names[layer] for layer in net.uncut()} & Channels(net, spec).widths.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilefacenet", "seresnet18", "repvgg", "timm/mobilenetv3_small_050"])
def test_the_length_of_an_embedding_stays(name, tmp_path):
    options = {"embedding": 64} | ({} if name.startswith("timm/") else {"width": 0.125})
    spec = nets.resolve(name, classes=0, size=48, **options)
    net = lively(spec)
    channels = Channels(net, spec)
    channels.cut(
        {name: width // channels.blocks[name] // 2 * channels.blocks[name] for name, width in channels.widths.items()}
    )
    nets.save(net, spec, tmp_path / "cut.safetensors")
    again, cut = nets.load(tmp_path / "cut.safetensors")
    faces = torch.randn(2, 1, 48, 48)
    assert cut.widths
    assert again(faces).shape == (2, 64) == (2, again.embedding_width)
    assert torch.equal(again(faces), net(faces))
