"""What is minimised, as pure functions. Each gives one value a face, (N,), so that faces can be masked and weighted.

``HARD`` has those of logits and targets, both (N, K), which a recipe may name as its ``loss`` beside torch's cross-entropy, "ce".
"""

from collections.abc import Callable

from torch import Tensor

from facelet.losses.capsule import margin
from facelet.losses.hints import attention, hint, rkd_angle, rkd_distance
from facelet.losses.kd import dkd, kd
from facelet.registry import Registry

HARD: Registry[Callable[[Tensor, Tensor], Tensor]] = Registry("loss")
HARD.register("margin")(margin)

__all__ = ["HARD", "attention", "dkd", "hint", "kd", "margin", "rkd_angle", "rkd_distance"]
