"""Columns: their texts, and the plain values of a record."""

from __future__ import annotations

import pytest
from run_folders import row, small

from facelet.errors import FaceletError
from facelet.measure.comparison.columns import COLUMNS, DEFAULT, chosen, record
from facelet.measure.comparison.line import Line
from facelet.measure.ledger.ledger import Ledger, compared
from facelet.measure.ledger.row import Row


def line(*rows):
    return Line("a", rows, Ledger(rows).summaries()[0])


def text(name, *rows):
    return COLUMNS[name].text(line(*rows))


def test_one_seed_has_its_interval_and_several_their_spread():
    assert text("accuracy", row()) == "82.0 % (80.3–83.6)"
    assert text("balanced", row()) == "72.0 %"
    several = [row(accuracy=0.80), row(accuracy=0.84, seed=1)]
    assert text("accuracy", *several) == "82.0 ± 2.8 % (n = 2)"
    assert text("balanced", *several) == "72.0 ± 2.8 %"
    assert (text("seeds", *several), text("n", *several)) == ("2", "2,000")


def test_texts_of_the_other_columns():
    int8 = compared(small(control=True), row())
    shown = {name: text(name, int8) for name in COLUMNS}
    assert shown["model"] == "student-int8 (control)"
    assert (shown["step"], shown["precision"], shown["protocol"]) == ("quantize", "int8", "15ca4b4b test")
    assert (shown["params"], shown["macs"], shown["bytes"], shown["p50"]) == ("950 k", "42.0 M", "1.00 MB", "0.35 ms")
    assert shown["change"] == "−0.5 (−2.9 to +1.9)"
    assert shown["verdict"] == int8.verdict
    assert shown["tar_1e2"] == shown["steps"] == shown["mean"] == ""


def test_a_record_has_plain_values():
    values = record(line(row()), chosen())
    assert (values["run"], values["model"], values["seeds"], values["accuracy"]) == ("a", "student", 1, 0.82)
    assert values["accuracy_sd"] is None
    assert (values["bytes"], values["control"], values["against"]) == (3_800_000, False, "")
    fields = [field for column in COLUMNS.values() for field in column.fields]
    assert list(values) == fields
    assert len(fields) == len(set(fields)), "no value twice"
    pair = record(line(row(accuracy=0.80), row(accuracy=0.84, seed=1)), chosen(["accuracy"]))
    assert pair["accuracy_sd"] == pytest.approx(0.0282843, abs=1e-6)
    assert list(pair) == ["accuracy", "accuracy_sd", "accuracy_low", "accuracy_high"]


def test_every_figure_of_a_row_is_in_a_column():
    """What else a row has says how it came about, and is in ledger.json."""
    left_out = {
        "name",
        "parent",
        "needs",
        "compare",
        "kind",
        "seed",
        "baseline_answer",
        "allowance",
        "timed",
        "starts_from",
    }
    left_out |= {"unequal_steps", "notes"}
    fields = {field for column in COLUMNS.values() for field in column.fields}
    assert set(Row.model_fields) - fields == left_out


def test_columns_are_chosen_by_name():
    assert [column.heading for column in chosen(["bytes", "run"])] == ["file", "run"]
    assert set(DEFAULT) <= set(COLUMNS)
    with pytest.raises(FaceletError, match="unknown column 'acuracy', did you mean 'accuracy'"):
        chosen(["acuracy"])
