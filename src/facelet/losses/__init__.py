"""What is minimised, as pure functions. Each gives one value a face, (N,), so that faces can be masked and weighted.

``HARD`` has those of logits and targets, both (N, K), which a recipe may name as its ``loss`` beside torch's cross-entropy, "ce".
Identities have losses of their own, of cosines and labels: those in ``losses.margin``.
"""

from collections.abc import Callable

from torch import Tensor

from facelet.losses import capsule, embedding, margin
from facelet.losses.hints import attention, hint, rkd_angle, rkd_distance
from facelet.losses.kd import dkd, kd
from facelet.registry import Registry

HARD: Registry[Callable[[Tensor, Tensor], Tensor]] = Registry("loss")
HARD.register("margin")(capsule.margin)

__all__ = ["HARD", "attention", "capsule", "dkd", "embedding", "hint", "kd", "margin", "rkd_angle", "rkd_distance"]
