"""Exact nearest-neighbour search with a matrix in memory.

>>> nearest(["Anna"], enrolled, vectors)  # unit vectors, float32 (M, D) and (N, D)
[('Anna', 0.61)]

The time is linear in the number of faces.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facelet.runtime.people.enrolled import Vectors
from facelet.runtime.people.storage.interface import Nearest

AT_ONCE = 64
NOBODY = ("", -1.0)


def nearest(names: Sequence[str], matrix: Vectors, vectors: Vectors, but: str = "") -> Nearest:
    """Returns (name, cosine) of the most similar row of ``matrix`` (M, D) for each of ``vectors`` (N, D).

    Args:
        names: name of each row.
        matrix: enrolled unit vectors.
        vectors: unit vectors to find.
        but: a name whose rows are excluded; without any other row the result is ("", -1).
    """
    if not names:
        return [NOBODY] * len(vectors)
    own = np.fromiter((name == but for name in names), bool, len(names)) if but else None
    found = []
    for start in range(0, len(vectors), AT_ONCE):
        cosines = vectors[start : start + AT_ONCE] @ matrix.T
        if own is not None:
            cosines[:, own] = -np.inf
        for row, place in enumerate(cosines.argmax(axis=1)):
            best = float(cosines[row, place])
            found.append((names[place], min(1.0, max(-1.0, best))) if np.isfinite(best) else NOBODY)
    return found
