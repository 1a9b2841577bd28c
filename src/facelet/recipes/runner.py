"""Runs a recipe: prints the plan, runs the steps, measures every model, writes ledger and report. A killed run can resume.

>>> folder = run("tsnet", faces="toy?faces=600", out="runs/try")

A finished step has ``done.json`` in its folder, written last; a resumed run continues with the first step without it.
Under torchrun or srun every process calls ``run``; see recipes/followers.py.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

import facelet
from facelet.errors import FaceletError
from facelet.faces.loading import parse_source
from facelet.io import files
from facelet.learn.device import precision
from facelet.learn.device.launch import launch
from facelet.measure.efficiency.machine import machine
from facelet.recipes import schema
from facelet.recipes.context import RunContext, read_faces
from facelet.recipes.finish import finish
from facelet.recipes.followers import follow, leading
from facelet.recipes.lock import locked
from facelet.recipes.plan import show_plan
from facelet.recipes.result import MeasuredStep, measure, read_done, write_done
from facelet.recipes.reuse import (
    choose,
    free_folder,
    hashes,
    pairs_hash,
    recipe_of,
    require_apart,
    require_same_faces,
    require_same_pairs,
    take_over,
    unfinished,
)
from facelet.shrink.export import export_checkpoint
from facelet.step import Hardware, Step, StepResult

CONTINUE = "facelet run --resume RUN"
"""Placeholder in the errors of steps for the command that continues the run."""

__all__ = ["Hardware", "run", "written"]


def run(
    recipe: str = "",
    *,
    faces: str = "",
    also: Sequence[str] = (),
    pairs: str = "",
    only: Sequence[str] = (),
    out: str | Path = "",
    settings: Sequence[str] = (),
    profile: str = "",
    resume: str | Path = "",
    reuse: str | Path = "",
    hardware: Hardware | None = None,
    console: Console | None = None,
) -> Path:
    """Runs a recipe and returns the run's folder.

    Args:
        recipe: name of a recipe, or path of a YAML file; default: tsnet, or the recipe of ``reuse``.
        faces: source of faces, as "ferplus:PATH"; default: that of the recipe.
        also: further sources of faces.
        pairs: source of pairs on which identity models are measured.
        only: names of steps; runs only these and their dependencies.
        out: folder of the run; default: "runs/RECIPE", or an unused name next to ``reuse``.
        settings: overrides as KEY=VALUE.
        profile: profile of the recipe to apply.
        resume: folder of a run to continue; only the hardware may change.
        reuse: folder of an earlier run whose finished steps are reused if their results would be the same.
        hardware: device, precision and number of processes.
        console: for output.

    Raises FaceletError for mistakes of the user, before the run starts where possible.
    """
    console, hardware = console or Console(), hardware or Hardware()
    started, earlier = launch(), Path(reuse) if reuse else None
    if earlier:
        recipe, out = _begun_from(earlier, recipe, out, alone=started is None)
    recipe = recipe or "tsnet"
    folder = Path(resume or out or Path("runs") / Path(recipe).stem)
    if started:
        started.require(hardware.devices, hardware.nodes)
        if started.rank > 0:
            follow(folder, hardware, started)
            return folder
    with leading(folder, started) as begin:
        if resume:
            chosen = _resumed(folder)
        else:
            chosen = _with_more(_fresh(folder, recipe, faces, profile, settings), also, pairs)
            chosen = schema.only(chosen, only) if only else chosen
        with locked(folder):
            work = RunContext(chosen, read_faces(chosen.faces, chosen.pairs), folder, hardware, console.print, console)
            if resume:
                require_same_faces(work, folder)
                require_same_pairs(work, folder)
                earlier = unfinished(folder)
            choices = choose(work, earlier) if earlier else []
            show_plan(chosen, work.faces, folder, console, [choice.step.name for choice in choices if not choice.why])
            for choice in choices:
                console.print(escape(str(choice)), soft_wrap=True)
            _require_pairs(work)
            if not resume:
                _begin(work, recipe, earlier)
            with _saying_how_to_continue(folder):
                if earlier:
                    take_over(work, choices, earlier)
                begin()
                finish(work, _steps(work, console), console)
    return folder


def _steps(work: RunContext, console: Console) -> list[MeasuredStep]:
    """Runs all steps of all seeds."""
    done: list[MeasuredStep] = []
    for seed, steps in enumerate(work.recipe.rounds()):
        models: dict[str, StepResult] = {}
        for step, control in steps:
            result = _take(work, step, control, seed, models, console)
            if isinstance(result, MeasuredStep):
                done.append(result)
                models[step.name] = result.made
            else:
                models[step.name] = result
    return done


@contextmanager
def _saying_how_to_continue(folder: Path) -> Iterator[None]:
    """Context that puts the run's folder into errors in place of RUN, and adds the command to an interrupt."""
    command = f"facelet run --resume {shlex.quote(str(folder))}"
    try:
        yield
    except FaceletError as error:
        if CONTINUE not in str(error):
            raise
        raise FaceletError(str(error).replace(CONTINUE, command)) from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"continue with: {command}") from None


def _begun_from(run: Path, recipe: str, out: str | Path, alone: bool) -> tuple[str, str | Path]:
    """Returns recipe and folder of a new run that reuses steps of ``run``. Raises FaceletError when this is not possible."""
    previous = recipe_of(run)
    if not (out or alone):
        raise FaceletError("--from needs --out here, a new folder that all processes share")
    if out:
        require_apart(run, Path(out))
    return recipe or str(previous), out or free_folder(run)


