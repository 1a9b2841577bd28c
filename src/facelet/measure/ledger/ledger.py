"""The ledger of a run: one row per model and seed, with its metrics and verdict.

>>> ledger = Ledger()
>>> ledger.add(compared(row, parent_row, result.against(parent_result)))
>>> ledger.save("runs/tsnet/ledger.json")

``ledger.json`` is a list of rows; ``ledger.md`` and the terminal show one line per model, with mean ± standard deviation
for several seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from pydantic import ValidationError

from facelet.errors import FaceletError, unknown
from facelet.io import files
from facelet.measure.ledger.row import Row
from facelet.measure.ledger.verdict import compared, from_rows, verdict
from facelet.measure.metrics.intervals import Difference, Spread, difference_over_seeds, over_seeds

__all__ = ["Ledger", "Row", "Summary", "compared", "verdict"]

AVERAGED = (
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "balanced_accuracy",
    "recall_spread",
    "ece",
    "tar_1e2",
    "tar_1e3",
    "fresh_accuracy",
    "val_accuracy",
    "p50_ms",
    "p95_ms",
    "mean_ms",
    "seconds",
)
COUNTED = ("params", "macs", "bytes", "steps")


@dataclass(frozen=True)
class Summary:
    """One model over its seeds.

    Attributes:
        row: row of the model; for several seeds, the mean of its rows with the verdict on the mean.
        accuracy: mean, standard deviation and number of seeds.
    """

    row: Row
    accuracy: Spread

    @property
    def seeds(self) -> int:
        return self.accuracy.n


class Ledger:
    """Rows in the order of insertion.

    ``paired``: accuracy of the smallest model minus that of the first, paired by face; None without stored predictions.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows: list[Row] = []
        self.paired: Difference | None = None
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Appends ``row``, or replaces the row with the same name and seed."""
        for place, old in enumerate(self.rows):
            if (old.name, old.seed) == (row.name, row.seed):
                self.rows[place] = row
                return
        self.rows.append(row)

    def find(self, name: str, seed: int = 0) -> Row:
        """Returns the row with this name and seed. Raises FaceletError with the nearest name when there is none."""
        for row in self.rows:
            if (row.name, row.seed) == (name, seed):
                return row
        raise unknown("model in the ledger", name, {row.name for row in self.rows if row.seed == seed})

    def summaries(self) -> list[Summary]:
        """Returns one summary per model, in the order of their first rows."""
        names = dict.fromkeys(row.name for row in self.rows)
        seeds = {name: [row for row in self.rows if row.name == name] for name in names}
        return summarized(seeds, difference_over_seeds)

    def ends(self) -> tuple[Summary, Summary] | None:
        """Returns the first and the smallest model, ignoring controls; None for an empty ledger."""
        models = [summary for summary in self.summaries() if not summary.row.control]
        smallest = min(models, key=lambda summary: (summary.row.bytes, summary.row.p50_ms), default=None)
        return (models[0], smallest) if smallest else None

    def lead(self) -> Difference | None:
        """Returns the accuracy of the smallest model minus that of the first; None for a single model or different faces."""
        ends = self.ends()
        if ends is None:
            return None
        first, small = (end.row for end in ends)
        if first.name == small.name or (first.protocol, first.split) != (small.protocol, small.split):
            return None
        return self.paired or from_rows(small, first)

    def notes(self) -> list[str]:
        """Returns the notes of the steps without duplicates, such as "student: taught by teacher"."""
        return list(dict.fromkeys(f"{row.label}: {note}" for row in self.rows for note in row.notes))

    def save(self, path: str | Path) -> None:
        """Writes ``ledger.json`` atomically."""
        files.write_json(path, [row.model_dump() for row in self.rows])

    @classmethod
    def load(cls, path: str | Path) -> Ledger:
        """Reads ``ledger.json``. Raises FaceletError when the file is missing or is not a list of rows."""
        rows = files.read_json(path)
        if not isinstance(rows, list):
            raise FaceletError(f"{path} is not a ledger: expected a list of rows, got {type(rows).__name__}")
        try:
            return cls(Row.model_validate(row) for row in rows)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise FaceletError(f"{path} is not a ledger: {where or 'a row'}: {first['msg']}") from None


def summarized(
    models: Mapping[str, Sequence[Row]], combined: Callable[[Sequence[Difference]], Difference]
) -> list[Summary]:
    """Returns one summary per model from its rows; ``combined`` merges the changes of several rows."""
    means = {name: _mean(rows) for name, rows in models.items()}
    return [
        Summary(_judged(means[name], rows, means, combined), over_seeds([row.accuracy for row in rows]))
        for name, rows in models.items()
    ]


def _mean(rows: Sequence[Row]) -> Row:
    """Returns the first row with the mean values over all rows."""
    update: dict[str, object] = {}
    for name in AVERAGED:
        values = [getattr(row, name) for row in rows if getattr(row, name) is not None]
        update[name] = fmean(values) if values else None
    for name in COUNTED:
        update[name] = round(fmean(getattr(row, name) for row in rows))
    update["unequal_steps"] = next((row.unequal_steps for row in rows if row.unequal_steps), "")
    return rows[0].model_copy(update=update)


def _judged(
    mean: Row, rows: Sequence[Row], means: dict[str, Row], combined: Callable[[Sequence[Difference]], Difference]
) -> Row:
    """Returns ``mean`` of a model's ``rows`` with the change and verdict over all of them."""
    differences = [
        Difference(row.change, row.change_low, row.change_high, row.n)
        for row in rows
        if row.change is not None and row.change_low is not None and row.change_high is not None
    ]
    if len(rows) > 1 and differences and mean.against in means:
        return compared(mean, means[mean.against], combined(differences))
    if len(rows) > 1 and mean.verdict and not differences:  # it names an accuracy, which is that of the first seed
        return compared(mean, None)
    return mean
