from __future__ import annotations

import pytest
import torch
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.nets.exits import ExitHeads


@pytest.mark.parametrize("name", ["resnet18-finegrained", "shufflenet-v2-x0.5", "timm/mobilenetv3_small_050"])
def test_exits_fit_any_net(name, faces):
    net = nets.resolve(name, classes=8, size=48).build().eval()
    exits = ExitHeads.of(net, size=48, channels=1, classes=8).eval()
    stages = net.stages(faces)
    answers = exits(stages)
    assert len(answers) == len(net.stage_widths) - 1
    for answer, exit_ in zip(answers, exits.exits, strict=True):
        assert answer.logits.shape == (2, 8)
        assert answer.feature.shape == (2, net.embedding_width)
        torch.testing.assert_close(exit_.fc(answer.feature), answer.logits)


def test_maps_come_down_to_the_last_size(faces):
    net = nets.resolve("resnet18", classes=8, width=0.25).build().eval()
    exits = ExitHeads.of(net, size=48, channels=1, classes=8).eval()
    stages = net.stages(faces)
    for exit_, maps in zip(exits.exits, stages[:-1], strict=True):
        assert exit_.body(maps).shape == stages[-1].shape
    assert [len(exit_.body) for exit_ in exits.exits] == [3, 2, 1]


def test_the_net_itself_learns_from_its_exits_and_stays_as_it_is(faces):
    spec = nets.resolve("resnet18", classes=8, width=0.125)
    net = spec.build()
    exits = ExitHeads(net.stage_widths, 8, net.embedding_width, attention=False)
    answer = exits(net.stages(faces))[0]
    nn.functional.cross_entropy(answer.logits, torch.tensor([0, 1])).backward()
    assert net.stem.conv.weight.grad.abs().sum() > 0
    assert net.layer2[0].conv1.weight.grad is None
    assert spec.measured(net) == spec


def test_config_rebuilds_them(faces):
    net = nets.resolve("resnet18", classes=8, width=0.125).build().eval()
    exits = ExitHeads.of(net, size=48, channels=1, classes=8).eval()
    again = ExitHeads(**exits.config).eval()
    again.load_state_dict(exits.state_dict())
    for one, other in zip(exits(net.stages(faces)), again(net.stages(faces)), strict=True):
        assert torch.equal(one.logits, other.logits)


def test_one_stage_has_no_place_for_an_exit():
    with pytest.raises(FaceletError, match="two stages"):
        ExitHeads([64], 8, 64)
