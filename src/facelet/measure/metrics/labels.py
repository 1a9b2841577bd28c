"""Label names: two lists of them matched by meaning, so that a model and faces with different label sets can meet.

>>> match_labels(("anger", "happiness", "contempt"), ("Happy", "Angry")).tolist()
[1, 0, -1]

Only names are compared: whether two sets mean the same by "disgust" is for their readers to judge.
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
    """int64 (len(classes),): for each class the label of the same name, letter case and common aliases aside, or -1.

    Raises FaceletError when two labels, or two classes, mean the same.
    """
    where: dict[str, int] = {}
    for number, label in enumerate(labels):
        if (first := where.setdefault(_canonical(label), number)) != number:
            raise FaceletError(f"the model's labels {labels[first]!r} and {label!r} mean the same")
    found = np.array([where.get(_canonical(name), -1) for name in classes], np.int64)
    known = found[found >= 0]
    if len(np.unique(known)) < len(known):
        raise FaceletError(f"two of the faces' classes mean the same: {', '.join(classes)}")
    return found


def _canonical(name: str) -> str:
    plain = name.strip().lower()
    return _CANONICAL.get(plain, plain)
