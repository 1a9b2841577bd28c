from __future__ import annotations

import torch

from facelet.learn.data.normalise import Normalise
from facelet.learn.teachers.frozen import FrozenNet


def test_it_answers_as_its_net_and_learns_nothing(net):
    net, spec = net
    frozen = FrozenNet(net.train(), spec, "fp32")
    frozen.place(torch.device("cpu"))
    faces = torch.rand(3, 1, 16, 16)
    told = frozen(faces)
    assert not net.training
    assert not any(weight.requires_grad for weight in net.parameters())
    assert told.logits is None, "it has no classes"
    torch.testing.assert_close(told.embedding, net(Normalise(spec)(faces)), rtol=1e-4, atol=1e-4)
    assert tuple(stage.shape[1] for stage in told.stages) == net.stage_widths
    assert not told.embedding.requires_grad


def test_faces_of_any_size_and_colour_fit(net):
    frozen = FrozenNet(*net, wish="fp32")
    frozen.place(torch.device("cpu"))
    assert frozen(torch.rand(2, 3, 24, 24)).embedding.shape == (2, 64)
