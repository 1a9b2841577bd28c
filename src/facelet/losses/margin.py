"""Margin softmax for identities: CosFace, also called AM-Softmax (Wang et al., https://arxiv.org/abs/1801.09414; Wang et al.,
https://arxiv.org/abs/1801.05599), and ArcFace (Deng et al., https://arxiv.org/abs/1801.07698).

>>> loss = cosface(cosines(embedding, prototypes), labels, default_scale(1000), margin_at(step, 2000, 0.35)).mean()

ArcFace's margin is an angle in RADIANS: its 0.5 is 28.6 degrees, which is how pytorch-metric-learning counts. That library's losses
are what the tests hold these to, and not called: they keep the prototypes, reduce to a mean, and fix a margin that has to warm up.

A margin from the first step on can stop a fresh net from ever moving, so it rises. It helps nets that separate their training
identities already; with few faces each it mostly fits those faces.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from facelet.errors import FaceletError

EDGE = 1e-6
"""Cosines stay so far from -1 and 1, where an angle has no gradient."""
FEW = 10_000
"""Identities below which a scale is derived from their number."""


def cosines(embedding: Tensor, prototypes: Tensor) -> Tensor:
    """Cosine of every embedding (N, D) to every identity's prototype (K, D): (N, K) float32, under autocast too."""
    if embedding.shape[1] != prototypes.shape[1]:
        raise FaceletError(
            f"embeddings of {embedding.shape[1]} numbers have no cosine to prototypes of {prototypes.shape[1]}"
        )
    with torch.autocast(embedding.device.type, enabled=False):
        return normalize(embedding.float()) @ normalize(prototypes.float()).T


def cosface(cosines: Tensor, labels: Tensor, scale: float = 30.0, margin: float = 0.35) -> Tensor:
    """Cross-entropy of the scaled cosines, the own identity's less ``margin``.

    Args:
        cosines: (N, K), float32 or float64.
        labels: int64 (N,), index of the own identity; -1 for a face without one, whose loss is 0.
        margin: a difference of cosines, 0 to 1.

    Returns (N,), in nats. Raises FaceletError for cosines of half precision and margins out of range.
    """
    _require_fit(cosines, margin, 1.0, "in cosines")
    own = _own(cosines, labels)
    return _entropy(cosines, labels, own - margin, scale)


def arcface(cosines: Tensor, labels: Tensor, scale: float = 64.0, margin: float = 0.5) -> Tensor:
    """Cross-entropy of the scaled cosines, the angle to the own identity made larger by ``margin``.

    Where angle + margin would pass pi and the cosine rise again, it is cos - margin sin(margin), as in the authors' code.

    Args:
        margin: in radians, 0 to pi / 2.
        cosines, labels, and the rest as ``cosface``.
    """
    _require_fit(cosines, margin, math.pi / 2, "in radians, not degrees")
    own = _own(cosines, labels)
    sine = (1 - own.square()).sqrt()
    wider = own * math.cos(margin) - sine * math.sin(margin)
    fallback = own - margin * math.sin(margin)
    return _entropy(cosines, labels, torch.where(own > math.cos(math.pi - margin), wider, fallback), scale)


def default_scale(identities: int, many: float = 30.0) -> float:
    """sqrt(2) ln(K - 1) for K below FEW, ``many`` from there: Zhang et al., AdaCos, https://arxiv.org/abs/1905.00292.

    A larger one makes few identities too easy to tell apart. Raises FaceletError for fewer than 3, whose scale would be 0.
    """
    if identities < 3:
        raise FaceletError(f"{identities} identities are too few to learn from, expected at least 3")
    return math.sqrt(2) * math.log(identities - 1) if identities < FEW else many


def margin_at(step: int, warmup_steps: int, margin: float) -> float:
    """The margin at ``step`` (0 is the first): it rises from 0 in a line and is whole from ``warmup_steps`` on."""
    return margin if step >= warmup_steps else margin * step / warmup_steps


def _own(cosines: Tensor, labels: Tensor) -> Tensor:
    """(N, 1): each face's cosine to its own identity, clamped."""
    return cosines.gather(1, labels.clamp(min=0)[:, None]).clamp(EDGE - 1, 1 - EDGE)


def _entropy(cosines: Tensor, labels: Tensor, own: Tensor, scale: float) -> Tensor:
    logits = scale * cosines.scatter(1, labels.clamp(min=0)[:, None], own)
    return cross_entropy(logits, labels, ignore_index=-1, reduction="none")


def _require_fit(cosines: Tensor, margin: float, largest: float, unit: str) -> None:
    if cosines.dtype not in (torch.float32, torch.float64):
        raise FaceletError(f"cosines are {cosines.dtype}, and a margin needs float32: losses.margin.cosines gives it")
    if not 0 <= margin <= largest:
        raise FaceletError(f"margin is {margin:g}, expected 0 to {largest:.3g} ({unit})")
