from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from facelet import nets
from facelet.nets.layers.fusable import Fusable, fused


class Twice(Fusable):
    """Two scales that become their sum."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)

    def forward(self, rows):
        return self.one(rows) + self.two(rows)

    def fused(self):
        whole = nn.utils.skip_init(nn.Linear, 3, 3, bias=False)
        whole.weight = nn.Parameter((self.one.weight + self.two.weight).detach())
        return whole


def test_fusable_layers_are_replaced_wherever_they_are():
    net = nn.Sequential(Twice(), nn.Sequential(nn.ReLU(), Twice()), nn.Linear(3, 2)).train()
    state, random = {name: value.clone() for name, value in net.state_dict().items()}, torch.get_rng_state()
    plain = fused(net)
    rows = torch.randn(4, 3)
    torch.testing.assert_close(plain(rows), net(rows))
    assert [type(module) for module in plain.modules() if not list(module.children())] == [
        nn.Linear,
        nn.ReLU,
        nn.Linear,
        nn.Linear,
    ]
    assert (plain.training, net.training) == (False, True)
    assert net.state_dict().keys() == state.keys()
    nn.init.zeros_(plain[0].weight)
    nn.init.zeros_(plain[2].weight)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    torch.set_rng_state(random)
    assert torch.equal(rows, torch.randn(4, 3)), "no random number is drawn"


def test_a_net_without_any_stays_what_it_is():
    net = nets.resolve("vgg11", classes=2, width=0.0625).build().train()
    assert fused(net) is net
    assert net.training


def test_a_net_with_exits_and_a_skeleton_too(faces):
    spec = replace(nets.resolve("repvgg", classes=3, width=0.125), exits="eca")
    net = spec.build().eval()
    for one, other in zip(fused(net).answers(faces), net.answers(faces), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    shapes = {name: weight.shape for name, weight in fused(spec.skeleton()).state_dict().items()}
    assert shapes == {name: weight.shape for name, weight in fused(net).state_dict().items()}
