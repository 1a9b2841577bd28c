"""Class priors: probabilities for another mix of classes than that of the training faces.

>>> weights(info, "uniform")                              # as if every class were equally frequent
>>> weights(info, "uniform^0.25")                         # a part of the way: the factors to the power 0.25
>>> weights(info, {"neutral": 0.7, "happiness": 0.3})     # no other class occurs
>>> reweighted(probabilities, weights(info, "uniform"))

p'(k) is proportional to p(k) wanted(k) / trained(k): Saerens, Latinne, Decaestecker, "Adjusting the Outputs of a Classifier to New
a Priori Probabilities: A Simple Procedure", Neural Computation 14, 2002, https://doi.org/10.1162/089976602753284446. It holds for a
net that was trained without class weights and samplers. The shares of the training faces are in the model file: the counts of its
protocol, and the power of them that logit adjustment has taken out already.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, unknown
from facelet.models.model_file import ModelInfo

TRAINING, UNIFORM = "training", "uniform"
Prior = str | Mapping[str, float]
"""``training``: as the net gives them; ``uniform``; ``uniform^POWER``; or label -> share, where a label left out has 0."""


def weights(info: ModelInfo, prior: Prior) -> NDArray[np.float64] | None:
    """Factor of each label's probability, (K,) in the model's order; None for ``training``, which changes nothing.

    Raises FaceletError for an identity model, unknown labels, shares that are negative or all 0, and a file without counts.
    """
    if prior == TRAINING:
        return None
    if info.task != "expression":
        raise FaceletError(f"prior: a model for {info.task} has no classes")
    mix, power = _with_power(prior)
    return (wanted(info.labels, mix) / trained(info)) ** power


def _with_power(prior: Prior) -> tuple[Prior, float]:
    """A prior without its power, and the power, 1 if it has none."""
    if not isinstance(prior, str) or "^" not in prior:
        return prior, 1.0
    mix, _, text = prior.partition("^")
    with suppress(ValueError):
        if 0 < (power := float(text)) <= 1:
            return mix, power
    raise FaceletError(
        f"prior {prior!r}: the power is {text!r}; expected a number above 0 up to 1, as in {UNIFORM}^0.25"
    )


def trained(info: ModelInfo) -> NDArray[np.float64]:
    """Share of each label, (K,), that the model's outputs assume.

    It is that among the training faces, from the counts of the file's protocol, to the power that logit adjustment left.

    Raises FaceletError when the file has no counts, or none of a label.
    """
    counts = info.protocol.get("counts")
    row = counts.get("train") if isinstance(counts, Mapping) else None
    numbers = [row.get(label) if isinstance(row, Mapping) else None for label in info.labels]
    values = np.array([number if isinstance(number, int | float) else 0.0 for number in numbers], float)
    if not (np.isfinite(values).all() and values.min() > 0):
        raise FaceletError(
            f"prior: the model file {info.name!r} does not state how many training faces of each label it has seen; "
            f"use prior {TRAINING!r}"
        )
    powers = (values / values.sum()) ** (1 - info.adjusted)
    return powers / powers.sum()


def wanted(labels: tuple[str, ...], prior: Prior) -> NDArray[np.float64]:
    """Share of each label in the mix that is wanted, (K,). Raises FaceletError as ``weights``."""
    if isinstance(prior, str):
        if prior != UNIFORM:
            raise unknown("prior", prior, (TRAINING, UNIFORM))
        return np.full(len(labels), 1 / len(labels))
    for label, share in prior.items():
        if label not in labels:
            raise unknown("label in the prior", label, labels)
        if not 0 <= share < math.inf:
            raise FaceletError(f"prior: the share of {label} is {share:g}; expected 0 or more")
    total = sum(prior.values())
    if not 0 < total < math.inf:
        raise FaceletError("prior: all shares are 0; expected at least one above 0")
    return np.array([prior.get(label, 0.0) / total for label in labels])


def reweighted(probabilities: NDArray[np.float32], factors: NDArray[np.float64]) -> NDArray[np.float32]:
    """Probabilities (N, K) times ``factors``, rows summing to 1: float32 (N, K)."""
    rows = probabilities.astype(np.float64) * factors
    totals = rows.sum(axis=1, keepdims=True)
    # The probability of every wanted label may be 0 in float32: then the wanted shares decide.
    rows = np.where(totals > 0, rows, factors)
    return (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)


def parsed(text: str) -> Prior:
    """``training``, ``uniform``, ``uniform^POWER``, or shares: "neutral=0.7,happiness=0.3". Raises FaceletError for other text."""
    if "=" not in text:
        return text
    shares = {}
    for part in text.split(","):
        label, _, share = part.partition("=")
        try:
            shares[label.strip()] = float(share)
        except ValueError:
            raise FaceletError(f"prior {text}: {part!r} is not a share; expected LABEL=SHARE, as neutral=0.7") from None
    return shares
