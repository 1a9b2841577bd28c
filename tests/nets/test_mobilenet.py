from __future__ import annotations

import pytest
import torch

from facelet import nets
from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import net_cost

BLOCKS = (
    (32, 64),
    (64, 128),
    (128, 128),
    (128, 256),
    (256, 256),
    (256, 512),
    *[(512, 512)] * 5,
    (512, 1024),
    (1024, 1024),
)


def by_hand(embedding=None, side=7):
    """Weights, batch norms (2 a channel) and PReLUs (1 a channel), layer by layer, as the file of SFace lists them."""
    count = 27 * 32 + 3 * 32 + sum(9 * i + 3 * i + i * o + 3 * o for i, o in BLOCKS)
    return count if embedding is None else count + 2 * 1024 + (1024 * side * side + 1) * embedding + 2 * embedding


@pytest.mark.parametrize(("options", "hand", "params"), [({}, (), 3_217_920), ({"embedding": 128}, (128,), 9_642_880)])
def test_parameters_layer_by_layer(options, hand, params):
    spec = nets.resolve("mobilenet", classes=0, size=112, channels=3, **options)
    assert net_cost(spec.skeleton(), spec).params == by_hand(*hand) == params


def test_its_compute_is_mobilenets():
    """569 M multiply-accumulates are MobileNet's at 224 px, whose first convolution is strided; and a classifier."""
    spec = nets.resolve("mobilenet", classes=0, size=112, channels=3)
    assert round(net_cost(spec.skeleton(), spec).macs / 1e6) == 568


@pytest.mark.parametrize("options", [{"width": 0.25}, {"width": 0.25, "embedding": 64, "dropout": 0.3}])
@pytest.mark.parametrize("size", [16, 50, 64])
def test_contract(size, options):
    net = nets.resolve("mobilenet", classes=7, size=size, channels=3, **options).build().eval()
    images = torch.rand(2, 3, size, size)
    maps = net.stages(images)
    assert [m.shape[1] for m in maps] == list(net.stage_widths)
    assert [m.shape[2] for m in maps] == [-(-size // 2**n) for n in (1, 2, 3, 4)]
    embedding = net.embed(maps)
    assert embedding.shape == (2, net.embedding_width)
    assert torch.equal(net(images), net.classify(embedding))


@pytest.mark.parametrize(("size", "options"), [(12, {}), (64, {"width": 3.0}), (64, {"embedding": 8})])
def test_options_that_cannot_be_meant(size, options):
    with pytest.raises(FaceletError):
        nets.resolve("mobilenet", classes=8, size=size, channels=3, **options)
