"""Tables of finished runs in the pages, written by cog from the runs' ledgers, so that no figure is typed by hand.

    <!-- [[[cog
    import run_tables
    run_tables.show("tsnet-ferplus", models="teacher,student", columns="model,accuracy,bytes")
    ]]] -->
    <!-- [[[end]]] -->

`make tables` writes between the comments; https://cog.readthedocs.io. docs/runs holds what is needed of a run, without its models:

    python docs/_ext/run_tables.py runs/tsnet-ferplus
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

from facelet.errors import FaceletError
from facelet.io.files import read_bytes, read_json
from facelet.measure.comparison.compare import Comparison, compare
from facelet.measure.comparison.formats import as_markdown
from facelet.measure.comparison.runs import FOLDS, folds_in, read_run
from facelet.text import duration

RUNS = Path(__file__).parents[1] / "runs"
KEPT = ("run.json", "recipe.yaml", "ledger.json")
COLUMNS = ("model", "accuracy", "change", "balanced", "params", "macs", "bytes", "p50")
MAX_BYTES = 1 << 20
"""Upper limit for a file of KEPT, well above the size of any real one."""
ABSOLUTE = re.compile(r"(?<![\w/.])/[\w.-]+/[\w./-]+")
"""A path on one machine."""


def show(*runs: str, models: str = "", columns: str = "") -> None:
    """Writes the commands of the runs, the table of their models, and where they were trained and timed.

    ``models`` and ``columns``: comma-separated names, as for `facelet compare`; default: all models, and COLUMNS.
    """
    import cog

    cog.outl(text([RUNS / run for run in runs], models, columns))


def text(folders: list[Path], models: str = "", columns: str = "") -> str:
    """Markdown of ``show``. Raises FaceletError for a folder without a finished run."""
    comparison = compare(folders, _names(models))
    shown = _names(columns) or [*["run"][: len(folders) > 1], *COLUMNS]
    table = as_markdown(Comparison(comparison.lines, ()), shown).rstrip()
    commands = "\n".join(dict.fromkeys(_record(folder)["command"] for folder in folders))
    return f"```bash\n{commands}\n```\n\n{table}\n\n{' '.join(_caption(folder, comparison) for folder in folders)}"


def keep(run: Path, target: Path = RUNS) -> Path:
    """Copies the record of a finished run, or of all its folds, to ``target``.

    Raises FaceletError for an unfinished run, and for one whose files name a path of this machine.
    """
    place = target / run.name
    folds = folds_in(run)
    for folder in folds or [run]:
        read_run(folder)
        copy = place / folder.name if folds else place
        copy.mkdir(parents=True, exist_ok=True)
        for name in KEPT:
            if found := ABSOLUTE.search(read_bytes(folder / name, MAX_BYTES).decode()):
                raise FaceletError(
                    f"{folder / name} names {found[0]}; give paths relative to the folder where the run was made"
                )
            shutil.copyfile(folder / name, copy / name)
    if folds:
        shutil.copyfile(run / FOLDS, place / FOLDS)
    return place


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _record(folder: Path) -> dict[str, Any]:
    """run.json of a run, or of its first fold."""
    return dict(read_json((folds_in(folder) or [folder])[0] / "run.json"))


def _caption(folder: Path, comparison: Comparison) -> str:
    """Faces, seeds, training time and machine of a run."""
    lines = [line for line in comparison.lines if line.run == folder.name]
    rows = [row for line in lines for row in line.rows]
    seeds = max((line.seeds for line in lines), default=1)
    parts = [
        f"`{folder.name}`: {lines[0].summary.row.n:,} test {'pairs' if rows[0].balanced_accuracy is None else 'faces'}",
        f"{lines[0].folds} folds" if lines[0].folds > 1 else f"protocol `{rows[0].protocol}`",
        "one seed" if seeds == 1 else f"up to {seeds} seeds",
        f"{duration(sum(row.seconds for row in rows))} of training",
        f"machine: {rows[0].machine}" if rows[0].machine else "",
    ]
    return ", ".join(filter(None, parts)) + "."


if __name__ == "__main__":
    try:
        for folder in sys.argv[1:]:
            print(keep(Path(folder)))
    except FaceletError as error:
        sys.exit(f"error: {error}")
