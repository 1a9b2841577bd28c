from __future__ import annotations

import pytest
import torch
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import net_cost

TABLE = ((2, 64, 5), (4, 128, 1), (2, 128, 6), (4, 128, 1), (2, 128, 2))


def by_hand(widths, last, se, side=7, embedding=128, activation=1):
    """Parameters of weights, batch norms (2 a channel) and PReLUs (1 a channel), layer by layer."""
    first = widths[0]
    count = 9 * 3 * first + (2 + activation) * first + 9 * first + (2 + activation) * first
    inputs = first
    for (expansion, _, repeats), outputs in zip(TABLE, widths[1:], strict=True):
        for _ in range(repeats):
            wide = inputs * expansion
            count += inputs * wide + (2 + activation) * wide + 9 * wide + (2 + activation) * wide
            count += wide * outputs + 2 * outputs
            if se:
                squeezed = max(8, int(outputs / 16 + 4) // 8 * 8)
                count += 2 * outputs * squeezed + squeezed + outputs
            inputs = outputs
    count += inputs * last + (2 + activation) * last
    return count + side * side * last + 2 * last + last * embedding + 2 * embedding


@pytest.mark.parametrize(
    ("name", "options", "hand", "params"),
    [
        ("mobilefacenet", {"se": False}, ((64, 64, 128, 128, 128, 128), 512, False), 1_003_136),
        ("mobilefacenet", {}, ((64, 64, 128, 128, 128, 128), 512, True), 1_030_456),
        ("mobilefacenet-0.5m", {}, ((40, 40, 88, 88, 88, 88), 344, True), 512_496),
        ("mobilefacenet-1m", {}, ((64, 64, 120, 120, 120, 120), 488, True), 933_784),
        ("mobilefacenet-3m", {}, ((120, 120, 232, 232, 232, 232), 936, True), 3_190_320),
        ("mobilefacenet-3m", {"embedding": 512}, ((120, 120, 232, 232, 232, 232), 936, True, 7, 512), 3_550_512),
    ],
)
def test_parameters_layer_by_layer(name, options, hand, params):
    spec = nets.resolve(name, classes=0, size=112, channels=3, **options)
    assert net_cost(spec.skeleton(), spec).params == by_hand(*hand) == params


def test_without_se_and_with_folded_norms_it_is_the_papers_million():
    """The paper's 0.99 million parameters and 221 million MACs."""
    spec = nets.resolve("mobilefacenet", classes=0, size=112, channels=3, se=False)
    net = spec.skeleton()
    norms = sum(module.num_features for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    cost = net_cost(net, spec)
    assert cost.params - norms == 993_344
    assert round(cost.macs / 1e6) == 221


@pytest.mark.parametrize("options", [{}, {"se": False, "activation": "relu"}, {"embedding": 64, "dropout": 0.3}])
@pytest.mark.parametrize("size", [32, 48, 112])
def test_contract(size, options):
    net = nets.resolve("mobilefacenet", classes=5, size=size, width=0.25, **options).build().eval()
    faces = torch.randn(2, 1, size, size)
    stages = net.stages(faces)
    strides = (2, 4, 8) if size < 40 else (4, 8, 16)
    assert [each.shape[2] for each in stages] == [-(-size // stride) for stride in strides]
    assert tuple(each.shape[1] for each in stages) == net.stage_widths == (16, 32, 32)
    embedding = net.embed(stages)
    assert embedding.shape == (2, net.embedding_width) == (2, options.get("embedding", 128))
    torch.testing.assert_close(net(faces), net.classify(embedding))
    assert net(faces).shape == (2, 5)
    assert any(isinstance(module, nn.PReLU) for module in net.modules()) == ("activation" not in options)


def test_a_finer_stem_and_a_stem_of_its_own_size():
    net = nets.resolve("mobilefacenet", classes=0, size=48, width=0.25, stem_stride=1).build().eval()
    assert [each.shape[2] for each in net.stages(torch.zeros(1, 1, 48, 48))] == [24, 12, 6]
    assert net.head.whole.kernel_size == (6, 6)


def test_every_weight_learns():
    net = nets.resolve("mobilefacenet", classes=0, size=48, width=0.25).build()
    (net(torch.randn(4, 1, 48, 48)) * torch.randn(128)).square().sum().backward()
    dead = {name for name, value in net.named_parameters() if not value.grad.abs().sum() > 0}
    assert not {name for name in dead if "fc1" not in name}, "but for what SE's ReLU may silence"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 12, "stem_stride": 2}, "at least 16 px"),
        ({"size": 4}, "size is 4"),
        ({"width": 9}, "width is 9"),
        ({"embedding": 32}, "'embedding' .* is 32"),
        ({"activation": "gelu"}, "'activation' .* is 'gelu'"),
        ({"stem_stride": 4}, "'stem_stride' .* is 4"),
    ],
)
def test_what_does_not_fit_is_named(options, said):
    with pytest.raises(FaceletError, match=said):
        nets.resolve("mobilefacenet", **{"classes": 0, "size": 48, **options})
