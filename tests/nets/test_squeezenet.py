from __future__ import annotations

import pytest
import torch
import torchvision

from facelet import nets
from facelet.errors import FaceletError


def test_convolutions_are_torchvisions():
    theirs = torchvision.models.squeezenet1_1(num_classes=8)
    ours = nets.resolve("squeezenet", classes=8, size=224, channels=3).skeleton()
    shapes = [tuple(p.shape) for p in theirs.parameters() if p.ndim == 4]
    found = [tuple(p.shape) for p in ours.parameters() if p.ndim == 4] + [(*ours.fc.weight.shape, 1, 1)]
    assert found == shapes


@pytest.mark.parametrize(("size", "sides"), [(32, [16, 8, 4]), (48, [12, 6, 3]), (112, [14, 7, 4])])
def test_contract(size, sides):
    net, faces = nets.resolve("squeezenet", classes=8, size=size).build().eval(), torch.randn(2, 1, size, size)
    stages = net.stages(faces)
    assert tuple(each.shape[1] for each in stages) == net.stage_widths == (128, 256, 512)
    assert [each.shape[2] for each in stages] == sides
    torch.testing.assert_close(net(faces), net.classify(net.embed(stages)))


def test_too_small_a_face_is_named():
    with pytest.raises(FaceletError, match="at least 32 px"):
        nets.resolve("squeezenet", classes=8, size=24, stem_stride=4)
