"""Ledger and report of models of identity: pairs in place of classes."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.faces.pairset import draw_pairs
from facelet.measure.ledger.ledger import Ledger, Row, compared
from facelet.measure.ledger.row import figures
from facelet.measure.ledger.table import headline, legend, markdown, show
from facelet.measure.metrics.intervals import paired_difference
from facelet.measure.report.report import write_report
from facelet.measure.verification import PairScores


@pytest.fixture(scope="module")
def pairs():
    return draw_pairs(load("toy?faces=400&identities=40", size=32), 1000)


def scores(pairs, apart, seed):
    noise = np.random.default_rng(seed).normal(size=len(pairs))
    return PairScores(np.clip(apart * pairs.same + 0.2 * noise, -1, 1), pairs.same, pairs.folds, pairs.protocol.hash)


@pytest.fixture(scope="module")
def results(pairs):
    return {"teacher": scores(pairs, 0.8, 0), "student": scores(pairs, 0.6, 1), "alone": scores(pairs, 0.4, 2)}


@pytest.fixture(scope="module")
def ledger(results):
    parents, rows = {"teacher": "", "student": "teacher", "alone": "student"}, {}
    for number, (name, result) in enumerate(results.items()):
        row = Row(
            name=name, parent=parents[name], step="embed", params=9_000_000 // (number + 1), macs=10**8, bytes=10**7,
            p50_ms=9 - 3 * number, p95_ms=10, control=name == "alone", machine="a box", **figures(result),
        )  # fmt: skip
        other = rows.get(parents[name])
        between = paired_difference(result.correct, results[other.name].correct) if other else None
        rows[name] = compared(row, other, between)
    return Ledger(rows.values())


def test_a_row_counts_pairs(ledger, results, pairs):
    row = ledger.find("student")
    assert (row.unit, row.n) == ("pairs", len(pairs))
    assert row.balanced_accuracy is row.ece is None
    assert row.tar_1e2 == results["student"].at_far(0.01).tar
    assert row.tar_1e3 is None  # 1,000 pairs of two people say nothing of it
    assert f"(n = {len(pairs):,} test pairs)" in headline(ledger)
    assert f"(n = {len(pairs):,} pairs), no earlier model to compare with" in ledger.find("teacher").verdict


def test_columns_of_classes_give_way_to_those_of_pairs(ledger):
    text = markdown(ledger, title="People", protocol="pairs")
    header = next(line for line in text.splitlines() if line.startswith("| model"))
    assert "TAR at 1 %" in header
    assert not {"TAR at 0.1 %", "balanced", "ECE"} & {cell.strip() for cell in header.split("|")}
    assert "same-person pairs" in legend(ledger)
    console = Console(width=150, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115
    show(ledger, console)
    assert "TAR at 1 %" in console.export_text()


def test_the_report_shows_who_is_taken_for_whom(ledger, results, pairs, tmp_path):
    write_report(
        tmp_path / "report.html",
        title="People",
        ledger=ledger,
        protocol=pairs.protocol,
        evaluations=results,
        faces=pairs,
    )
    text = (tmp_path / "report.html").read_text()
    assert "ROC curve" in text
    assert "Most confident errors" in text
    assert text.count('class="two-faces"') == 12
    assert "at 1 % FAR" in text
    assert "Recall by class" not in text
    assert "<h2>Calibration" not in text


def test_scores_of_other_pairs_are_refused(ledger, results, pairs, tmp_path):
    with pytest.raises(FaceletError, match="not on the"):
        write_report(
            tmp_path / "report.html",
            title="People",
            ledger=ledger,
            protocol=pairs.protocol,
            evaluations=results,
            faces=draw_pairs(load("toy?faces=300&identities=40", size=32), 500),
        )
