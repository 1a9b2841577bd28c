"""What ails a training on identities, told from its numbers: "" while it is well, else one sentence that says what to try.

>>> seen = pulse(step, loss, cosines, labels)        # of one batch, or of the faces since the last look
>>> trouble = diagnosis(seen, lr=0.1, margin=0.35)
'at step 900 the embedding has collapsed: ...'

It sees what is broken beyond repair, and not what is merely slow or learns the wrong thing; that takes validation pairs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

COLLAPSED = 1e-3
"""Deviation of a prototype's cosines over faces of several identities, below which all faces look alike to the net."""
SATURATED = 0.995
"""Cosine to the own identity above which nothing is left to learn."""
DEAD = 0.05
"""Lead of the own identity's cosine over the others' below which nothing has been learned."""
PATIENCE = 1000
"""Steps in which a training has to get further than that, the margin's warm-up aside."""


class StepDiagnostics(NamedTuple):
    """The numbers of some faces at one step.

    Attributes:
        step: of the training, 1 the first.
        loss: mean.
        own: mean cosine to the own identity; lowest: the least of them.
        others: mean cosine to all other identities.
        spread: deviation of a prototype's cosines over the faces, mean over prototypes; inf where it cannot be told.
    """

    step: int
    loss: float
    own: float
    lowest: float
    others: float
    spread: float


@torch.no_grad()
def pulse(step: int, loss: float, cosines: Tensor, labels: Tensor) -> StepDiagnostics:
    """Reads it from cosines (N, K) of faces and their labels (N,), -1 for a face without identity. Waits for a GPU."""
    cosines, labels = cosines.double()[labels >= 0], labels[labels >= 0]
    if not len(labels):
        return StepDiagnostics(step, loss, math.nan, math.nan, math.nan, math.inf)
    own = cosines.gather(1, labels[:, None])[:, 0]
    rest = max(1, cosines.numel() - len(own))
    several = len(labels.unique()) > 1
    spread = cosines.std(0, correction=0).mean().item() if several else math.inf
    return StepDiagnostics(
        step, loss, own.mean().item(), own.min().item(), ((cosines.sum() - own.sum()) / rest).item(), spread
    )


def diagnosis(
    seen: StepDiagnostics, *, lr: float, margin: float, warmup_steps: int = 0, patience: int = PATIENCE
) -> str:
    """The first problem of: loss not finite, embedding collapsed, margin dead, cosines saturated; "" without one.

    Args:
        seen: the numbers of some faces at one step.
        lr: peak learning rate.
        margin: margin after its warm-up.
        warmup_steps: steps in which the margin rises.
        patience: steps after the warm-up from which collapse and a dead margin count; every training begins with both.
    """
    at = f"at step {seen.step}"
    if not math.isfinite(seen.loss):
        return (
            f"{at} the loss is {seen.loss}: try a lower lr than {lr:g}, such as {lr / 3:.1g}, and gradients clipped to 5; "
            "on a GPU, precision fp32"
        )
    if seen.step >= warmup_steps + patience:
        if seen.spread < COLLAPSED:
            return (
                f"{at} the embedding has collapsed: faces of all identities have the same cosines, to {seen.spread:.1g}; "
                f"try a lower lr than {lr:g}, such as {lr / 3:.1g}, or a longer warm-up of the margin"
            )
        if seen.own - seen.others < DEAD:
            return (
                f"{at} the margin is dead: faces are as far from their own identity (cosine {seen.own:.2f}) as from others "
                f"({seen.others:.2f}); try a smaller margin than {margin:g} or a longer warm-up, and look whether the labels "
                "belong to the faces"
            )
    if seen.lowest > SATURATED:
        return (
            f"{at} the cosines are saturated: every face is at {seen.lowest:.3f} or more to its own identity, and nothing is "
            f"left to learn; try more identities, stronger augmentation, or a larger margin than {margin:g}"
        )
    return ""
