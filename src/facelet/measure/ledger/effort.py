"""Whether two models that a ledger compares were trained for the same number of optimizer steps.

>>> unequal_steps(control, student, ledger.rows)
'8 training steps against the 32 of student'

Checked only where a clock set a length: a number of epochs is the user's choice. The steps since fresh weights are counted, without
those of a training whose weights both models start from. Models whose weights were trained outside of this run are not checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from facelet.measure.ledger.row import Row
from facelet.measure.ledger.verdict import compared_sizes

TOLERATED = 0.05
"""Share by which the steps may differ."""


def unequal_steps(row: Row, other: Row, rows: Iterable[Row]) -> str:
    """The steps of ``row`` and ``other``, in words, when a clock made them differ by more than TOLERATED; else "".

    Never for a step beside its parent, controls aside, that goes on with the parent's weights or makes a net of another size: there
    the verdict is about what the step does. ``rows``: all rows of the ledger.
    """
    known = {(one.name, one.seed): one for one in rows}
    mine, theirs = _weights(row, known), _weights(other, known)
    if not row.control and (other.name in mine or (not row.compare and compared_sizes(row, other))):
        return ""
    own = [one for name, one in mine.items() if name not in theirs]
    others = [one for name, one in theirs.items() if name not in mine]
    trained = all(sum(one.steps for one in line.values()) for line in (mine, theirs))
    if not trained or not any(one.timed for one in (*own, *others)):
        return ""
    left, right = (sum(one.steps for one in line) for line in (own, others))
    if max(left, right) <= (1 + TOLERATED) * min(left, right):
        return ""
    return f"{left:,} training steps against the {right:,} of {other.name}"


def _weights(row: Row, rows: Mapping[tuple[str, int], Row]) -> dict[str, Row]:
    """``row`` and the models whose weights it starts from, by name; a model of fewer seeds with its last."""
    found = {row.name: row}
    while row.starts_from:
        seeds = (rows.get((row.starts_from, seed)) for seed in range(row.seed, -1, -1))
        before = next((one for one in seeds if one), None)
        if before is None or before.name in found:
            break
        found[before.name] = row = before
    return found
