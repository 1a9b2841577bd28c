from __future__ import annotations

import pytest
import torch
import torchvision

from facelet import nets
from facelet.errors import FaceletError
from facelet.nets.shufflenet import shuffle


@pytest.mark.parametrize(("width", "theirs"), [(0.5, "x0_5"), (1.0, "x1_0"), (1.5, "x1_5"), (2.0, "x2_0")])
def test_layers_are_torchvisions(width, theirs):
    stock = getattr(torchvision.models, f"shufflenet_v2_{theirs}")(num_classes=7)
    ours = nets.resolve("shufflenet-v2", classes=7, size=48, channels=3, width=width).build()
    shapes = [sorted(tuple(weight.shape) for weight in net.parameters()) for net in (ours, stock)]
    assert shapes[0] == shapes[1]
    if width == 1.0:
        assert sum(weight.numel() for weight in ours.parameters()) == 1_260_779


def test_a_unit_computes_what_torchvisions_does():
    theirs = torchvision.models.shufflenetv2.InvertedResidual(24, 24, 1).eval()
    unit = nets.shufflenet.ShuffleNetUnit(24).eval()
    unit.branch.load_state_dict(theirs.branch2.state_dict())
    maps = torch.randn(2, 24, 6, 6)
    ours = torch.cat(unit(maps.chunk(2, 1)), 1)
    # The same channels, in another order.
    order = [int((theirs(maps) - channel[:, None]).abs().amax((0, 2, 3)).argmin()) for channel in ours.unbind(1)]
    assert sorted(order) == list(range(24))
    torch.testing.assert_close(ours, theirs(maps)[:, order])


def test_a_channel_rests_zero_or_two_blocks():
    """Each new channel is worked on at once or rests twice: once on average, as by the paper's interleaving."""
    width, blocks = 16, 12
    resting, working = (torch.zeros(1, width // 2, 1, 1) for _ in range(2))
    rests = []
    for block in range(1, blocks):
        rests += (block - 1 - working.flatten()).tolist() if block > 4 else []
        made = torch.full_like(working, block)
        resting, working = shuffle(resting, made)
    assert sorted(set(rests)) == [0, 2]
    assert sum(rests) / len(rests) == 1


@pytest.mark.parametrize("name", ["shufflenet-v2", "shufflenet-v2-x0.5"])
def test_contract(name, faces):
    net = nets.resolve(name, classes=8, size=48).build().eval()
    stages = net.stages(faces)
    assert [each.shape[2] for each in stages] == [12, 6, 3]
    assert tuple(each.shape[1] for each in stages) == net.stage_widths
    embedding = net.embed(stages)
    assert embedding.shape == (2, net.embedding_width) == (2, 1024)
    torch.testing.assert_close(net(faces), net.classify(embedding))


def test_any_width_builds():
    net = nets.resolve("shufflenet-v2", classes=8, size=48, width=0.33).build().eval()
    assert all(width % 4 == 0 for width in net.stage_widths)
    assert net(torch.zeros(1, 1, 48, 48)).shape == (1, 8)


def test_too_small_and_too_thin_are_named():
    with pytest.raises(FaceletError, match="at least 16 px"):
        nets.resolve("shufflenet-v2", classes=8, size=12, stem_stride=2)
    with pytest.raises(FaceletError, match="width is 9"):
        nets.resolve("shufflenet-v2", classes=8, width=9)
