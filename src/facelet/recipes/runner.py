"""Runs a recipe: prints the plan, takes the steps, measures every model, ends with ledger and report. Killed, it resumes.

>>> folder = run("tsnet", faces="toy?faces=600", out="runs/try")

A finished step leaves ``done.json`` in its folder, written last; a run that is resumed takes up the first step without one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

import facelet
from facelet import files
from facelet.errors import FaceletError
from facelet.faces import FaceSet, Protocol
from facelet.faces import load as load_faces
from facelet.faces.sources import parse_source
from facelet.recipes import schema
from facelet.recipes.finish import finish
from facelet.recipes.lock import locked
from facelet.recipes.measured import Measured, measure
from facelet.recipes.plan import show_plan
from facelet.shrink.export import export_checkpoint
from facelet.step import Job, Made, Step


@dataclass(frozen=True)
class Hardware:
    """Where training happens: device "auto", "cpu" or "cuda"; devices and nodes for DDP; precision "auto", "fp32", "bf16"."""

    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "auto"


def run(
    recipe: str = "tsnet",
    *,
    faces: str = "",
    out: str | Path = "",
    settings: Sequence[str] = (),
    profile: str = "",
    resume: str | Path = "",
    hardware: Hardware | None = None,
    console: Console | None = None,
) -> Path:
    """Runs ``recipe`` (a name or a YAML path) on ``faces`` (a written source) into ``out``; returns the run's folder.

    ``resume`` names a run's folder to continue instead; nothing else of a run may change then, except its hardware.
    Raises FaceletError for the user's mistakes, all found before anything is spent where that is possible.
    """
    console = console or Console()
    hardware = hardware or Hardware()
    if resume:
        folder = Path(resume)
        if not (folder / "run.json").exists():
            raise FaceletError(
                f"{folder} holds no run to resume (no run.json); start one with: facelet run RECIPE --out {folder}"
            )
        chosen = schema.load(str(folder / "recipe.yaml"))
    else:
        chosen = _choose(recipe, faces, profile, list(settings))
        folder = Path(out or Path("runs") / Path(recipe).stem)
        if (folder / "run.json").exists():
            raise FaceletError(
                f"{folder} holds a run already; continue it with: facelet run --resume {folder}, or choose another --out"
            )
    with locked(folder):
        face_set = read_faces(chosen.faces)
        _open(folder, recipe, chosen, face_set.protocol, bool(resume))
        show_plan(chosen, face_set, folder, console)
        done: list[Measured] = []
        for seed in range(chosen.seeds):
            models: dict[str, Made] = {}
            for step, control in chosen.all_steps():
                result = _take(step, control, seed, folder, face_set, models, chosen, hardware, console)
                models[step.name] = result.made
                done.append(result)
        finish(folder, chosen, face_set, done, console)
    return folder


def read_faces(choice: schema.FacesChoice) -> FaceSet:
    """The faces a recipe names, with train and val and, to be honest about anything, test faces."""
    place = f"{choice.source}:{choice.path}" if choice.path else choice.source
    faces = load_faces(place, size=choice.size, channels=choice.channels, **choice.options)
    for split in ("train", "val", "test"):
        if not faces.has(split):
            raise FaceletError(f"a recipe needs train, val and test faces, and {place} has no {split} faces")
    return faces


def _choose(recipe: str, faces: str, profile: str, settings: list[str]) -> schema.Recipe:
    """The recipe with faces, profile and settings laid over it; toy faces bring the toy profile unless another is asked."""
    if faces:
        source, path, options = parse_source(faces)
        written = [
            f"faces.source={json.dumps(source)}",
            f"faces.path={json.dumps(path)}",
        ]  # quoted: not YAML's null or 1
        settings = written + [f"faces.{key}={json.dumps(value)}" for key, value in options.items()] + settings
    plain = schema.load(recipe, settings=settings)
    if not profile and plain.faces.source == "toy" and "toy" in plain.profiles:
        profile = "toy"
    return schema.load(recipe, profile=profile, settings=settings)


def _open(folder: Path, name: str, recipe: schema.Recipe, protocol: Protocol, resumed: bool) -> None:
    """Writes run.json and recipe.yaml, or holds a resumed run to the faces it began with."""
    if resumed:
        Protocol.from_json(files.read_json(folder / "run.json")["protocol"]).require_same(protocol)
        return
    files.write_text(folder / "recipe.yaml", schema.dump(recipe))
    files.write_json(
        folder / "run.json",
        {
            "recipe": name,
            "facelet": facelet.__version__,
            "command": " ".join(["facelet", *sys.argv[1:]]),
            "protocol": protocol.to_json(),
        },
    )


def _take(
    step: Step,
    control: bool,
    seed: int,
    folder: Path,
    faces: FaceSet,
    models: dict[str, Made],
    recipe: schema.Recipe,
    hardware: Hardware,
    console: Console,
) -> Measured:
    """One step of one seed: done already, or run, exported, measured and marked as done."""
    label = step.name if seed == 0 else f"{step.name}-s{seed}"
    place = folder / "steps" / label
    if (place / "done.json").exists():
        console.print(f"[dim]{label}: done before[/dim]")
        return Measured.read(place, step, control)
    place.mkdir(parents=True, exist_ok=True)
    console.rule(f"[bold]{label}[/bold]  {step.do}", align="left", style="dim")
    start = time.perf_counter()
    job = Job(
        name=step.name,
        folder=place,
        faces=faces,
        models=models,
        seed=seed,
        device=hardware.device,
        devices=hardware.devices,
        nodes=hardware.nodes,
        precision=hardware.precision,
        say=console.print,
        recipe=recipe.title,
    )
    made = step.run(job)
    spent = {"seconds": time.perf_counter() - start, **made.spent}
    target = folder / f"{label}.onnx"
    described: dict[str, Any] = {
        "name": label,
        "parent": next(iter(step.needs()), ""),
        "recipe": recipe.title,
        "step": step.do,
        "seed": seed,
    }
    if made.onnx is None:
        assert made.net is not None
        export_checkpoint(made.net, target, faces, crop=recipe.crop, described=described)
    else:
        made.onnx.replace(target)
    made = replace(made, onnx=target, spent=spent)
    result = measure(step, control, made, place, faces, described)
    console.print(escape(result.line()))
    return result
