"""Row: the metrics of one model in a ledger.

>>> percent(0.8812), points(-0.0043), amount(1_260_779), megabytes(1_362_944)
('88.1 %', '−0.4 points', '1.26 M', '1.36 MB')

A megabyte is 1,000,000 bytes. Latency holds for the machine named in the row only.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from facelet.measure.classification import Classification
from facelet.measure.verification import FARS, PairScores
from facelet.text import percent

LARGEST = 10**18
"""Largest count in a row, so that no file can hold a number that cannot be shown."""


class Row(BaseModel):
    """Metrics of one model and seed. Accuracies are shares in 0..1, times milliseconds, sizes bytes.

    For identity models ``n`` counts pairs, and fields about classes are None.

    ``change`` is this accuracy minus that of ``compare`` (default: the parent; for a control: the model it controls for) on the
    same faces, with its interval. ``machine`` describes where p50 and p95 were measured, without its load; speeds are compared
    only between rows with the same machine.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str
    parent: str = ""
    needs: list[str] = Field([], description="all earlier models it derives from or was taught by, the parent first")
    compare: str = Field("", description="model it is compared with; default: its parent")
    step: str
    kind: str = Field("", description='subject of the verdict: "shrinking", "stopping" or, when empty, accuracy')
    seed: int = 0
    control: bool = False
    precision: str = "fp32"
    protocol: str
    split: str
    n: int = Field(ge=0, le=LARGEST)
    accuracy: float = Field(ge=0, le=1)
    accuracy_low: float = Field(ge=0, le=1)
    accuracy_high: float = Field(ge=0, le=1)
    baseline: float | None = Field(
        None, ge=0, le=1, description="accuracy of always predicting the largest class, or the same for all pairs"
    )
    baseline_answer: str = Field("", description="that class; empty for pairs")
    balanced_accuracy: float | None = Field(None, ge=0, le=1)
    recall_spread: float | None = Field(None, ge=0, le=1, description="standard deviation of recall over the classes")
    ece: float | None = None
    tar_1e2: float | None = Field(None, ge=0, le=1, description="true accept rate at a FAR of 1 %")
    tar_1e3: float | None = Field(None, ge=0, le=1, description="true accept rate at a FAR of 0.1 %")
    fresh_accuracy: float | None = Field(None, description="accuracy without faces identical to a training face")
    val_accuracy: float | None = None
    params: int = Field(ge=0, le=LARGEST)
    macs: int = Field(ge=0, le=LARGEST)
    bytes: int = Field(ge=0, le=LARGEST)
    p50_ms: float = Field(ge=0)
    p95_ms: float = Field(ge=0)
    mean_ms: float = Field(0.0, ge=0, description="mean latency over validation faces, for early-exit models")
    machine: str = ""
    allowance: float | None = Field(None, description="loss of accuracy that the step allows, as a share")
    seconds: float = 0.0
    steps: int = Field(
        0, ge=0, le=LARGEST, description="optimizer steps of its own training; 0 for no training or if unknown"
    )
    timed: bool = Field(False, description="whether the length of that training was given in minutes")
    starts_from: str = Field(
        "", description="model whose weights it starts from; empty for random weights or those of a file"
    )
    unequal_steps: str = Field("", description="both numbers of steps if they differ too much for a verdict")
    change: float | None = None
    change_low: float | None = None
    change_high: float | None = None
    verdict: str = ""
    notes: list[str] = []

    @property
    def label(self) -> str:
        """The name; with the seed as suffix for seeds other than 0."""
        return self.name if self.seed == 0 else f"{self.name}-s{self.seed}"

    @property
    def against(self) -> str:
        """Name of the model it is compared with; "" for the first model."""
        return self.compare or self.parent

    @property
    def beats_baseline(self) -> bool:
        """Whether the whole interval of the accuracy lies above the baseline; True where that is not known."""
        return self.baseline is None or self.accuracy_low > self.baseline

    @property
    def baseline_words(self) -> str:
        """The baseline in words, such as "always predicting 'neutral' (40.4 %)"; "" if unknown."""
        if self.baseline is None:
            return ""
        return f"{self.baseline_rule} ({percent(self.baseline)})"

    @property
    def baseline_rule(self) -> str:
        """The constant prediction that the baseline is the accuracy of."""
        if self.baseline_answer:
            return f"always predicting {self.baseline_answer!r}"
        return "predicting the same for all pairs"

    @property
    def unit(self) -> str:
        """What ``n`` counts: "faces" or "pairs"."""
        return "faces" if self.balanced_accuracy is not None else "pairs"


def figures(result: Classification | PairScores) -> dict[str, Any]:
    """Returns the fields of a Row that are computed from a model's predictions."""
    if isinstance(result, PairScores):
        low, high = result.interval
        supported = result.supported
        tars = [result.at_far(far).tar if far in supported else None for far in FARS]
        return {
            "protocol": result.protocol,
            "split": "test",
            "n": len(result.same),
            "accuracy": result.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "baseline": max(float(result.same.mean()), float(1 - result.same.mean())),
            "tar_1e2": tars[0],
            "tar_1e3": tars[1],
        }
    scores = result.all
    return {
        "protocol": result.protocol,
        "split": result.split,
        "n": scores.n,
        "accuracy": scores.accuracy,
        "accuracy_low": scores.accuracy_low,
        "accuracy_high": scores.accuracy_high,
        "baseline": scores.baseline,
        "baseline_answer": scores.largest.name,
        "balanced_accuracy": scores.balanced_accuracy,
        "recall_spread": scores.recall_spread,
        "ece": scores.ece,
        "fresh_accuracy": result.fresh.accuracy if result.fresh else None,
    }
