from __future__ import annotations

import pytest

from facelet import nets
from facelet.errors import FaceletError


def test_the_names_of_recipes_are_registered():
    assert {"resnet18", "resnet18-finegrained", "shufflenet-v2", "shufflenet-v2-x0.5"} <= set(nets.NETS)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("resnet81", {}, "did you mean 'resnet18'"),
        ("shufflenetv2", {}, "did you mean 'shufflenet-v2'"),
        ("mobilenetv2_100", {}, "did you mean 'timm/mobilenetv2_100'"),
        ("resnet18", {"with": 1}, "did you mean 'width'"),
        ("resnet18", {"stem_stride": 3}, "'stem_stride' of net 'resnet18' is 3: .*1, 2 or 4"),
        ("resnet18", {"width": "wide"}, "'width' of net 'resnet18' is 'wide'"),
        ("resnet18", {"dropout": 1.5}, "'dropout' of net 'resnet18' is 1.5: .*less than 1"),
    ],
)
def test_mistakes_are_named(name, options, said):
    with pytest.raises(FaceletError, match=said):
        nets.resolve(name, classes=8, size=48, **options)


def test_values_become_json_values_of_the_right_type():
    assert nets.resolve("resnet18", classes=8, width="0.5").options == {"width": 0.5}
