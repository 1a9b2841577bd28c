from __future__ import annotations

import pytest
import torch
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import net_cost

WIDTHS = (64, 128, 256, 512)


def by_hand(depths, head, side=7, embedding=512):
    count = 27 * 64 + 3 * 64
    inputs = 64
    for width, depth in zip(WIDTHS, depths, strict=True):
        for number in range(depth):
            count += 2 * inputs + 9 * inputs * width + 3 * width + 9 * width * width + 2 * width
            squeezed = max(8, int(width / 16 + 4) // 8 * 8)
            count += 2 * width * squeezed + squeezed + width
            if number == 0:
                count += inputs * width + 2 * width
            inputs = width
    if head == "flat":
        return count + 2 * 512 + 512 * side * side * embedding + embedding + 2 * embedding
    return count + 512 * side * side + 2 * 512 + 512 * embedding + 2 * embedding


@pytest.mark.parametrize(
    ("name", "head", "depths", "params"),
    [
        ("seresnet18", "flat", (2, 2, 2, 2), 24_115_712),
        ("seresnet18", "gdc", (2, 2, 2, 2), 11_557_376),
        ("seresnet34", "flat", (3, 4, 6, 3), 34_302_072),
        ("seresnet50", "flat", (3, 4, 14, 3), 43_821_304),
    ],
)
def test_parameters_layer_by_layer(name, head, depths, params):
    spec = nets.resolve(name, classes=0, size=112, channels=3, head=head)
    assert net_cost(spec.skeleton(), spec).params == by_hand(depths, head) == params


@pytest.mark.parametrize("head", ["flat", "gdc"])
@pytest.mark.parametrize(("size", "stride", "sides"), [(48, 1, [24, 12, 6, 3]), (50, 2, [13, 7, 4, 2])])
def test_contract(size, stride, sides, head):
    options = {"width": 0.125, "embedding": 96, "head": head, "stem_stride": stride, "dropout": 0.4}
    net = nets.resolve("seresnet18", classes=5, size=size, **options).build().eval()
    faces = torch.randn(2, 1, size, size)
    stages = net.stages(faces)
    assert [each.shape[2] for each in stages] == sides
    assert tuple(each.shape[1] for each in stages) == net.stage_widths == (8, 16, 32, 64)
    embedding = net.embed(stages)
    assert embedding.shape == (2, net.embedding_width) == (2, 96)
    torch.testing.assert_close(net(faces), net.classify(embedding))


def test_a_block_by_its_layers():
    block = nets.seresnet.SEResNetBlock(8, 16, 2).eval()
    maps = torch.randn(2, 8, 6, 6)
    norm, scaled = (1 + 1e-5) ** 0.5, maps / (1 + 1e-5) ** 0.5
    found = nn.functional.conv2d(scaled, block.body[1].weight, padding=1) / norm
    found = torch.where(found > 0, found, 0.25 * found)
    found = nn.functional.conv2d(found, block.body[4].weight, stride=2, padding=1) / norm
    se = block.body[6]
    pooled = found.mean((2, 3))
    squeezed = (pooled @ se.fc1.weight[:, :, 0, 0].T + se.fc1.bias).relu()
    gate = (squeezed @ se.fc2.weight[:, :, 0, 0].T + se.fc2.bias).sigmoid()
    shortcut = nn.functional.conv2d(maps, block.shortcut[0].weight, stride=2) / norm
    torch.testing.assert_close(block(maps), shortcut + found * gate[:, :, None, None])


@pytest.mark.parametrize(
    ("options", "said"), [({"size": 12}, "at least 16 px"), ({"width": 9}, "width is 9"), ({"head": "mean"}, "'mean'")]
)
def test_what_does_not_fit_is_named(options, said):
    with pytest.raises(FaceletError, match=said):
        nets.resolve("seresnet18", **{"classes": 0, "size": 48, **options})
