"""The ledger: rows kept, seeds summed up, verdicts that claim no more than they may."""

from __future__ import annotations

import json

import pytest
from ledger_rows import by, row
from scipy import stats

from facelet.errors import FaceletError
from facelet.measure.ledger.ledger import Ledger, compared
from facelet.measure.ledger.table import markdown


def test_add_replaces_the_same_model_and_seed():
    ledger = Ledger([row(), row(seed=1), row("teacher")])
    ledger.add(row(accuracy=0.5))
    assert [(r.name, r.seed, r.accuracy) for r in ledger.rows] == [
        ("student", 0, 0.5), ("student", 1, 0.86), ("teacher", 0, 0.86),
    ]  # fmt: skip
    assert ledger.find("student", 1).seed == 1
    with pytest.raises(FaceletError, match="did you mean 'teacher'"):
        ledger.find("techer")


def test_save_and_load(tmp_path):
    ledger = Ledger([compared(row("teacher"), None), compared(row(), row("teacher"), by(0, 0.1))])
    ledger.save(tmp_path / "ledger.json")
    assert Ledger.load(tmp_path / "ledger.json").rows == ledger.rows
    written = json.loads((tmp_path / "ledger.json").read_text())
    assert isinstance(written, list)
    fields = "name parent step protocol split n accuracy accuracy_low accuracy_high balanced_accuracy params macs bytes"
    assert {*fields.split(), "p50_ms", "p95_ms", "verdict"} <= set(written[0])


def test_pandas_reads_it_as_a_table(tmp_path):
    """As docs/ledger.md says: pd.read_json("ledger.json"), a row for each model and seed."""
    pandas = pytest.importorskip("pandas")
    Ledger([row("teacher"), row(), row(seed=1)]).save(tmp_path / "ledger.json")
    table = pandas.read_json(tmp_path / "ledger.json")
    assert table[["name", "seed"]].values.tolist() == [["teacher", 0], ["student", 0], ["student", 1]]
    assert table["accuracy"].dtype == float


@pytest.mark.parametrize("text", ["{}", "[{}]", "[1]", '[{"name": "x", "colour": 1}]', "torn", '"x"'])
def test_a_damaged_ledger_is_refused(tmp_path, text):
    (tmp_path / "ledger.json").write_text(text)
    with pytest.raises(FaceletError, match=r"ledger\.json"):
        Ledger.load(tmp_path / "ledger.json")


def seeds(name, accuracies, changes=None, **others):
    rows = []
    for seed, accuracy in enumerate(accuracies):
        extra = {}
        if changes:
            d = by(changes[seed], 0.002)
            extra = {"change": d.value, "change_low": d.low, "change_high": d.high}
        rows.append(row(name, accuracy, seed=seed, **extra, **others))
    return rows


def test_several_seeds_are_summed_up():
    teacher, student = (0.86, 0.87, 0.88), (0.85, 0.855, 0.86)
    changes = [s - t for s, t in zip(student, teacher, strict=True)]
    ledger = Ledger([*seeds("teacher", teacher), *seeds("student", student, changes, parent="teacher")])
    one, two = ledger.summaries()
    assert (one.row.name, one.seeds, two.row.name, two.seeds) == ("teacher", 3, "student", 3)
    assert (one.accuracy.mean, one.accuracy.sd) == pytest.approx((0.87, 0.01))
    theirs = stats.ttest_1samp(changes, 0).confidence_interval()
    assert (two.row.change_low, two.row.change_high) == pytest.approx((theirs.low, theirs.high))
    assert two.row.verdict == "−1.5 points (−2.7 to −0.3): a measurable loss"
    assert "85.5 ± 0.5 % (n = 3)" in markdown(ledger, title="x", protocol="y")


def test_the_first_models_verdict_is_about_the_mean_of_its_seeds():
    seeds = [compared(row("teacher", accuracy, seed=seed), None) for seed, accuracy in enumerate((0.80, 0.84))]
    assert seeds[0].verdict.startswith("first model: accuracy 80.0 %")
    assert Ledger(seeds).summaries()[0].row.verdict.startswith("first model: accuracy 82.0 %")
