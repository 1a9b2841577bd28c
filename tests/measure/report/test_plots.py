from __future__ import annotations

from facelet.measure.ledger.ledger import Ledger, Row
from facelet.measure.metrics.intervals import wilson
from facelet.measure.report.plots import learning_curves, pareto

MODELS = (("teacher", 0.87, 8.9), ("student", 0.85, 1.52), ("student-int8", 0.845, 0.81), ("shallow", 0.82, 0.5))


def row(name, accuracy, p50):
    low, high = wilson(round(200 * accuracy), 200)
    return Row(
        name=name, step="train", protocol="ab12cd34", split="test", n=200, accuracy=accuracy, accuracy_low=low,
        accuracy_high=high, params=1, macs=1, bytes=1, p50_ms=p50, p95_ms=p50,
    )  # fmt: skip


def test_plots_of_nothing_are_empty():
    assert pareto([], "bytes", "x") == ""
    assert learning_curves({"a": [{"epoch": "", "val_accuracy": None}]}, [], "val_accuracy", "y") == ""


def test_a_controls_name_gives_way_where_many_lie_together():
    ledger = Ledger(row(name, accuracy, p50) for name, accuracy, p50 in MODELS)
    first = ledger.rows[0]
    crowd = [
        first.model_copy(update={"name": f"control-{number}", "control": True, "p50_ms": first.p50_ms + number / 50})
        for number in range(20)
    ]
    svg = pareto(Ledger([*ledger.rows, *crowd]).summaries(), "p50_ms", "latency")
    assert all(row.name in svg for row in ledger.rows if not row.control)
    assert sum(f">control-{number}<" in svg for number in range(20)) < 12
