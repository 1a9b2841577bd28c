"""Merges the folds of a cross-validation: one summary per model, over the test faces of all folds.

>>> lines = over_folds([run.ledger for run in runs])   # runs/ck/fold-0 ... runs/ck/fold-9
>>> lines[0].row.n, lines[0].accuracy
(981, Spread(mean=0.93, sd=0.02, n=10))

The accuracy is the mean over folds, as papers report it, with its standard deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from facelet.measure.ledger.ledger import Ledger, Summary, summarized
from facelet.measure.ledger.row import Row
from facelet.measure.metrics.intervals import difference_over_folds, joint_half


def over_folds(ledgers: Sequence[Ledger]) -> list[Summary]:
    """Returns one summary per model that all folds have, in the order of the first fold.

    ``ledgers``: one per fold, each with all seeds of that fold; seeds are averaged first.
    """
    folds = [{summary.row.name: summary.row for summary in ledger.summaries()} for ledger in ledgers]
    models: dict[str, list[Row]] = {
        name: [fold[name] for fold in folds] for name in folds[0] if all(name in fold for fold in folds)
    }
    return [
        replace(summary, row=_over_all_faces(summary.row, models[summary.row.name]))
        for summary in summarized(models, difference_over_folds)
    ]


def _over_all_faces(mean: Row, folds: Sequence[Row]) -> Row:
    """``mean`` of the folds with the number of all test faces, and the accuracy's interval for so many."""
    below = joint_half([(row.n, row.accuracy - row.accuracy_low) for row in folds])
    above = joint_half([(row.n, row.accuracy_high - row.accuracy) for row in folds])
    return mean.model_copy(
        update={
            "n": sum(row.n for row in folds),
            "accuracy_low": max(mean.accuracy - below, 0.0),
            "accuracy_high": min(mean.accuracy + above, 1.0),
        }
    )
