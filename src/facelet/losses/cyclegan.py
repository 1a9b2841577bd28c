"""The losses of CycleGAN: least-squares adversarial loss and cycle consistency.

Zhu et al., https://arxiv.org/abs/1703.10593; least squares: Mao et al., https://arxiv.org/abs/1611.04076

>>> adversarial(discriminator(fake), real=True).mean() + 10 * distance(back, faces).mean()

A low adversarial loss only shows that this discriminator is fooled, not that the faces are good.
"""

from __future__ import annotations

from torch import Tensor


def adversarial(scores: Tensor, real: bool) -> Tensor:
    """Mean squared difference between patch scores (N, 1, H, W) and 1 (``real``) or 0. Returns (N,)."""
    return (scores.float() - float(real)).square().flatten(1).mean(1)


def distance(faces: Tensor, others: Tensor) -> Tensor:
    """Mean absolute pixel difference of two batches of faces (N, C, S, S). Returns (N,)."""
    return (faces - others).abs().flatten(1).mean(1)
