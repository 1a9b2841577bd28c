"""A row: figures of a model's answers, and what it is called."""

from __future__ import annotations

import numpy as np
from ledger_rows import row

from facelet.measure.ledger.ledger import verdict
from facelet.measure.ledger.row import figures
from facelet.measure.ledger.table import headline
from facelet.measure.verification import PairScores


def test_the_baseline_of_pairs():
    result = PairScores(
        np.linspace(-1, 1, 100), np.arange(100) < 60, np.arange(100) % 2, "ab12cd34"
    )  # scores that go against the truth
    told = figures(result)
    assert told["baseline"] == 0.6
    assert verdict(row(**{**told, "balanced_accuracy": None}), None).startswith(
        "no better than predicting the same for all pairs (60.0 %); first model: "
    )


def test_a_row_counts_pairs(pair_ledger, pair_scores, pairs):
    row = pair_ledger.find("student")
    assert (row.unit, row.n) == ("pairs", len(pairs))
    assert row.balanced_accuracy is row.ece is None
    assert row.tar_1e2 == pair_scores["student"].at_far(0.01).tar
    assert row.tar_1e3 is None  # 1,000 pairs of two people say nothing of it
    assert "2,000 test pairs" in headline(pair_ledger)
    assert f"(n = {len(pairs):,} pairs), no earlier model to compare with" in pair_ledger.find("teacher").verdict
