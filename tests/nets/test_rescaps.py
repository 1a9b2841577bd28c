from __future__ import annotations

import pytest
import torch
from timm.layers.cbam import CbamModule

from facelet import nets
from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import net_cost
from facelet.nets.layers.capsule import squash


@pytest.mark.parametrize(("size", "side"), [(32, 8), (48, 6), (100, 7), (112, 7)])
def test_shapes_of_rescaps(size, side):
    spec = nets.resolve("rescaps", classes=8, size=size, width=0.25)
    net, faces = spec.build().eval(), torch.randn(2, 1, size, size)
    stages = net.stages(faces)
    assert tuple(each.shape[1] for each in stages) == net.stage_widths == (16, 32, 64, 64)
    assert net.primary(stages[-1]).shape == (2, 8 * 32, side, side)
    assert net.capsules.weight.shape == (32, side**2, 8, 8 * 16)
    embedding = net.embed(stages)
    assert embedding.shape == (2, net.embedding_width) == (2, 128)
    torch.testing.assert_close(net(faces), net.classify(embedding))
    assert net_cost(spec.skeleton(), spec) == net_cost(net, spec)


def test_a_logit_is_the_log_odds_of_the_capsules_length():
    net = nets.resolve("rescaps", classes=8, size=32, width=0.25).build()
    faces = torch.randn(4, 1, 32, 32)
    lengths = squash(net.embed(net.stages(faces)).unflatten(1, (8, 16))).norm(dim=2)
    torch.testing.assert_close(net(faces).sigmoid(), lengths, rtol=1e-4, atol=1e-5)
    assert 0.3 < lengths.mean() < 0.7
    squares = net.embed(net.stages(faces)).unflatten(1, (8, 16)).square().sum(2)
    torch.testing.assert_close(net(faces).softmax(1), squares / squares.sum(1, keepdim=True), rtol=1e-4, atol=1e-5)


def test_the_front_is_resnet18_with_cbam():
    capsules, linear = (nets.resolve(name, classes=8, size=48).build() for name in ("rescaps", "resnet18-cbam"))
    assert sum(isinstance(module, CbamModule) for module in linear.modules()) == 8
    front = {name: weight.shape for name, weight in linear.named_parameters() if not name.startswith("fc.")}
    assert front.items() <= {name: weight.shape for name, weight in capsules.named_parameters()}.items()
    assert {name.split(".")[0] for name, _ in capsules.named_parameters()} - {name.split(".")[0] for name in front} == {
        "primary",
        "capsules",
    }


def test_faces_too_small_for_its_strides_are_named():
    with pytest.raises(FaceletError, match="at least 16 px"):
        nets.resolve("rescaps", classes=8, size=12, stem_stride=4)