def _resumed(folder: Path) -> schema.Recipe:
    if not (folder / "run.json").exists():
        raise FaceletError(
            f"{folder} holds no run to resume (no run.json); start one with: "
            f"facelet run RECIPE --out {shlex.quote(str(folder))}"
        )
    return schema.load(str(folder / "recipe.yaml"))


def _fresh(folder: Path, recipe: str, faces: str, profile: str, settings: Sequence[str]) -> schema.Recipe:
    chosen = _choose(recipe, faces, profile, list(settings))
    if (folder / "run.json").exists():
        raise FaceletError(
            f"{folder} already holds a run; continue it with: "
            f"facelet run --resume {shlex.quote(str(folder))}, or choose another --out"
        )
    return chosen


def _choose(recipe: str, faces: str, profile: str, settings: list[str]) -> schema.Recipe:
    """Returns the recipe with profile, faces and settings applied; toy faces select the toy profile by default."""
    plain = schema.load(recipe, settings=settings)
    source = parse_source(faces)[0] if faces else plain.faces.source
    if not profile and source == "toy" and "toy" in plain.profiles:
        profile = "toy"
    chosen = schema.load(recipe, profile=profile, settings=settings)
    if not faces:
        return chosen
    return chosen.model_copy(update={"faces": written(faces, chosen.faces, settings)})


def _with_more(recipe: schema.Recipe, also: Sequence[str], pairs: str) -> schema.Recipe:
    """Returns the recipe with further sources. Avoids YAML, which cannot represent every path."""
    if also:
        recipe = recipe.model_copy(update={"faces": recipe.faces.model_copy(update={"also": list(also)})})
    return recipe.model_copy(update={"pairs": pairs}) if pairs else recipe


def written(faces: str, before: schema.FacesChoice, settings: Sequence[str] = ()) -> schema.FacesChoice:
    """Returns the recipe's faces replaced by the source ``faces``; keeps size, channels and, for the same source, options.

    Avoids YAML, which cannot represent every path. ``settings`` for faces take precedence over ``faces``.
    """
    source, path, options = parse_source(faces)
    fixed = [setting.partition("=")[0].removeprefix("faces.") for setting in settings if setting.startswith("faces.")]
    kept = before.model_dump()
    others = {} if source == before.source else dict.fromkeys(before.options)
    value = {key: kept[key] for key in kept if key not in others} | {"source": source, "path": path} | options
    try:
        return schema.FacesChoice.model_validate(value | {key: kept[key] for key in fixed if key in kept})
    except ValidationError as error:
        first = error.errors()[0]
        raise FaceletError(f"--faces {faces}: {first['loc'][0]}: {first['msg']} (got {first['input']!r})") from None


def _require_pairs(work: RunContext) -> None:
    """Raises FaceletError when a recipe with identity models has no pairs, or one without has pairs."""
    if any(step.about_people() for step, _ in work.recipe.all_steps()):
        _ = work.pairs
    elif work.recipe.pairs:
        raise FaceletError(
            f"pairs ({work.recipe.pairs}) are for identity models, and no step of this recipe makes one; omit them"
        )


def _begin(work: RunContext, name: str, earlier: Path | None) -> None:
    """Writes ``recipe.yaml`` and ``run.json``, after the plan was checked."""
    folder, faces = work.folder, work.faces
    files.write_text(folder / "recipe.yaml", schema.dump(work.recipe))
    files.write_json(
        folder / "run.json",
        {
            "recipe": name,
            "facelet": facelet.__version__,
            "command": shlex.join(["facelet", *sys.argv[1:]]),
            "machine": _machine(work.hardware),
            "protocol": faces.protocol.to_json(),
            "pixels": faces.pixels_hash,
            **({"pairs": pairs_hash(work)} if work.recipe.pairs else {}),
            **({"from": {"run": str(earlier.resolve())}} if earlier else {}),
        },
    )


def _machine(hardware: Hardware) -> str:
    """Returns a description of the machine and the training device."""
    count, device = hardware.devices * hardware.nodes, precision.device_name(precision.pick_device(hardware.device))
    return f"{machine(watched=0)}; trained on {f'{count} x ' if count > 1 else ''}{device}"


def _take(
    work: RunContext, step: Step, control: bool, seed: int, models: dict[str, StepResult], console: Console
) -> MeasuredStep | StepResult:
    """Runs, exports and measures a step of one seed and marks it as done, or reads its earlier result.

    Synthetic faces are not measured.
    """
    label, place, recipe = work.label(step, seed), work.place(step, seed), work.recipe
    if (place / "done.json").exists():
        console.print(f"[dim]{label}: done before[/dim]")
        return read_done(place)[2] if step.makes == "faces" else MeasuredStep.read(place, step, control)
    place.mkdir(parents=True, exist_ok=True)
    console.rule(f"[bold]{label}[/bold]  {step.do}", align="left", style="dim")
    start, read = time.perf_counter(), hashes(step)
    made = replace(step.run(work.job(step, seed, models)), read=read)
    spent = {"seconds": time.perf_counter() - start, **made.spent}
    if step.makes == "faces":
        made = replace(made, spent=spent)
        write_done(place, label, seed, made)
        return made
    target = work.folder / f"{label}.onnx"
    described: dict[str, Any] = {
        "name": label,
        "parent": next(iter(step.needs()), ""),
        "recipe": recipe.title,
        "step": step.do,
        "seed": seed,
        **made.described,
    }
    if made.onnx is None:
        assert made.net is not None
        export_checkpoint(made.net, target, work.faces, crop=work.crop, described=described)
    else:
        made.onnx.replace(target)
    made = replace(made, onnx=target, spent=spent)
    result = measure(work, step, control, made, place, described)
    console.print(escape(result.line()))
    return result
