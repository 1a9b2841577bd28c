"""Margin softmax losses for identities: CosFace and ArcFace.

CosFace, also called AM-Softmax: Wang et al., https://arxiv.org/abs/1801.09414; Wang et al., https://arxiv.org/abs/1801.05599.
ArcFace: Deng et al., https://arxiv.org/abs/1801.07698.

>>> loss = cosface(cosines(embedding, prototypes), labels, default_scale(1000), margin_at(step, 2000, 0.35)).mean()

ArcFace's margin is an angle in radians; pytorch-metric-learning counts in degrees (0.5 radians are 28.6 degrees). The tests compare
with that library's losses. They are not used here because they own the prototypes, reduce to a mean and have a fixed margin, while
this margin needs a warm-up.

A full margin from the first step can keep a fresh net from learning, so the margin rises. It helps nets that already separate their
training identities; with few faces per identity it mostly overfits.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from facelet.errors import FaceletError

EDGE = 1e-6
"""Minimum distance of cosines from -1 and 1, where an angle has no gradient."""
FEW = 10_000
"""Number of identities below which the scale is derived from it."""


def cosines(embedding: Tensor, prototypes: Tensor) -> Tensor:
    """Cosine of every embedding (N, D) to every identity's prototype (K, D): (N, K), always float32, even under autocast."""
    if embedding.shape[1] != prototypes.shape[1]:
        raise FaceletError(
            f"embeddings have {embedding.shape[1]} dimensions, prototypes {prototypes.shape[1]}; expected the same number"
        )
    with torch.autocast(embedding.device.type, enabled=False):
        return normalize(embedding.float()) @ normalize(prototypes.float()).T


def cosface(cosines: Tensor, labels: Tensor, scale: float = 30.0, margin: float = 0.35) -> Tensor:
    """Cross-entropy of the scaled cosines, with ``margin`` subtracted from the target identity's cosine.

    Args:
        cosines: (N, K), float32 or float64.
        labels: int64 (N,), index of the target identity; -1 for a face without one, whose loss is 0.
        scale: factor of the cosines.
        margin: difference of cosines, 0 to 1.

    Returns (N,), in nats. Raises FaceletError for cosines of half precision and margins out of range.
    """
    _require_fit(cosines, margin, 1.0, "in cosines")
    own = _own(cosines, labels)
    return _entropy(cosines, labels, own - margin, scale)


def arcface(cosines: Tensor, labels: Tensor, scale: float = 64.0, margin: float = 0.5) -> Tensor:
    """Cross-entropy of the scaled cosines, with ``margin`` added to the angle to the target identity.

    Where angle + margin exceeds pi, so that the cosine would rise again, cos - margin sin(margin) is used, as in the authors' code.

    Args:
        cosines: (N, K), float32 or float64.
        labels: int64 (N,), index of the target identity; -1 for a face without one, whose loss is 0.
        scale: factor of the cosines.
        margin: in radians, 0 to pi / 2.

    Returns (N,), in nats. Raises FaceletError as ``cosface``.
    """
    _require_fit(cosines, margin, math.pi / 2, "in radians, not degrees")
    own = _own(cosines, labels)
    sine = (1 - own.square()).sqrt()
    wider = own * math.cos(margin) - sine * math.sin(margin)
    fallback = own - margin * math.sin(margin)
    return _entropy(cosines, labels, torch.where(own > math.cos(math.pi - margin), wider, fallback), scale)


def default_scale(identities: int, many: float = 30.0) -> float:
    """Scale sqrt(2) ln(K - 1) for K below FEW, else ``many``: Zhang et al., AdaCos, https://arxiv.org/abs/1905.00292.

    A larger scale makes few identities too easy to separate. Raises FaceletError for fewer than 3, whose scale would be 0.
    """
    if identities < 3:
        raise FaceletError(f"{identities} identities are too few to learn from, expected at least 3")
    return math.sqrt(2) * math.log(identities - 1) if identities < FEW else many


def margin_at(step: int, warmup_steps: int, margin: float) -> float:
    """The margin at ``step`` (counted from 0): rises linearly from 0 to ``margin`` over ``warmup_steps``."""
    return margin if step >= warmup_steps else margin * step / warmup_steps


def _own(cosines: Tensor, labels: Tensor) -> Tensor:
    """(N, 1): each face's cosine to its target identity, clamped."""
    return cosines.gather(1, labels.clamp(min=0)[:, None]).clamp(EDGE - 1, 1 - EDGE)


def _entropy(cosines: Tensor, labels: Tensor, own: Tensor, scale: float) -> Tensor:
    logits = scale * cosines.scatter(1, labels.clamp(min=0)[:, None], own)
    return cross_entropy(logits, labels, ignore_index=-1, reduction="none")


def _require_fit(cosines: Tensor, margin: float, largest: float, unit: str) -> None:
    if cosines.dtype not in (torch.float32, torch.float64):
        raise FaceletError(f"cosines are {cosines.dtype}, expected float32 as from losses.margin.cosines")
    if not 0 <= margin <= largest:
        raise FaceletError(f"margin is {margin:g}, expected 0 to {largest:.3g} ({unit})")
