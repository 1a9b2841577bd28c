"""Diagnostics of a training on identities: detects a failed training and suggests a change of settings.

>>> seen = pulse(step, loss, cosines, labels)        # of one batch
>>> trouble = diagnosis(seen, lr=0.1, margin=0.35)   # "" without a problem
'at step 900 the embedding has collapsed: ...'

It detects trainings that cannot recover. A slow or wrong training shows only on validation pairs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

COLLAPSED = 1e-3
"""Standard deviation of a prototype's cosines over faces of several identities, below which the embedding has collapsed."""
SATURATED = 0.995
"""Cosine to the own identity above which nothing is left to learn."""
DEAD = 0.05
"""Difference between the own identity's cosine and the others', below which nothing has been learned."""
PATIENCE = 1000
"""Steps after the margin's warm-up before a collapsed embedding or a dead margin is reported."""


class StepDiagnostics(NamedTuple):
    """Statistics of the faces of one step.

    Attributes:
        step: number of the step, from 1.
        loss: mean loss.
        own: mean cosine to the own identity.
        lowest: lowest cosine to the own identity.
        others: mean cosine to all other identities.
        spread: standard deviation of a prototype's cosines over the faces, mean over prototypes; inf for a single identity.
    """

    step: int
    loss: float
    own: float
    lowest: float
    others: float
    spread: float


@torch.no_grad()
def pulse(step: int, loss: float, cosines: Tensor, labels: Tensor) -> StepDiagnostics:
    """StepDiagnostics of the cosines (N, K) of faces and their labels (N,), -1 without identity. Synchronizes with a GPU."""
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
            f"{at} the loss is {seen.loss}: try a lower lr than {lr:g}, such as {lr / 3:.1g}, and clip: 5; "
            "on a GPU also precision: fp32"
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
                f"({seen.others:.2f}); try a smaller margin than {margin:g} or a longer warm-up, and check that the labels "
                "are right"
            )
    if seen.lowest > SATURATED:
        return (
            f"{at} the cosines are saturated: every face has a cosine of {seen.lowest:.3f} or more to its own identity, and "
            f"nothing is left to learn; try more identities, stronger augmentation, or a larger margin than {margin:g}"
        )
    return ""
