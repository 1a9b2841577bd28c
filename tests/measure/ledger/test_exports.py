"""The ledger as CSV and LaTeX: the same figures, readable by the programs they are for."""

from __future__ import annotations

import csv
import io

from facelet.measure.ledger.exports import as_csv, as_latex, tex
from facelet.measure.ledger.ledger import Ledger, Row

FIGURES = {
    "step": "train", "protocol": "ab12cd34", "split": "test", "n": 1000, "accuracy": 0.5, "accuracy_low": 0.47,
    "accuracy_high": 0.53, "balanced_accuracy": 0.4, "params": 1_260_000, "macs": 7_000_000, "bytes": 5_100_000,
    "p50_ms": 1.5, "p95_ms": 1.8, "baseline": 0.25, "baseline_answer": "sad_face",
}  # fmt: skip


def ledger() -> Ledger:
    return Ledger([Row(name="a_b", notes=["x"], verdict="one, two", **FIGURES), Row(name="a_b", seed=1, **FIGURES)])


def test_csv_has_a_line_per_model_and_seed():
    first, second = csv.DictReader(io.StringIO(as_csv(ledger())))
    assert (first["name"], first["seed"], second["seed"], first["verdict"]) == ("a_b", "0", "1", "one, two")
    assert (float(first["accuracy"]), int(first["bytes"]), first["ece"]) == (0.5, 5_100_000, "")
    assert "notes" not in first


def test_latex():
    text = as_latex(ledger(), caption="50 % & more", protocol="toy [ab12cd34]")
    lines = text.splitlines()
    assert (
        r"\caption{50 \% \& more. Protocol: toy [ab12cd34]. Baseline: always predicting 'sad\_face' (25.0 \%).}"
        in lines
    )
    (row,) = (line for line in lines if line.startswith("a\\_b"))
    assert r"50.0 $\pm$ 0.0 \% (n = 2)" in row
    header = lines[lines.index("\\toprule") + 1]
    columns = lines[4].removeprefix("\\begin{tabular}{").removesuffix("}")
    assert row.count("&") == header.count("&") == len(columns) - 1
    assert tex("\\~^{}\n#") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}\{\} \#"
