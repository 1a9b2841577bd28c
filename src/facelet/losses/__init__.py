"""What is minimised, as pure functions. Each gives one value a face, (N,), so that faces can be masked and weighted."""

from facelet.losses.hints import attention, hint, rkd_angle, rkd_distance
from facelet.losses.kd import dkd, kd

__all__ = ["attention", "dkd", "hint", "kd", "rkd_angle", "rkd_distance"]
