from __future__ import annotations

import torch
from torch import nn

from facelet.nets.layers.embedding_head import DepthwiseHead, FlatHead


def lively(head):
    """Batch norms as after training."""
    for module in head.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                nn.init.uniform_(tensor, -0.5, 0.5)
    return head.eval()


def normed(norm, values):
    shape = (1, -1, *[1] * (values.ndim - 2))
    mean, var, weight, bias = (
        tensor.view(shape) for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (values - mean) / (var + norm.eps).sqrt() * weight + bias


def test_depthwise_head_weighs_every_place_by_itself():
    head, maps = lively(DepthwiseHead(6, side=3, embedding=64)), torch.randn(2, 6, 3, 3)
    pooled = torch.stack([(maps[:, c] * head.whole.weight[c, 0]).sum((1, 2)) for c in range(6)], 1)
    expected = normed(head.bn2, normed(head.bn1, pooled) @ head.linear.weight[:, :, 0, 0].T)
    torch.testing.assert_close(head(maps), expected)
    assert head(maps).shape == (2, 64)


def test_flat_head_is_norm_linear_norm():
    head, maps = lively(FlatHead(6, places=9, embedding=64)), torch.randn(2, 6, 3, 3)
    flat = normed(head.bn1, maps).reshape(2, -1)
    torch.testing.assert_close(head(maps), normed(head.bn2, flat @ head.linear.weight.T + head.linear.bias))


def test_dropout_is_before_the_embedding_and_only_in_training():
    for head in (DepthwiseHead(6, 3, 64, dropout=0.5), FlatHead(6, 9, 64, dropout=0.5)):
        maps = torch.randn(4, 6, 3, 3)
        assert torch.equal(head.eval()(maps), head(maps))
        head.train()
        assert not torch.equal(head(maps), head(maps))
        assert (head(maps) != 0).all(), "no number of the embedding itself is dropped"
