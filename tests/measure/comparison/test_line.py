"""The spread of a figure over the seeds of a line."""

from __future__ import annotations

from statistics import stdev

import pytest
from run_folders import row

from facelet.measure.comparison.line import Line
from facelet.measure.ledger.ledger import Ledger


def line(*rows):
    return Line("a", rows, Ledger(rows).summaries()[0])


def test_the_spread_is_the_sample_standard_deviation():
    several = line(row(accuracy=0.80), row(accuracy=0.82, seed=1), row(accuracy=0.87, seed=2))
    assert several.seeds == 3
    assert several.spread("accuracy") == pytest.approx(stdev([0.80, 0.82, 0.87])) == several.summary.accuracy.sd
    assert several.spread("ece") is None, "no seed has it"
    assert line(row()).spread("accuracy") is None
