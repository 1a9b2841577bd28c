from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.nets.layers.exits import ExitHeads, without_exits


@pytest.mark.parametrize(
    "name", ["resnet18-finegrained", "shufflenet-v2-x0.5", "repvgg-x0.5", "timm/mobilenetv3_small_050"]
)
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
    exits = ExitHeads(net.stage_widths, 8, net.embedding_width, attention="none")
    answer = exits(net.stages(faces))[0]
    nn.functional.cross_entropy(answer.logits, torch.tensor([0, 1])).backward()
    assert net.stem.conv.weight.grad.abs().sum() > 0
    assert net.layer2[0].conv1.weight.grad is None
    assert spec.measured(net) == spec


@pytest.mark.parametrize("attention", ["eca", "simam", "se", "none"])
def test_a_net_that_keeps_its_exits_is_rebuilt_with_them(attention, faces, tmp_path):
    spec = replace(nets.resolve("resnet18", classes=8, width=0.125), exits=attention)
    net = spec.build().eval()
    nets.save(net, spec, tmp_path / "net.safetensors")
    again, found = nets.load(tmp_path / "net.safetensors")
    assert found == spec
    assert len(net.answers(faces)) == 4
    for one, other in zip(net.answers(faces), again.answers(faces), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(net(faces), net.answers(faces)[-1])
    assert torch.equal(net(faces), without_exits(net)(faces))


def test_a_cut_net_keeps_its_exits_too(faces, tmp_path):
    spec = nets.resolve("resnet18", classes=8, width=0.25)
    inner = spec.build().eval()
    block = inner.layer1[0]
    block.conv1, block.bn1 = nn.Conv2d(16, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)
    block.conv2 = nn.Conv2d(8, 16, 3, 1, 1, bias=False)
    cut = replace(spec.measured(inner), exits="eca")
    net = cut.build().eval()
    assert net.net.layer1[0].conv1.out_channels == 8
    nets.save(net, cut, tmp_path / "net.safetensors")
    again, found = nets.load(tmp_path / "net.safetensors")
    assert (found.widths, found.exits) == (cut.widths, "eca")
    assert torch.equal(net(faces), again(faces))


def test_a_spec_with_other_exits_is_refused():
    text = nets.resolve("resnet18", classes=8).to_json().replace('"exits": null', '"exits": "cbam"')
    with pytest.raises(FaceletError, match="damaged at 'exits'"):
        nets.NetSpec.from_json(text)


def test_one_stage_has_no_place_for_an_exit():
    with pytest.raises(FaceletError, match="two stages"):
        ExitHeads([64], 8, 64)
