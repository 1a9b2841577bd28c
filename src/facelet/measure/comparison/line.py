"""A line of a comparison: one model of a run, over its seeds and folds.

>>> line.summary.row.accuracy, line.spread("accuracy"), line.seeds
(0.824, 0.003, 3)
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import stdev

from facelet.measure.ledger.ledger import Summary
from facelet.measure.ledger.row import Row


@dataclass(frozen=True)
class Line:
    """A model of a run, over its seeds and folds.

    Attributes:
        run: short name of the run's folder; of several, joined by commas.
        rows: its rows in the ledgers, one per seed and fold.
        summary: mean over the seeds or folds, and the spread of the accuracy.
        folds: number of folds.
    """

    run: str
    rows: tuple[Row, ...]
    summary: Summary
    folds: int = 1

    @property
    def seeds(self) -> int:
        """Number of seeds of each fold."""
        return len(self.rows) // self.folds

    def spread(self, field: str) -> float | None:
        """Sample standard deviation of a field over seeds and folds; None for one row, or where a row has no value."""
        values = [getattr(row, field) for row in self.rows]
        return stdev(values) if len(values) > 1 and None not in values else None
