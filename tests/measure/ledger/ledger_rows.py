"""Rows of ledgers, as the tests of this folder write them."""

from __future__ import annotations

from facelet.measure.ledger.ledger import Row
from facelet.measure.metrics.intervals import Difference, wilson

N = 3153


def row(name="student", accuracy=0.86, **others):
    low, high = wilson(round(accuracy * N), N)
    plain = {
        "step": "distill", "protocol": "ab12cd34", "split": "test", "n": N, "accuracy": accuracy, "accuracy_low": low,
        "accuracy_high": high, "balanced_accuracy": accuracy - 0.1, "params": 1_260_000, "macs": 7_000_000,
        "bytes": 5_100_000, "p50_ms": 1.5, "p95_ms": 1.8, "machine": "this one",
    }  # fmt: skip
    return Row(**{"name": name, **plain, **others})


def by(value, half):
    return Difference(value, value - half, value + half, N)


FP32 = row()
INT8 = {
    "step": "quantize",
    "kind": "shrinking",
    "allowance": 0.003,
    "precision": "int8",
    "bytes": 1_400_000,
    "p50_ms": 0.8,
}
