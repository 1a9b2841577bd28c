"""Logits adjusted by the shares of uneven classes, for a cross-entropy whose minimum is a balanced classifier.

Balanced softmax: Ren et al., NeurIPS 2020, https://arxiv.org/abs/2007.10740. Logit adjustment: Menon et al., ICLR 2021,
https://arxiv.org/abs/2007.07314.

>>> loss = cross_entropy(adjusted(logits, shares, tau=1.0), labels)

The loss sees the adjusted logits, and the trained net answers with its own: in training, a rare class must win against the
advantage that its rarity gives to the others. With ``tau`` 1 this is balanced softmax. The net's probabilities are those of even
classes, so on faces with the training's shares its accuracy is lower and its confidence is wrong; a temperature corrects only
part of that.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facelet.errors import FaceletError


def adjusted(logits: Tensor, shares: Tensor, tau: float = 1.0) -> Tensor:
    """Returns logits + tau log(shares).

    Args:
        logits: (N, K).
        shares: (K,), share of each class in the training, above 0.
        tau: strength; 0 leaves the logits unchanged.

    Raises FaceletError for another number of classes.
    """
    if shares.shape != logits.shape[1:]:
        raise FaceletError(f"shares of {len(shares)} classes do not fit logits {tuple(logits.shape)}")
    return logits + tau * torch.log(shares)
