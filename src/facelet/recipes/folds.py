"""Cross-validation: a recipe runs once per fold of its faces, each time with another fold for the test.

>>> run_folds(10, "resvgg", faces="ckplus:CK+48", out="runs/ck")   # runs/ck/fold-0 ... runs/ck/fold-9, one run each
>>> resume_folds("runs/ck")

The source of the faces needs an option ``fold``, as ckplus has. `facelet compare runs/ck` is the table over all folds.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from facelet.errors import FaceletError
from facelet.io import files
from facelet.learn.device.launch import launch
from facelet.measure.comparison.compare import compare
from facelet.measure.comparison.formats import show
from facelet.measure.comparison.runs import FOLDS, MAX_FOLDS, fold_folders
from facelet.recipes.runner import run
from facelet.step import Hardware


def run_folds(
    folds: int,
    recipe: str = "",
    *,
    out: str | Path = "",
    settings: list[str] | None = None,
    hardware: Hardware | None = None,
    console: Console | None = None,
    **given: Any,
) -> Path:
    """Runs a recipe for each of ``folds`` folds and returns the folder that holds the runs.

    ``out``: default: "runs/RECIPE-folds". ``given``: further arguments of ``runner.run``. Raises FaceletError for a number of folds
    outside 2 to MAX_FOLDS, for a folder that already holds a run, and with several processes.
    """
    if not 2 <= folds <= MAX_FOLDS:
        raise FaceletError(f"--folds {folds} should be 2 to {MAX_FOLDS}")
    if launch():
        raise FaceletError("--folds runs in one process; start each fold with its own --out and --set faces.fold=0 ...")
    recipe = recipe or "tsnet"
    folder = Path(out or Path("runs") / f"{Path(recipe).stem}-folds")
    first = folder / "fold-0"
    if (first / "run.json").exists() or (folder / "run.json").exists():
        raise FaceletError(
            f"{folder} already holds a run; continue it with: "
            f"facelet run --resume {shlex.quote(str(folder))}, or choose another --out"
        )
    files.write_json(folder / FOLDS, folds)
    try:
        run(
            recipe, out=first, settings=[*(settings or []), "faces.fold=0"], hardware=hardware, console=console, **given
        )
    finally:
        if not (first / "run.json").exists():
            (folder / FOLDS).unlink()
    return resume_folds(folder, hardware=hardware, console=console)


def resume_folds(folder: str | Path, *, hardware: Hardware | None = None, console: Console | None = None) -> Path:
    """Continues the folds in ``folder`` with those that are not finished, prints the table over all, and returns ``folder``."""
    folder, console = Path(folder), console or Console()
    places = fold_folders(folder)
    for number, place in enumerate(places):
        if (place / "ledger.json").exists():
            continue
        console.print(f"\n[bold]fold {number + 1} of {len(places)}[/bold], {escape(str(place))}", soft_wrap=True)
        if (place / "run.json").exists():
            run(resume=place, hardware=hardware, console=console)
        else:
            recipe = str(places[0] / "recipe.yaml")
            run(recipe, out=place, settings=[f"faces.fold={number}"], hardware=hardware, console=console)
    console.print()
    show(compare([folder]), console)
    return folder
