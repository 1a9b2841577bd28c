"""Capsules, vectors whose length is the probability of an entity, and routing by agreement.

Sabour et al., https://arxiv.org/abs/1710.09829

>>> maps = PrimaryCapsules(256, types=32, dims=8)(front)               # (N, 8 * 32, H, W)
>>> sums = ClassCapsules(classes=8, types=32, dims=8, places=36)(maps)  # (N, 8, 16)
>>> squash(sums).norm(dim=2)                                          # (N, 8), 0 to 1

Routing is unrolled and exports as matrix products. It needs a vote of every capsule for every class, 0.6 MB per face for 1,152
capsules and 8 classes. In training a batch's votes exceed the cache, so ``route_many`` avoids storing them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON = 1e-7
LENGTH = 16
"""Length of the vector of a class capsule."""


def squash(vectors: Tensor, dim: int = -1) -> Tensor:
    """Scales a vector of length s to length s^2 / (1 + s^2). EPSILON keeps the root's gradient finite at 0."""
    squares = vectors.square().sum(dim, keepdim=True)
    return vectors * (squares / (1 + squares) / (squares + EPSILON).sqrt())


def route(votes: Tensor, iterations: int) -> Tensor:
    """Routing by agreement: votes (N, K, I, L) of I capsules for K others to sums (N, K, L), before squashing.

    Each capsule distributes itself over the K outputs (softmax), with more weight where the sum agrees with its vote. Gradients
    only pass through the last iteration.
    """
    fixed = votes.detach()
    agreement = fixed.new_zeros(fixed.shape[:3])
    for _ in range(iterations - 1):
        sums = squash((agreement.softmax(1).unsqueeze(2) @ fixed).squeeze(2))
        agreement = agreement + (fixed @ sums.unsqueeze(3)).squeeze(3)
    return (agreement.softmax(1).unsqueeze(2) @ votes).squeeze(2)


def route_many(vectors: Tensor, weight: Tensor, iterations: int) -> Tensor:
    """``route`` of the votes ``vectors`` times ``weight``, without storing the votes.

    The capsules are weighted instead of their votes, so a sum is one matrix product: faster for a batch, slower for one face.

    Args:
        vectors: (N, D, I), I squashed capsules of D numbers.
        weight: (K, D * I, L): capsule i's vote for k is the sum over d of vectors[:, d, i] * weight[k, d * I + i].
        iterations: routing iterations, at least 1.
    """
    fixed, fixed_weight = vectors.detach(), weight.detach()
    agreement = fixed.new_zeros(weight.shape[0], vectors.shape[0], vectors.shape[2])
    for _ in range(iterations - 1):
        sums = squash(_sums(agreement, fixed, fixed_weight))
        agreement = agreement + ((sums @ fixed_weight.transpose(1, 2)).unflatten(2, fixed.shape[1:]) * fixed).sum(2)
    return _sums(agreement, vectors, weight).transpose(0, 1)


def _sums(agreement: Tensor, vectors: Tensor, weight: Tensor) -> Tensor:
    """Sums (K, N, L) of the votes, weighted by the softmax over K of the agreement (K, N, I)."""
    return (agreement.softmax(0).unsqueeze(2) * vectors).flatten(2) @ weight


class PrimaryCapsules(nn.Module):
    """A 3x3 convolution to ``types`` capsules of ``dims`` numbers per position. (N, inputs, H, W) to (N, dims * types, H, W).

    The first ``types`` maps are the capsules' first numbers, and so on.
    """

    def __init__(self, inputs: int, types: int, dims: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, dims * types, 3, stride, 1)
        nn.init.kaiming_normal_(
            self.conv.weight, nonlinearity="linear"
        )  # torch's default is too small: squash shrinks it away

    def forward(self, maps: Tensor) -> Tensor:
        return self.conv(maps)


class ClassCapsules(nn.Module):
    """Class capsules of LENGTH numbers: (N, dims * types, H, W) maps to sums (N, classes, LENGTH), before squashing, float32.

    Every type has separate weights at every position.

    Args:
        classes: number of class capsules.
        types: number of types of primary capsules.
        dims: length of a primary capsule.
        places: H * W.
        iterations: routing iterations, at least 1.
    """

    def __init__(self, classes: int, types: int, dims: int, places: int, iterations: int = 3) -> None:
        super().__init__()
        self.classes, self.dims, self.iterations = classes, dims, iterations
        # Gives the class capsules of a fresh net about half of the maximum length.
        spread = 0.3 * classes / (types * places) ** 0.5
        self.weight = nn.Parameter(torch.randn(types, places, dims, classes * LENGTH) * spread)

    def forward(self, maps: Tensor) -> Tensor:
        with torch.autocast("cpu" if maps.is_meta else maps.device.type, enabled=False):
            vectors = squash(maps.float().unflatten(1, (self.dims, -1)).flatten(2), 1)  # (N, dims, I)
            weight = self.weight.float()
            if self.training:
                by_class = weight.unflatten(3, (self.classes, -1)).permute(3, 2, 0, 1, 4)
                return route_many(vectors, by_class.flatten(1, 3), self.iterations)
            votes = (vectors.permute(2, 0, 1) @ weight.flatten(0, 1)).unflatten(
                2, (self.classes, -1)
            )  # (I, N, K, LENGTH)
            return route(votes.permute(1, 2, 0, 3), self.iterations)
