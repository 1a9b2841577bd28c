from __future__ import annotations

import pytest
import tiny
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.learn.data.augment import augmentation
from facelet.learn.data.batches import FaceBatches, Faces
from facelet.learn.device.precision import Precision
from facelet.learn.tasks.task import ClassificationTask
from facelet.nets import NetSpec
from facelet.shrink.pruning import gradients


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = tiny.Residual()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight)
    return net.eval()


def test_gradients_are_means_over_batches_of_absolute_values(net):
    faces = load("toy?faces=60&classes=7", size=16).split("train")
    spec = NetSpec("residual", classes=7, size=16, channels=1)
    net.fc = nn.Linear(4, 7)
    batches = FaceBatches(Faces.of(faces), size=8, seed=3, augment=augmentation(0.0))
    gradients.leave_gradients(net, ClassificationTask(spec), batches, torch.device("cpu"), Precision(False, False))
    found, total = net.first.weight.grad.clone(), torch.zeros_like(net.first.weight)
    count = min(gradients.BATCHES, batches.steps_per_epoch)
    for batch in batches.start(0, count):
        loss = cross_entropy(net((batch.faces - 0.5) / 0.25), batch.labels)
        total += torch.autograd.grad(loss, net.first.weight)[0].abs()
    torch.testing.assert_close(found, total / count)
    nn.init.constant_(net.fc.weight, float("nan"))
    with pytest.raises(FaceletError, match="try l2"):
        gradients.leave_gradients(net, ClassificationTask(spec), batches, torch.device("cpu"), Precision(False, False))
