"""Capsules: vectors whose length says whether a thing is there, and routing by agreement between them. Sabour et al.,
https://arxiv.org/abs/1710.09829

>>> maps = PrimaryCapsules(256, types=32, dims=8)(front)               # (N, 8 * 32, H, W)
>>> sums = ClassCapsules(classes=8, types=32, dims=8, places=36)(maps)  # (N, 8, 16)
>>> squash(sums).norm(dim=2)                                          # (N, 8), 0 to 1

Routing is unrolled: it exports as matrix products. It needs a vote of every capsule for every class, 0.6 MB a face for 1,152
capsules of 8 classes; training, where those of a batch fit into no cache, does without writing them down.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON = 1e-7
LENGTH = 16
"""Numbers in the capsule of a class."""


def squash(vectors: Tensor, dim: int = -1) -> Tensor:
    """Length s to s^2 / (1 + s^2), direction kept. The root has a gradient at 0 too."""
    squares = vectors.square().sum(dim, keepdim=True)
    return vectors * (squares / (1 + squares) / (squares + EPSILON).sqrt())


def route(votes: Tensor, iterations: int) -> Tensor:
    """Votes (N, K, I, L) of I capsules for K others to their sums (N, K, L), before squashing.

    A capsule divides itself among the K (softmax), and moves to those whose sum agrees with its vote. Gradients pass through the
    last iteration alone.
    """
    fixed = votes.detach()
    agreement = fixed.new_zeros(fixed.shape[:3])
    for _ in range(iterations - 1):
        found = squash((agreement.softmax(1).unsqueeze(2) @ fixed).squeeze(2))
        agreement = agreement + (fixed @ found.unsqueeze(3)).squeeze(3)
    return (agreement.softmax(1).unsqueeze(2) @ votes).squeeze(2)


def route_many(vectors: Tensor, weight: Tensor, iterations: int) -> Tensor:
    """``route`` of the votes that ``vectors`` times ``weight`` are, which are never written down: where the capsules are weighed
    instead of their votes, a sum is one product. Quicker for a batch, slower for a single face.

    Args:
        vectors: (N, D, I), I squashed capsules of D numbers.
        weight: (K, D * I, L): capsule i votes for k with the sum over d of vectors[:, d, i] * weight[k, d * I + i].
    """
    fixed, fixed_weight = vectors.detach(), weight.detach()
    agreement = fixed.new_zeros(weight.shape[0], vectors.shape[0], vectors.shape[2])
    for _ in range(iterations - 1):
        found = squash(_sums(agreement, fixed, fixed_weight))
        agreement = agreement + ((found @ fixed_weight.transpose(1, 2)).unflatten(2, fixed.shape[1:]) * fixed).sum(2)
    return _sums(agreement, vectors, weight).transpose(0, 1)


def _sums(agreement: Tensor, vectors: Tensor, weight: Tensor) -> Tensor:
    """(K, N, L) of the votes, each by its share of agreement (K, N, I)."""
    return (agreement.softmax(0).unsqueeze(2) * vectors).flatten(2) @ weight


class PrimaryCapsules(nn.Module):
    """A 3x3 convolution to ``types`` capsules of ``dims`` numbers at every place. (N, inputs, H, W) to (N, dims * types, H, W).

    The first ``types`` maps are the capsules' first numbers, and so on.
    """

    def __init__(self, inputs: int, types: int, dims: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, dims * types, 3, stride, 1)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="linear")  # torch's own is so small that squash hides it

    def forward(self, maps: Tensor) -> Tensor:
        return self.conv(maps)


class ClassCapsules(nn.Module):
    """A capsule of LENGTH numbers for each class, which all capsules of (N, dims * types, H, W) maps vote for.

    Every type has weights of its own at every place. Returns the sums (N, classes, LENGTH), before squashing, in float32.

    Args:
        places: H * W.
        iterations: of routing, at least 1.
    """

    def __init__(self, classes: int, types: int, dims: int, places: int, length: int = 16, iterations: int = 3) -> None:
        super().__init__()
        self.classes, self.dims, self.iterations = classes, dims, iterations
        # Such that a fresh net's class capsules are about half as long as they can get.
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
