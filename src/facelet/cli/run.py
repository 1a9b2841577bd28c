"""`facelet run` and `facelet recipes`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from facelet import plugins
from facelet.cli.options import Allow, Plugin, console
from facelet.errors import FaceletError

WIDE = 110
"""Columns of a console that has room for the papers."""


def run(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or a YAML file; tsnet when not given.")] = "",
    faces: Annotated[str, typer.Option(help="Source of faces: toy, ferplus:PATH, folder:PATH, pack:FILE ...")] = "",
    also: Annotated[list[str] | None, typer.Option(help="A further source, as faces:PATH of unknown people.")] = None,
    pairs: Annotated[str, typer.Option(help="Pairs to measure models of identity on, as lfw:PATH.")] = "",
    only: Annotated[str, typer.Option(help="Run only these steps and their dependencies, as plain,linear.")] = "",
    out: Annotated[str, typer.Option(help="Folder of the run; runs/RECIPE when not given.")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, as steps.teacher.epochs=10.")] = None,
    profile: Annotated[str, typer.Option(help="A profile of the recipe, such as cpu.")] = "",
    seeds: Annotated[
        int, typer.Option(help="Run every step with this many seeds, but for steps with a number of their own.")
    ] = 0,
    resume: Annotated[str, typer.Option(help="Continue the run in this folder.")] = "",
    from_: Annotated[
        str, typer.Option("--from", help="Start a new run with the recipe of this one, and reuse its finished steps.")
    ] = "",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(help="Processes or GPUs on this machine.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines, under torchrun or SLURM.")] = 1,
    precision: Annotated[str, typer.Option(help="auto, fp32, or bf16 where the device has it.")] = "auto",
    allow: Allow = False,
    plugin: Plugin = None,
) -> None:
    """Train, distil, shrink, export and measure: a whole recipe."""
    plugins.load_files(plugin or [])
    from facelet.recipes.runner import run as run_recipe
    from facelet.step import Hardware

    if resume and (recipe or faces or also or pairs or only or out or set_ or profile or seeds or from_):
        raise FaceletError(
            "--resume goes on with the run as it is; leave out recipe, --faces, --also, --pairs, --only, --set, --profile, "
            "--seeds, --out, --from"
        )
    settings = [*(set_ or []), *([f"seeds={seeds}"] if seeds else [])]
    hardware = Hardware(device, devices, nodes, precision)
    try:
        run_recipe(
            recipe,
            faces=faces,
            also=also or [],
            pairs=pairs,
            only=[name for name in only.split(",") if name],
            out=out,
            settings=settings,
            profile=profile,
            resume=resume,
            reuse=from_,
            hardware=hardware,
            console=console,
        )
    except KeyboardInterrupt as error:  # of which Typer would keep the exit code alone
        raise typer.Abort(str(error)) from None


def recipes(name: Annotated[str, typer.Argument(help="Show this one.")] = "") -> None:
    """List the recipes, or show one."""
    if name:
        from facelet.recipes import presets

        print(presets.text_of(name), end="")
    else:
        console.print(table(console.width))


def table(width: int = WIDE) -> Table:
    """One row per recipe: name, title, models it makes, and where ``width`` columns have room for it the paper.

    Names are what a user types, so their columns are never narrower than the longest.
    """
    import yaml

    from facelet.recipes.presets import names, text_of

    found = {name: yaml.safe_load(text_of(name)) for name in names()}
    made = {name: [str(step["as"]) for step in recipe["steps"]] for name, recipe in found.items()}
    rows = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    rows.add_column("recipe", min_width=max(map(len, found)), overflow="fold")
    rows.add_column("title", overflow="fold")
    longest = max(len(step) for steps in made.values() for step in steps)
    rows.add_column("makes", min_width=longest + 1, overflow="fold")
    if width >= WIDE:
        rows.add_column("paper", overflow="fold")
    for name, recipe in found.items():
        paper = [str(recipe.get("paper", ""))] * (width >= WIDE)
        rows.add_row(name, recipe["title"], ", ".join(made[name]), *paper)
    return rows
