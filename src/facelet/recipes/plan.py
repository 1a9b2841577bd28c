"""The plan of a run, printed before it starts: faces, steps, sizes, expected time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facelet.faces import FaceSet
from facelet.faces.inspect.summary import training_warnings
from facelet.recipes.controls import counted
from facelet.recipes.schema import Recipe
from facelet.step import Plan, Step
from facelet.text import amount, duration


def _plan(step: Step, recipe: Recipe, faces: FaceSet, specs: Mapping[str, Any], plans: Mapping[str, Plan]) -> Plan:
    """Returns the step's plan, with a control's minutes replaced by steps where needed. ``plans``: of earlier steps."""
    trainings = counted(step, recipe)
    if trainings is None:
        return step.plan(faces, specs)
    plan = step.as_long_as(trainings.names).plan(faces, specs)
    seconds = _equal(plan, [plans[each.name] for each in trainings.more]) - _equal(
        plan, [plans[each.name] for each in trainings.less]
    )
    return replace(plan, seconds=max(0.0, seconds))


def _equal(plan: Plan, others: Sequence[Plan]) -> float:
    """Returns the expected seconds of ``plan`` for as many optimizer steps as ``others`` take."""
    return sum((other.seconds or 0.0) * plan.per_step / other.per_step for other in others)


def show_plan(recipe: Recipe, faces: FaceSet, folder: Path, console: Console, taken: Sequence[str] = ()) -> None:
    """Prints the plan. Raises FaceletError when a step cannot run.

    ``taken``: names of steps that are reused from an earlier run, once per seed.
    """
    specs: dict[str, Any] = {}
    plans: dict[str, Plan] = {}
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("model", "what", "params", "MACs", "time"):
        figure = column in ("params", "MACs", "time")
        table.add_column(column, justify="right" if figure else "left", no_wrap=column != "what")
    total, unknown_times = 0.0, 0
    for step, control in recipe.all_steps():
        plans[step.name] = plan = _plan(step, recipe, faces, specs, plans)
        specs |= {step.name: plan.spec} if plan.spec is not None else {}
        seeds = recipe.seeds_of(step)
        left = seeds - taken.count(step.name)
        total += (plan.seconds or 0.0) * left
        unknown_times += plan.seconds is None and left > 0
        several = f", {seeds} seeds" if seeds != recipe.seeds else ""
        table.add_row(
            escape(step.name),
            escape(f"{'control: ' if control else ''}{step.do} {plan.text}{several}"),
            amount(plan.params) if plan.params else "",
            amount(plan.macs) if plan.macs else "",
            "taken over" if not left else duration(plan.seconds) if plan.seconds is not None else "",
            style="dim" if control else "",
        )
    console.print(f"[bold]{escape(recipe.title)}[/]  {escape(recipe.paper)}")
    console.print(f"faces  {escape(str(faces.protocol))}")
    for note in (*faces.notes, *training_warnings(faces)):
        console.print(f"       [yellow]{escape(note)}[/]", soft_wrap=True)
    console.print(f"into   {folder}" + (f", {recipe.seeds} seeds" if recipe.seeds > 1 else ""), soft_wrap=True)
    console.print(table)
    more = ", quantizing" if unknown_times else ""
    console.print(f"about {duration(total)} of training, plus exporting{more} and measuring\n")
