"""The columns of a comparison: what each is called, the values it gives to a record, and its text in a table.

>>> [column.heading for column in chosen(["run", "accuracy"])]
['run', 'accuracy, 95 %']
>>> record(line, chosen(["model", "bytes"]))
{'model': 'student-int8', 'bytes': 1489002}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from facelet.errors import unknown
from facelet.measure.comparison.line import Line
from facelet.measure.ledger import table
from facelet.text import amount, duration, megabytes, milliseconds, percent

SPREAD = "_sd"
"""Suffix of a value that is the standard deviation over the seeds, None for one seed and fold."""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        heading: in tables.
        fields: names of its values in a record: fields of a Row, some with SPREAD, or of a Line.
        text: its text for a line, "" for unknown values.
        about: what it is, for the documentation.
        left: whether tables align it to the left.
    """

    heading: str
    fields: tuple[str, ...]
    text: Callable[[Line], str]
    about: str
    left: bool = False


def _words(field: str, about: str) -> Column:
    """A column of text."""
    return Column(field, (field,), lambda line: str(getattr(line.summary.row, field)), about, left=True)


def _share(field: str, heading: str, about: str) -> Column:
    """A column of a share, with its standard deviation over several seeds."""

    def text(line: Line) -> str:
        value, sd = getattr(line.summary.row, field), line.spread(field)
        if value is None:
            return ""
        return percent(value) if sd is None else f"{100 * value:.1f} ± {percent(sd)}"

    return Column(heading, (field, field + SPREAD), text, about)


def _size(field: str, heading: str, text: Callable[[float], str], about: str) -> Column:
    """A column of a number whose 0 means that it is unknown."""

    def shown(line: Line) -> str:
        value = getattr(line.summary.row, field)
        return text(value) if value else ""

    return Column(heading, (field,), shown, about)


def _accuracy(line: Line) -> str:
    if line.folds > 1:
        spread = line.summary.accuracy
        return f"{100 * spread.mean:.1f} ± {percent(spread.sd)} ({line.folds} folds)"
    return table.accuracy(line.summary)


def _model(line: Line) -> str:
    return line.summary.row.name + (" (control)" if line.summary.row.control else "")


COLUMNS: dict[str, Column] = {
    "run": Column("run", ("run",), lambda line: line.run, "folder of the run", left=True),
    "model": Column("model", ("model", "control"), _model, "name of the model in the recipe", left=True),
    "step": _words("step", "kind of the step that made it"),
    "precision": _words("precision", "fp32 or int8"),
    "seeds": Column("seeds", ("seeds",), lambda line: str(line.seeds), "number of seeds"),
    "folds": Column("folds", ("folds",), lambda line: str(line.folds), "number of folds of a cross-validation"),
    "n": _size("n", "n", lambda n: f"{n:,.0f}", "number of test faces or pairs"),
    "accuracy": Column(
        "accuracy, 95 %",
        ("accuracy", "accuracy" + SPREAD, "accuracy_low", "accuracy_high"),
        _accuracy,
        "accuracy on the test split with its interval, or with its standard deviation over seeds or folds",
    ),
    "change": Column(
        "change",
        ("against", "change", "change_low", "change_high"),
        lambda line: table.change(line.summary.row),
        "difference in percentage points to the model that its ledger compares it with",
    ),
    "balanced": _share("balanced_accuracy", "balanced", "mean recall over the classes"),
    "recall_spread": _share("recall_spread", "spread", "standard deviation of recall over the classes"),
    "ece": _share("ece", "ECE", "calibration error"),
    "tar_1e2": _share("tar_1e2", "TAR at 1 %", "true accept rate at a FAR of 1 %"),
    "tar_1e3": _share("tar_1e3", "TAR at 0.1 %", "true accept rate at a FAR of 0.1 %"),
    "fresh": _share("fresh_accuracy", "unseen", "accuracy without faces identical to a training face"),
    "val": _share("val_accuracy", "validation", "accuracy on the validation split"),
    "baseline": _share("baseline", "baseline", "accuracy of always predicting the largest class"),
    "params": _size("params", "parameters", amount, "number of parameters"),
    "macs": _size("macs", "MACs", amount, "multiply-accumulates for one face"),
    "bytes": _size("bytes", "file", megabytes, "size of the model file"),
    "p50": _size("p50_ms", "p50", milliseconds, "median latency of one face on one thread"),
    "p95": _size("p95_ms", "p95", milliseconds, "95th percentile of the latency"),
    "mean": _size("mean_ms", "mean", milliseconds, "mean latency, for early-exit models"),
    "steps": _size("steps", "training steps", lambda steps: f"{steps:,.0f}", "optimizer steps of its own training"),
    "seconds": _size("seconds", "time", duration, "time of its step"),
    "protocol": Column(
        "protocol",
        ("protocol", "split"),
        lambda line: f"{line.summary.row.protocol} {line.summary.row.split}",
        "hash of the protocol, and the split; accuracies of different protocols cannot be compared",
        left=True,
    ),
    "machine": _words("machine", "where the latency was measured"),
    "verdict": _words("verdict", "the ledger's verdict"),
}
"""Columns by the names of ``--columns``."""

DEFAULT = (
    *("run", "model", "step", "precision", "seeds", "accuracy", "change", "balanced", "ece", "tar_1e2", "tar_1e3"),
    *("params", "macs", "bytes", "p50", "p95", "verdict"),
)
"""Columns of a table, unless others are chosen; those without any value are left out."""


def chosen(names: Sequence[str] = ()) -> list[Column]:
    """Returns the columns of these names; default: all. Raises FaceletError with the nearest name for an unknown one."""
    for name in names:
        if name not in COLUMNS:
            raise unknown("column", name, COLUMNS)
    return [COLUMNS[name] for name in names or COLUMNS]


def record(line: Line, columns: Sequence[Column]) -> dict[str, Any]:
    """Returns the values of a line, by their names."""
    return {field: _value(line, field) for column in columns for field in column.fields}


def _value(line: Line, field: str) -> Any:
    row = line.summary.row
    if field.endswith(SPREAD):
        return line.spread(field.removesuffix(SPREAD))
    of_line = {"run": line.run, "model": row.name, "seeds": line.seeds, "folds": line.folds}
    return of_line[field] if field in of_line else getattr(row, field)
