"""Checks whether two compared models were trained for the same number of optimizer steps.

>>> unequal_steps(control, student, ledger.rows)
'8 training steps against the 32 of student'

Only checked when the length of a training was given in minutes; a number of epochs is the user's choice. Steps are counted from
random initialization, without those of a training whose weights both models start from. Models whose weights were trained outside
of the run are not checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from facelet.measure.ledger.row import Row
from facelet.measure.ledger.verdict import compared_sizes

TOLERATED = 0.05
"""Relative difference of the steps that is tolerated."""


def unequal_steps(row: Row, other: Row, rows: Iterable[Row]) -> str:
    """Returns a description of the steps of ``row`` and ``other`` when a time limit made them differ by more than TOLERATED.

    Returns "" otherwise, and also for a step (no control) compared with its parent that continues from the parent's weights or
    changes the size of the net: there the verdict is about the effect of the step. ``rows``: all rows of the ledger.
    """
    known = {(each.name, each.seed): each for each in rows}
    lineage, other_lineage = _weights(row, known), _weights(other, known)
    if not row.control and (other.name in lineage or (not row.compare and compared_sizes(row, other))):
        return ""
    own = [each for name, each in lineage.items() if name not in other_lineage]
    others = [each for name, each in other_lineage.items() if name not in lineage]
    trained = all(sum(each.steps for each in line.values()) for line in (lineage, other_lineage))
    if not trained or not any(each.timed for each in (*own, *others)):
        return ""
    left, right = (sum(each.steps for each in line) for line in (own, others))
    if max(left, right) <= (1 + TOLERATED) * min(left, right):
        return ""
    return f"{left:,} training steps against the {right:,} of {other.name}"


def _weights(row: Row, rows: Mapping[tuple[str, int], Row]) -> dict[str, Row]:
    """Returns ``row`` and the models whose weights it starts from, by name; for fewer seeds, the last seed of a model."""
    lineage = {row.name: row}
    while row.starts_from:
        seeds = (rows.get((row.starts_from, seed)) for seed in range(row.seed, -1, -1))
        before = next((each for each in seeds if each), None)
        if before is None or before.name in lineage:
            break
        lineage[before.name] = row = before
    return lineage
