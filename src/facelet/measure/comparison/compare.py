"""Compares runs: one line per model of each run, with the mean and spread over its seeds.

>>> comparison = compare(["runs/tsnet", "runs/tsnet-2"], models=["student-int8"])
>>> pandas.DataFrame(comparison.records())          # plain values, one row per line
>>> print(as_markdown(comparison, ["run", "model", "accuracy", "bytes"]))

Runs whose recipes and faces are the same and whose seeds differ form one line per model. Runs that share a seed stay apart: a
repeated seed is another run on another day or machine, not a further sample. The folds of a cross-validation form one line, too.
Nothing is computed anew: change and verdict of a line compare it with the model that its own ledger names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facelet.errors import FaceletError, unknown
from facelet.measure.comparison.columns import chosen, record
from facelet.measure.comparison.folds import over_folds
from facelet.measure.comparison.line import Line
from facelet.measure.comparison.runs import Run, folds_in, read_run
from facelet.measure.ledger.ledger import Ledger
from facelet.measure.ledger.row import Row


@dataclass(frozen=True)
class Comparison:
    """Lines in the order of the runs, and ``notes`` on what cannot be compared."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    def records(self, columns: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Returns a dictionary of plain values per line: shares in 0 to 1, milliseconds, bytes; None for unknown values.

        ``columns``: names of ``comparison.columns.COLUMNS``, each of which gives one or more values; default: all of them.
        """
        return [record(line, chosen(columns)) for line in self.lines]


def compare(folders: Sequence[str | Path], models: Sequence[str] = ()) -> Comparison:
    """Reads runs and returns their models side by side.

    Args:
        folders: folders of finished runs, or of all folds of one; a run that is given twice counts once.
        models: names of the models to keep, as in the recipe's ``as``; default: all.

    Raises FaceletError for a folder without a finished run, no folder, and names that no run has.
    """
    if not folders:
        raise FaceletError("no runs to compare; give folders that `facelet run` filled")
    unique: dict[Path, Path] = {}
    for folder in folders:
        for run in folds_in(folder) or [Path(folder)]:
            unique.setdefault(run.resolve(), run)
    runs = [read_run(folder) for folder in unique.values()]
    names = {row.name for run in runs for row in run.ledger.rows}
    for model in models:
        if model not in names:
            raise unknown("model in these runs", model, names)
    short = _short_names([run.folder for run in runs])
    lines = []
    for group in _grouped(runs):
        ledgers = [
            Ledger(row for run in group if run.fold == fold for row in run.ledger.rows)
            for fold in dict.fromkeys(run.fold for run in group)
        ]
        name = _name(group, short, len(ledgers))
        for summary in over_folds(ledgers) if len(ledgers) > 1 else ledgers[0].summaries():
            if not models or summary.row.name in models:
                rows = tuple(row for ledger in ledgers for row in ledger.rows if row.name == summary.row.name)
                lines.append(Line(name, rows, summary, len(ledgers)))
    return Comparison(tuple(lines), tuple(_notes(lines)))


def _name(group: Sequence[Run], short: dict[Path, str], folds: int) -> str:
    """The runs' names, or the folder that the folds of a cross-validation share."""
    parents = {run.folder.resolve().parent for run in group}
    if folds > 1 and len(parents) == 1:
        return parents.pop().name
    return ", ".join(short[run.folder] for run in group)


def _grouped(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs of the same settings with different seeds or folds, together; in the order of their first runs."""
    groups: list[list[Run]] = []
    for run in runs:
        fitting = (
            group
            for group in groups
            if group[0].settings == run.settings and not any(run.seeds & other.seeds for other in group)
        )
        group = next(fitting, None)
        if group is None:
            groups.append([run])
        else:
            group.append(run)
    return groups


def _short_names(folders: Sequence[Path]) -> dict[Path, str]:
    """The last part of each folder's path, with as many parts before it as make it unique."""
    parts = {folder: folder.resolve().parts for folder in folders}
    depth = 1
    while len({part[-depth:] for part in parts.values()}) < len(set(parts.values())):
        depth += 1
    return {folder: "/".join(part[-depth:]) for folder, part in parts.items()}


def _notes(lines: Sequence[Line]) -> list[str]:
    """What cannot be compared: accuracies of different protocols, and times that were not taken side by side."""
    notes = []
    protocols: dict[str, list[str]] = {}
    for line in lines:
        faces = sorted({f"{row.protocol} {row.split}" for row in line.rows})
        runs = protocols.setdefault(faces[0] if len(faces) == 1 else f"{line.folds} folds from {faces[0]}", [])
        runs += [] if line.run in runs else [line.run]
    if len(protocols) > 1:
        each = "; ".join(f"[{protocol}] of {', '.join(runs)}" for protocol, runs in protocols.items())
        notes.append(f"accuracies of different protocols cannot be compared: {each}")
    timed = [line for line in lines if line.summary.row.p50_ms]
    machines = _by(timed, lambda row: row.machine)
    if len(machines) > 1:
        each = "; ".join(
            f"{', '.join(runs)} on {machine or 'an unknown machine'}" for machine, runs in machines.items()
        )
        notes.append(f"times of different machines cannot be compared: {each}")
    elif len({line.run for line in timed}) > 1:
        notes.append("times of different runs were not taken side by side; `facelet bench` does that")
    return notes


def _by(lines: Sequence[Line], key: Callable[[Row], str]) -> dict[str, list[str]]:
    """Names of the runs by a value of their rows."""
    runs: dict[str, dict[str, None]] = {}
    for line in lines:
        for row in line.rows:
            runs.setdefault(key(row), {})[line.run] = None
    return {value: list(names) for value, names in runs.items()}
