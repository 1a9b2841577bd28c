from __future__ import annotations

import pytest
import torch

from facelet import nets
from facelet.errors import FaceletError


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("mobilenetv3_small_050", 48),  # a head with a convolution of its own
        ("convnext_atto", 48),
        ("swin_tiny_patch4_window7_224", 32),  # NHWC
        ("vit_tiny_patch16_224", 48),  # tokens, an image size fixed at build
    ],
)
def test_contract(name, size):
    net = nets.resolve(f"timm/{name}", classes=8, size=size).build().eval()
    images = torch.randn(2, 1, size, size)
    stages = net.stages(images)
    assert all(each.ndim == 4 for each in stages)
    assert tuple(each.shape[1] for each in stages) == net.stage_widths
    assert net.embed(stages).shape == (2, net.embedding_width)
    torch.testing.assert_close(net(images), net.model(images))


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "swin_tiny_patch4_window7_224"])
def test_an_embedding_behind_the_models_own_feature(name, faces):
    size = 32 if name.startswith("swin") else 48
    faces = faces[:, :, :size, :size]
    net = nets.resolve(f"timm/{name}", classes=8, size=size, embedding=64).build().eval()
    stages = net.stages(faces)
    assert tuple(each.shape[1] for each in stages) == net.stage_widths
    embedding = net.embed(stages)
    linear, norm = net.neck
    feature = net.model(faces)
    by_hand = (feature @ linear.weight.T + linear.bias) / (1 + norm.eps) ** 0.5
    torch.testing.assert_close(embedding, by_hand)
    assert embedding.shape == (2, net.embedding_width) == (2, 64)
    torch.testing.assert_close(net(faces), embedding @ net.fc.weight.T + net.fc.bias)
    assert net.uncut() == [net.fc, linear]


def test_stem_stride_doubles_the_maps():
    coarse, fine = (
        nets.resolve("timm/lcnet_050", classes=8, size=48, **options).build().eval()
        for options in ({}, {"stem_stride": 1})
    )
    sides = [[each.shape[2] for each in net.stages(torch.zeros(1, 1, 48, 48))] for net in (coarse, fine)]
    assert sides == [[24, 12, 6, 3, 2], [48, 24, 12, 6, 3]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("timm/resnet81", {}, r"did you mean 'timm/resnet18'"),
        ("timm/hf-hub:some/net", {}, "timm has no net"),
        ("timm/local-dir:/tmp", {}, "timm has no net"),
        ("timm/resnet18", {"checkpoint_path": "x.pth"}, "unknown option of net 'timm/resnet18': 'checkpoint_path'"),
        ("timm/resnet18", {"pretrained": True}, "unknown option"),
        ("timm/inception_v3", {}, "too small for net 'timm/inception_v3'; 96 px"),
        ("timm/vit_tiny_patch16_224", {"stem_stride": 1}, "stem_stride"),
        ("timm/levit_128s", {}, "several classifiers"),
        ("timm/lcnet_050", {"embedding": 32}, "option 'embedding' .* is 32"),
    ],
)
def test_what_cannot_be_used_is_named(name, options, said):
    with pytest.raises(FaceletError, match=said):
        nets.resolve(name, classes=8, size=48, **options)


@pytest.mark.slow
def test_a_net_that_answers_with_more_than_its_classifier_is_refused():
    with pytest.raises(FaceletError, match="its output is not its classifier"):
        nets.resolve("timm/volo_d1_224", classes=8, size=48).build()
