"""Folders of finished runs, without a training: what `facelet compare` reads."""

from __future__ import annotations

from pathlib import Path

import yaml

from facelet.io import files
from facelet.measure.ledger.ledger import Ledger, Row, compared
from facelet.measure.metrics.intervals import wilson

N = 2000
RECIPE = {
    "title": "Mine",
    "faces": {"source": "pack", "path": "a.pack"},
    "seeds": 1,
    "steps": [
        {"do": "train", "as": "student", "net": "repvgg", "epochs": 3},
        {"do": "quantize", "as": "student-int8", "of": "student", "seeds": 1},
    ],
}


def row(name: str = "student", accuracy: float = 0.82, seed: int = 0, **changes) -> Row:
    low, high = wilson(round(accuracy * N), N)
    fields = {
        "step": "train", "protocol": "15ca4b4b", "split": "test", "n": N, "accuracy": accuracy, "accuracy_low": low,
        "accuracy_high": high, "balanced_accuracy": accuracy - 0.1, "params": 950_000, "macs": 42_000_000, "bytes": 3_800_000,
        "p50_ms": 0.66, "p95_ms": 0.8, "machine": "a box", "seconds": 60.0,
    }  # fmt: skip
    return Row(**{"name": name, "seed": seed, **fields, **changes})


def small(accuracy: float = 0.815, **changes) -> Row:
    given = {"parent": "student", "step": "quantize", "precision": "int8", "bytes": 1_000_000, "p50_ms": 0.35}
    return row("student-int8", accuracy, **{**given, **changes})


def write_run(folder: Path, rows: list[Row] | None = None, *, recipe: dict | None = None, **record) -> Path:
    """A run's folder with recipe.yaml, run.json and ledger.json; ``rows``: by default a student and its int8 file."""
    rows = rows or [row(), small()]
    parents = {(row.name, row.seed): row for row in rows}
    Ledger(compared(row, parents.get((row.parent, row.seed))) for row in rows).save(folder / "ledger.json")
    files.write_text(folder / "recipe.yaml", yaml.safe_dump(recipe or RECIPE))
    files.write_json(folder / "run.json", {"protocol": {"split_hash": "15ca4b4b"}, "pixels": "0f", **record})
    return folder
