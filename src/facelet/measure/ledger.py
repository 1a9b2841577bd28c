"""The ledger: one row per model in a run, and what each row is allowed to claim."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Row(BaseModel):
    """One model, measured. Accuracies are shares in 0..1, times milliseconds, sizes bytes."""

    model_config = ConfigDict(extra="forbid")

    name: str
    parent: str = ""
    step: str
    seed: int = 0
    control: bool = False
    protocol: str
    split: str
    n: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    balanced_accuracy: float
    ece: float
    val_accuracy: float | None = None
    params: int
    macs: int
    bytes: int
    p50_ms: float
    p95_ms: float
    seconds: float = 0.0
    change: float | None = None
    verdict: str = ""
    notes: list[str] = []
