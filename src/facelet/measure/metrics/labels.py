"""Matching of label names, to evaluate a model on faces with another label set.

>>> match_labels(("anger", "happiness", "contempt"), ("Happy", "Angry")).tolist()
[1, 0, -1]

Only names are compared. Two data sets may define a label such as "disgust" differently.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError

ALIASES = {
    "neutral": ("neutrality", "normal", "natural"),
    "happiness": ("happy", "joy", "smile"),
    "sadness": ("sad",),
    "surprise": ("surprised",),
    "anger": ("angry",),
    "fear": ("fearful", "afraid", "scared"),
    "disgust": ("disgusted",),
    "contempt": ("contemptuous",),
}
_CANONICAL = {alias: name for name, aliases in ALIASES.items() for alias in (name, *aliases)}


def match_labels(classes: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """Returns for each class the index of the label with the same name, int64 (len(classes),), or -1.

    Ignores letter case and accepts common aliases. Raises FaceletError when two labels, or two classes, mean the same.
    """
    where: dict[str, int] = {}
    for number, label in enumerate(labels):
        if (first := where.setdefault(_canonical(label), number)) != number:
            raise FaceletError(f"the model's labels {labels[first]!r} and {label!r} mean the same")
    columns = np.array([where.get(_canonical(name), -1) for name in classes], np.int64)
    known = columns[columns >= 0]
    if len(np.unique(known)) < len(known):
        raise FaceletError(f"two of the faces' classes mean the same: {', '.join(classes)}")
    return columns


def _canonical(name: str) -> str:
    plain = name.strip().lower()
    return _CANONICAL.get(plain, plain)
