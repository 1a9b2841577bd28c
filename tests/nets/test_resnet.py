from __future__ import annotations

import re

import pytest
import torch
import torchvision
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.nets.resnet import ResNet18


def test_imagenet_configuration_is_torchvisions():
    ours, theirs = ResNet18(7, 224, 3).eval(), torchvision.models.resnet18(num_classes=7).eval()
    weights = theirs.state_dict().items()
    ours.load_state_dict({re.sub(r"^(conv|bn)1", r"stem.\1", name): value for name, value in weights})
    images = torch.randn(1, 3, 224, 224)
    torch.testing.assert_close(ours(images), theirs(images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("size", "stride", "sides"), [(32, None, 32), (48, None, 24), (48, 1, 48), (112, None, 28)])
def test_stem_suits_the_size(size, stride, sides):
    net = nets.resolve("resnet18", classes=8, size=size, width=0.125, stem_stride=stride).build()
    maps = net.eval().stages(torch.zeros(1, 1, size, size))
    assert [each.shape[2] for each in maps] == [sides, -(-sides // 2), -(-sides // 4), -(-sides // 8)]


@pytest.mark.parametrize("options", [{}, {"local": True}, {"width": 0.5, "dropout": 0.2}])
@pytest.mark.parametrize("name", ["resnet18", "resnet18-finegrained"])
def test_contract(name, options, faces):
    net = nets.resolve(name, classes=8, size=48, **options).build().eval()
    stages = net.stages(faces)
    embedding = net.embed(stages)
    assert tuple(each.shape[1] for each in stages) == net.stage_widths
    assert embedding.shape == (2, net.embedding_width)
    torch.testing.assert_close(net(faces), net.classify(embedding))
    assert net(faces).shape == (2, 8)


def test_residual_blocks_start_as_identity(faces):
    net = nets.resolve("resnet18-finegrained", classes=8, size=48).build().eval()
    maps = net.stem(faces)
    torch.testing.assert_close(net.layer1(maps), maps)


def test_every_weight_learns(faces):
    net = nets.resolve("resnet18-finegrained", classes=8, size=48, width=0.25, local=True).build()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):  # the zero-initialised norms let gradients through from the second step on
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(faces), torch.tensor([1, 2])).backward()
        optimizer.step()
    assert [name for name, value in net.named_parameters() if not value.grad.abs().sum() > 0] == []


@pytest.mark.parametrize(
    ("options", "size", "said"), [({"stem_stride": 4}, 24, "at least 32 px"), ({"width": 0}, 48, "width is 0")]
)
def test_what_does_not_fit_is_named(options, size, said):
    with pytest.raises(FaceletError, match=said):
        nets.resolve("resnet18", classes=8, size=size, **options)
