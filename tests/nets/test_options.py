"""Every option of every net changes what the net computes, or its shape."""

from __future__ import annotations

import inspect

import pytest
import torch

import facelet.nets  # noqa: F401  (register)
from facelet.nets import NETS

OTHER = {
    "width": 0.5, "embedding": 64, "se": False, "activation": "relu", "stem_stride": 4, "dropout": 0.5, "blocks": [1, 2, 1],
    "norms": "sum", "types": 16, "dims": 4, "routing": 1, "local": True, "groups": 4, "head": "depthwise",
}  # fmt: skip
"""A value of each option that is not its default."""
DEEP = {"stem_stride": {"seresnet18": 2, "seresnet34": 2, "seresnet50": 2}}


def options(name: str) -> dict[str, object]:
    return {
        key: value.default
        for key, value in inspect.signature(NETS[name]).parameters.items()
        if value.kind is value.KEYWORD_ONLY
    }


CASES = [(name, option) for name in NETS for option in options(name)]


def output(name: str, **chosen: object) -> torch.Tensor:
    torch.manual_seed(0)
    small = {"width": 0.25} if "width" in options(name) else {}
    net = NETS[name](4, 48, 3, **{**small, **chosen}).train()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # residual branches begin as zero, and would hide their options
            torch.nn.init.ones_(module.weight)
    faces = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    return net(faces)


@pytest.mark.parametrize(("name", "option"), CASES)
def test_an_option_has_an_effect(name, option):
    other = DEEP.get(option, {}).get(name, OTHER[option])
    assert other != options(name)[option]
    assert not torch.equal(output(name), output(name, **{option: other}))
