from __future__ import annotations

import pytest
import torch

from facelet import nets
from facelet.errors import FaceletError
from facelet.nets.transfer import inherit


def built(classes, width=0.0625):
    return nets.resolve("resnet18", classes=classes, size=16, width=width, stem_stride=1).build()


def test_all_weights_are_taken_where_the_classes_are_as_many():
    net, before = built(5), built(5)
    assert inherit(net, before, "student", "first") == ""
    assert all(torch.equal(value, before.state_dict()[name]) for name, value in net.state_dict().items())


def test_another_number_of_classes_leaves_the_classifier_fresh():
    net, before = built(4), built(5)
    fresh = net.fc.weight.clone()
    assert inherit(net, before, "student", "first") == "fresh classifier: fc.bias, fc.weight"
    assert torch.equal(net.fc.weight, fresh)
    assert torch.equal(net.stem.conv.weight, before.stem.conv.weight)


def test_weights_of_another_shape_are_refused_and_nothing_is_copied():
    net, before = built(5), built(5, width=0.125)
    kept = net.stem.bn.weight.clone()
    with pytest.raises(
        FaceletError, match=r"student: the weights of 'first' do not fit at '.*' \(\d+ tensors in all\)"
    ):
        inherit(net, before, "student", "first")
    assert torch.equal(net.stem.bn.weight, kept)
