"""End of a run: times all models side by side, then writes and prints ledger and report."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from rich.console import Console

from facelet.faces.inspect.overlap import overlap
from facelet.io import files
from facelet.measure.efficiency.cost import file_cost
from facelet.measure.efficiency.latency import TIMED, Latency, bench
from facelet.measure.efficiency.machine import Machine, machine
from facelet.measure.ledger.effort import unequal_steps
from facelet.measure.ledger.exports import as_csv, as_latex
from facelet.measure.ledger.ledger import Ledger, Row, compared
from facelet.measure.ledger.row import figures
from facelet.measure.ledger.shareable import shareable_command, shareable_recipe
from facelet.measure.ledger.table import markdown, show
from facelet.measure.metrics.intervals import Difference, difference_over_seeds
from facelet.measure.report.report import write_report
from facelet.measure.verification import PairScores
from facelet.recipes.context import RunContext
from facelet.recipes.controls import compared_with
from facelet.recipes.result import MeasuredStep, Result, difference, read_done
from facelet.recipes.schema import Recipe, dump
from facelet.step import StepResult
from facelet.text import duration


def finish(work: RunContext, done: list[MeasuredStep], console: Console) -> Ledger:
    """Writes ledger and report of a run with all steps finished, and prints the ledger."""
    folder, recipe, faces = work.folder, work.recipe, work.faces
    where = machine()  # before it adds its own load
    with console.status("timing the models side by side"):
        times = bench([_file(measured) for measured in done], faces=faces.split("val").images[:TIMED])
    pairs = sorted(zip(done, times, strict=True), key=lambda pair: pair[0].control)
    ledger = Ledger(_row(measured, latency, where, recipe) for measured, latency in pairs)
    tests = {(measured.step.name, measured.seed): measured.test for measured in done}
    for row in list(ledger.rows):
        # A model with fewer seeds is compared by its last seed.
        other = next((key for seed in range(row.seed, -1, -1) if (key := (row.against, seed)) in tests), None)
        if other:
            beside = ledger.find(*other)
            row = row.model_copy(update={"unequal_steps": unequal_steps(row, beside, ledger.rows)})
            ledger.add(compared(row, beside, difference(tests[row.name, row.seed], tests[other])))
        else:
            ledger.add(compared(row, None))
    ledger.save(folder / "ledger.json")
    ledger.paired = _paired(ledger, tests)
    notes = [f"latency: {where.warning}"] if where.warning else []
    made = _made_faces(folder, recipe)
    trained = sum(row.seconds for row in ledger.rows) + sum(result.spent["seconds"] for result, _ in made.values())
    notes += [f"{label}: {note}" for label, (result, _) in made.items() for note in result.notes]
    on_pairs = any(isinstance(measured.test, PairScores) for measured in done)
    if on_pairs:
        notes += [f"pairs: {work.pairs['test'].protocol}", *work.pairs["test"].notes]
        notes += [str(overlap(faces, work.pairs["test"]))] if recipe.pairs else []
    files.write_text(
        folder / "ledger.md",
        markdown(
            ledger,
            title=recipe.title,
            protocol=str(faces.protocol),
            machine=str(where),
            budget=f"{duration(trained)} of training in total",
            notes=notes,
        ),
    )
    files.write_text(folder / "ledger.csv", as_csv(ledger))
    files.write_text(folder / "ledger.tex", as_latex(ledger, caption=recipe.title, protocol=str(faces.protocol)))
    write_report(
        folder / "report.html",
        title=recipe.title,
        paper=recipe.paper,
        about=recipe.about,
        ledger=ledger,
        machine=str(where),
        protocol=faces.protocol,
        evaluations={measured.label: measured.test for measured in done if measured.seed == 0},
        curves={measured.label: read_curves(measured.folder / "curves.csv") for measured in done},
        stopping={
            measured.label: files.read_json(measured.folder / measured.step.artifacts["stopping"])
            for measured in done
            if "stopping" in measured.step.artifacts
        },
        trained=trained,
        made={label: rows for label, (_, rows) in made.items()},
        faces=work.pairs["test"] if on_pairs else faces.split("test"),
        notes=notes,
        recipe_text=shareable_recipe(dump(recipe)),
        command=shareable_command(str(files.read_json(folder / "run.json")["command"])),
    )
    console.print()
    show(ledger, console)
    if where.warning:
        console.print(f"[yellow]latency: {where.warning}[/]")
    console.print(
        f"\nreport  {folder / 'report.html'}\nledger  {folder / 'ledger.md'}, .json, .csv and .tex", soft_wrap=True
    )
    return ledger


def _made_faces(folder: Path, recipe: Recipe) -> dict[str, tuple[StepResult, list[dict[str, Any]]]]:
    """Returns for each step that made faces, by label, its result and the quality per class with the path of a picture."""
    made = {}
    for seed, steps in enumerate(recipe.rounds()):
        for step in (step for step, _ in steps if step.makes == "faces"):
            label = step.name if seed == 0 else f"{step.name}-s{seed}"
            place = folder / "steps" / label
            rows = [
                {**row, "picture": place / row["picture"]}
                for row in files.read_json(place / step.artifacts["synthetic"])
            ]
            made[label] = (read_done(place)[2], rows)
    return made


def read_curves(path: Path) -> list[dict[str, float]]:
    """Returns the rows of a ``curves.csv``; an empty list for steps that do not train."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as lines:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(lines)]


def _file(measured: MeasuredStep) -> Path:
    assert measured.made.onnx is not None
    return measured.made.onnx


def _row(measured: MeasuredStep, latency: Latency, where: Machine, recipe: Recipe) -> Row:
    cost = file_cost(_file(measured))
    return Row(
        name=measured.step.name,
        parent=next(iter(measured.step.needs()), ""),
        needs=measured.step.needs(),
        compare=compared_with(measured.step, measured.control, recipe),
        step=measured.step.do,
        kind=measured.step.kind,
        seed=measured.seed,
        control=measured.control,
        precision=latency.precision,
        val_accuracy=measured.val.accuracy,
        params=latency.params or cost.params,
        macs=cost.macs,
        bytes=cost.bytes,
        p50_ms=latency.p50_ms,
        p95_ms=latency.p95_ms,
        mean_ms=latency.mean_ms,
        machine=str(where),
        allowance=measured.step.allowed(),
        seconds=measured.made.spent.get("seconds", 0.0),
        steps=round(measured.made.spent.get("steps", 0)),
        timed=measured.step.timed(),
        starts_from=measured.step.starts_from() or "",
        notes=list(measured.made.notes),
        **figures(measured.test),
    )


def _paired(ledger: Ledger, tests: dict[tuple[str, int], Result]) -> Difference | None:
    """Returns the accuracy of the smallest model minus that of the first, paired by face, over all seeds."""
    ends = ledger.ends()
    if ends is None:
        return None
    first, small = (end.row.name for end in ends)
    both = [seed for name, seed in tests if name == first and (small, seed) in tests]
    return difference_over_seeds([difference(tests[small, seed], tests[first, seed]) for seed in both])
