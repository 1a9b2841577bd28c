"""Loss functions. Each returns one value per face, (N,), so that faces can be masked and weighted.

``HARD`` holds the losses of logits and targets, both (N, K), that a recipe may name as its ``loss`` besides torch's cross-entropy
("ce"). Losses for identities take cosines and labels: see ``losses.margin``.
"""

from collections.abc import Callable

from torch import Tensor

from facelet.losses import adjustment, capsule, embedding, margin
from facelet.losses.hints import attention, hint, rkd_angle, rkd_distance
from facelet.losses.kd import dkd, kd
from facelet.registry import Registry

HARD: Registry[Callable[[Tensor, Tensor], Tensor]] = Registry("loss")
HARD.register("margin")(capsule.margin)

__all__ = [
    "HARD",
    "adjustment",
    "attention",
    "capsule",
    "dkd",
    "embedding",
    "hint",
    "kd",
    "margin",
    "rkd_angle",
    "rkd_distance",
]
