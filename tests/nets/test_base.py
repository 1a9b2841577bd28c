from __future__ import annotations

import torch
from torch import nn

from facelet.nets.base import FaceNet, classifier, initialise


class Small(FaceNet):
    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.stage_widths, self.embedding_width = (0, 0), 0
        self.one, self.norm = nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4)
        self.two = nn.Conv2d(4, 6, 3, 2, 1)
        self.dropout, self.fc = nn.Dropout(0.5), classifier(6, classes)

    def stages(self, images):
        first = self.norm(self.one(images))
        return [first, self.two(first)]


def test_what_a_net_inherits(faces):
    net = Small().eval()
    stages = net.stages(faces)
    embedding = net.embed(stages)
    torch.testing.assert_close(embedding, stages[-1].flatten(2).mean(2))
    torch.testing.assert_close(net(faces), net.fc(embedding))
    assert net.uncut() == [net.fc]


def test_widths_are_measured_anew_and_the_mode_stays():
    net = Small().train()
    before = net.norm.running_mean.clone()
    net.remeasure(16, 1)
    assert (net.stage_widths, net.embedding_width) == ((4, 6), 6)
    assert net.training
    assert torch.equal(net.norm.running_mean, before)


def test_without_classes_a_net_answers_with_its_embedding(faces):
    net = Small(classes=0).eval()
    torch.testing.assert_close(net(faces), net.embed(net.stages(faces)))


def test_the_initialisation_is_he_et_als():
    net = nn.Sequential(nn.Conv2d(16, 64, 3), nn.BatchNorm2d(64), nn.Linear(64, 2))
    linear = net[2].weight.clone()
    nn.init.zeros_(net[1].weight)
    initialise(net)
    assert abs(net[0].weight.std().item() / (2 / (64 * 9)) ** 0.5 - 1) < 0.05
    assert (net[0].bias == 0).all()
    assert (net[1].weight == 1).all()
    assert torch.equal(net[2].weight, linear)
