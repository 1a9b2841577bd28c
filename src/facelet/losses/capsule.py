"""The margin loss of capsule networks.

Sabour et al., https://arxiv.org/abs/1710.09829

>>> loss = margin(logits, one_hot).mean()

Capsules score each class independently, so the loss is a sum over classes instead of a softmax.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

PRESENT, ABSENT, DOWN = 0.9, 0.1, 0.5
"""Minimum length for a present class, maximum length for an absent class, and the weight of absent classes."""


def margin(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum over classes of T relu(0.9 - l)^2 + 0.5 (1 - T) relu(l - 0.1)^2, where l = sigmoid(logit) is the capsule's length.

    Args:
        logits: (N, K).
        targets: (N, K), one-hot or shares of annotators.

    Returns (N,).
    """
    lengths = logits.sigmoid()
    each = targets * relu(PRESENT - lengths).square() + DOWN * (1 - targets) * relu(lengths - ABSENT).square()
    return each.sum(1)
