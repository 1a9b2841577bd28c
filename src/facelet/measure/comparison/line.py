"""A line of a comparison: one model of a run, over its seeds.

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
    """A model of a run, over its seeds.

    Attributes:
        run: short name of the run's folder; of several, joined by commas.
        rows: its rows in the ledger, one per seed.
        summary: mean over the seeds, and the spread of the accuracy.
    """

    run: str
    rows: tuple[Row, ...]
    summary: Summary

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return len(self.rows)

    def spread(self, field: str) -> float | None:
        """Sample standard deviation of a field over the seeds; None for one seed, or where a seed has no value."""
        values = [getattr(row, field) for row in self.rows]
        return stdev(values) if len(values) > 1 and None not in values else None
