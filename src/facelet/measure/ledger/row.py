"""Row: one model, measured, as it stands in a ledger; and how its figures are written.

>>> percent(0.8812), points(-0.0043), amount(1_260_779), megabytes(1_362_944)
('88.1 %', '−0.4 points', '1.26 M', '1.36 MB')

A megabyte is 1,000,000 bytes. Latency is of the machine that the row names and of no other.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from facelet.measure.classification import Classification
from facelet.measure.verification import FARS, PairScores
from facelet.text import percent


class Row(BaseModel):
    """One model, measured. Accuracies are shares in 0..1, times milliseconds, sizes bytes.

    Of a model of identity ``n`` counts pairs, and what is about classes is None.

    ``change`` is this accuracy minus that of ``compare`` (its parent, or the model a control controls for), on the same
    faces, with the ends of its interval. ``machine`` names where p50 and p95 were taken, without what changes by the
    minute (its load): only speeds of rows that name the same machine are compared.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    parent: str = ""
    needs: list[str] = Field([], description="all earlier models it is made of or taught by; its parent is the first")
    compare: str = Field("", description="model it is measured against; its parent when empty")
    step: str
    kind: str = Field("", description="what its verdict is about: shrinking, stopping, or accuracy alone")
    seed: int = 0
    control: bool = False
    precision: str = "fp32"
    protocol: str
    split: str
    n: int = Field(ge=0)
    accuracy: float = Field(ge=0, le=1)
    accuracy_low: float = Field(ge=0, le=1)
    accuracy_high: float = Field(ge=0, le=1)
    baseline: float | None = Field(
        None, ge=0, le=1, description="accuracy of always answering the largest class, or the same of every pair"
    )
    baseline_answer: str = Field("", description="that class; empty of pairs")
    balanced_accuracy: float | None = Field(None, ge=0, le=1)
    recall_spread: float | None = Field(None, ge=0, le=1, description="standard deviation of recall over the classes")
    ece: float | None = None
    tar_1e2: float | None = Field(None, ge=0, le=1, description="pairs of one person accepted at a FAR of 1 %")
    tar_1e3: float | None = Field(None, ge=0, le=1, description="the same at 0.1 %")
    fresh_accuracy: float | None = Field(None, description="without the faces identical to a training face")
    val_accuracy: float | None = None
    params: int = Field(ge=0)
    macs: int = Field(ge=0)
    bytes: int = Field(ge=0)
    p50_ms: float = Field(ge=0)
    p95_ms: float = Field(ge=0)
    mean_ms: float = Field(0.0, ge=0, description="over validation faces: what a model that stops early is about")
    machine: str = ""
    allowance: float | None = Field(None, description="accuracy the step was allowed to cost, as a share")
    seconds: float = 0.0
    steps: int = Field(
        0, ge=0, description="optimizer steps of its own training, 0 where it has none or they are not known"
    )
    timed: bool = Field(False, description="whether minutes, and not a number, were asked of that training")
    starts_from: str = Field(
        "", description="model whose weights it starts from; empty for fresh ones or those of a file"
    )
    unequal_steps: str = Field("", description="both numbers of steps, where they differ too much for a verdict")
    change: float | None = None
    change_low: float | None = None
    change_high: float | None = None
    verdict: str = ""
    notes: list[str] = []

    @property
    def label(self) -> str:
        """Its name, with the seed behind it from the second seed on."""
        return self.name if self.seed == 0 else f"{self.name}-s{self.seed}"

    @property
    def against(self) -> str:
        """Name of the model it is measured against, "" for the first."""
        return self.compare or self.parent

    @property
    def beats_baseline(self) -> bool:
        """Whether the whole interval of the accuracy lies above the baseline; True where that is not known."""
        return self.baseline is None or self.accuracy_low > self.baseline

    @property
    def baseline_words(self) -> str:
        """ "always answering 'neutral' (40.4 %)", "" where the baseline is not known."""
        if self.baseline is None:
            return ""
        always = f"always answering {self.baseline_answer!r}" if self.baseline_answer else "answering all pairs alike"
        return f"{always} ({percent(self.baseline)})"

    @property
    def unit(self) -> str:
        """What ``n`` counts."""
        return "faces" if self.balanced_accuracy is not None else "pairs"


def figures(result: Classification | PairScores) -> dict[str, Any]:
    """The fields of a Row that follow from a model's answers."""
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
