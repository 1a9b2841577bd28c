"""`facelet run` and `facelet recipes`: runs, lists and prints recipes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from facelet import plugins
from facelet.cli.options import Allow, Plugin, console
from facelet.errors import FaceletError

WIDE = 110
"""Minimum console width for the column of papers."""


def run(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe or a YAML file; default: tsnet.")] = "",
    faces: Annotated[str, typer.Option(help="Source of faces: toy, ferplus:PATH, folder:PATH, pack:FILE ...")] = "",
    also: Annotated[
        list[str] | None, typer.Option(help="Another source, such as faces:PATH of unknown people; repeatable.")
    ] = None,
    pairs: Annotated[str, typer.Option(help="Pairs for evaluating identity models, such as lfw:PATH.")] = "",
    only: Annotated[str, typer.Option(help="Run only these steps and their dependencies, such as plain,linear.")] = "",
    out: Annotated[str, typer.Option(help="Folder of the run; default: runs/RECIPE.")] = "",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a setting: KEY=VALUE, such as steps.teacher.epochs=10; repeatable."),
    ] = None,
    profile: Annotated[str, typer.Option(help="Profile of the recipe, such as overnight.")] = "",
    seeds: Annotated[int, typer.Option(help="Number of seeds for each step, except steps that set their own.")] = 0,
    folds: Annotated[
        int,
        typer.Option(
            help="Cross-validation: one run for each of this many folds; for sources with folds, such as ckplus with 10."
        ),
    ] = 0,
    resume: Annotated[str, typer.Option(help="Continue the run in this folder.")] = "",
    from_: Annotated[
        str,
        typer.Option(
            "--from", help="Start a new run with the recipe of this run folder, and reuse its finished steps."
        ),
    ] = "",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(help="Number of processes or GPUs on this machine.")] = 1,
    nodes: Annotated[int, typer.Option(help="Number of machines, with torchrun or SLURM.")] = 1,
    precision: Annotated[str, typer.Option(help="auto, fp32, or bf16 if the device supports it.")] = "auto",
    allow: Allow = False,
    plugin: Plugin = None,
) -> None:
    """Run a recipe: train, distil, compress, export and evaluate models."""
    plugins.load_files(plugin or [])
    from facelet.measure.comparison.runs import FOLDS
    from facelet.recipes.folds import resume_folds, run_folds
    from facelet.recipes.runner import run as run_recipe
    from facelet.step import Hardware

    if resume and (recipe or faces or also or pairs or only or out or set_ or profile or seeds or folds or from_):
        raise FaceletError(
            "--resume continues a run with its own settings; leave out the recipe, --faces, --also, --pairs, --only, --set, "
            "--profile, --seeds, --folds, --out, --from"
        )
    if folds and from_:
        raise FaceletError("--from reuses one run, and --folds makes several; give one of them")
    settings = [*(set_ or []), *([f"seeds={seeds}"] if seeds else [])]
    hardware = Hardware(device, devices, nodes, precision)
    try:
        if resume and (Path(resume) / FOLDS).exists():
            resume_folds(resume, hardware=hardware, console=console)
            return
        start = partial(run_folds, folds) if folds else partial(run_recipe, resume=resume, reuse=from_)
        start(
            recipe,
            faces=faces,
            also=also or [],
            pairs=pairs,
            only=[name for name in only.split(",") if name],
            out=out,
            settings=settings,
            profile=profile,
            hardware=hardware,
            console=console,
        )
    except KeyboardInterrupt as error:  # Typer would drop the message of a KeyboardInterrupt
        raise typer.Abort(str(error)) from None


def recipes(name: Annotated[str, typer.Argument(help="Print this recipe.")] = "") -> None:
    """List the recipes, or print one."""
    if name:
        from facelet.recipes import presets

        print(presets.text_of(name), end="")
    else:
        console.print(table(console.width))


def table(width: int = WIDE) -> Table:
    """Table with a row per recipe: name, title, models, and the paper if ``width`` is at least WIDE.

    Users type the names, so their columns are wide enough for the longest name.
    """
    import yaml

    from facelet.recipes.presets import names, text_of

    contents = {name: yaml.safe_load(text_of(name)) for name in names()}
    models = {name: [str(step["as"]) for step in recipe["steps"]] for name, recipe in contents.items()}
    rows = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    rows.add_column("recipe", min_width=max(map(len, contents)), overflow="fold")
    rows.add_column("title", overflow="fold")
    longest = max(len(step) for steps in models.values() for step in steps)
    rows.add_column("makes", min_width=longest + 1, overflow="fold")
    if width >= WIDE:
        rows.add_column("paper", overflow="fold")
    for name, recipe in contents.items():
        paper = [str(recipe.get("paper", ""))] * (width >= WIDE)
        rows.add_row(name, recipe["title"], ", ".join(models[name]), *paper)
    return rows
