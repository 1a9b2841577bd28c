"""Reuses finished steps of an earlier run: `facelet run --from RUN --set steps.student.epochs=40`.

>>> choices = choose(work, Path("runs/tsnet"))
>>> for choice in choices: print(choice)
teacher: taken over from runs/tsnet
student: made anew; its settings differ: epochs 20 there, 40 here
>>> take_over(work, choices, Path("runs/tsnet"))

A step is reused if its settings, seed, faces and parents equal those of the earlier run, and the files that it read have the same
content. Trainings are checked by the same fingerprints as in a resumed run. Files are copied, so either run can be deleted.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import facelet
from facelet.errors import FaceletError
from facelet.faces import Protocol
from facelet.io import files
from facelet.models import model_file
from facelet.recipes import schema
from facelet.recipes.context import RunContext
from facelet.recipes.controls import counted
from facelet.recipes.result import MeasuredStep, read_done
from facelet.step import Step, StepResult

PART = ".part"
"""Suffix of a step's folder while it is copied."""
TAKEN = "taken over from the run"
"""Start of the ledger's note about a reused step."""
SHOWN = 40
"""Maximum number of characters of a setting's value in a reason."""


@dataclass(frozen=True)
class ReuseDecision:
    """Decision about a step and seed. ``why``: reason to run it again; "" if it is reused from ``run``."""

    label: str
    step: Step
    seed: int
    run: Path
    why: str = ""

    def __str__(self) -> str:
        return f"{self.label}: " + (f"made anew; {self.why}" if self.why else f"taken over from {self.run}")


def recipe_of(run: Path) -> Path:
    """Returns the recipe's path of the run in the folder ``run``. Raises FaceletError when there is no run."""
    if not (run / "run.json").exists():
        raise FaceletError(f"--from {run}: there is no run (no run.json); give the folder that `facelet run` filled")
    return (run / "recipe.yaml").absolute()


def free_folder(run: Path) -> Path:
    """Returns the first unused name like "runs/tsnet-2" for "runs/tsnet"."""
    run = run if run.name not in ("", "..") else run.resolve()
    return next(
        place for number in range(2, 1_000_000) if not (place := run.with_name(f"{run.name}-{number}")).exists()
    )


def require_apart(run: Path, out: Path) -> None:
    """Raises FaceletError when a new run would write into the earlier one."""
    if run.resolve() in (out.resolve(), *out.resolve().parents):
        raise FaceletError(
            f"--out {out} would write into the run of --from {run}; omit --out to use {free_folder(run)}"
        )


def require_same_faces(work: RunContext, run: Path) -> None:
    """Raises FaceletError unless ``work`` has the same faces as the run in the folder ``run``."""
    before = files.read_json(run / "run.json")
    Protocol.from_json(before["protocol"]).require_same(work.faces.protocol)
    if before["pixels"] != work.faces.pixels_hash:
        raise FaceletError(
            f"the pixels of the faces changed since {run} was started, under the same names and labels; "
            "choose another --out for a new run"
        )


def require_same_pairs(work: RunContext, run: Path) -> None:
    """Raises FaceletError if ``run`` recorded other content of the recipe's pairs than ``work`` has."""
    before = files.read_json(run / "run.json").get("pairs")
    if before and before != pairs_hash(work):
        raise FaceletError(
            f"the pairs {work.recipe.pairs} changed since {run} was started; choose another --out for a new run"
        )


def pairs_hash(work: RunContext) -> str:
    """Returns the hash of the recipe's pairs, with their pixels; "" for pairs that are drawn from the faces."""
    if not work.recipe.pairs:
        return ""
    pairs = work.pairs["test"]
    return f"{pairs.protocol.split_hash}-{pairs.pixels_hash}"


def choose(work: RunContext, run: Path) -> list[ReuseDecision]:
    """Decides for each step of ``work`` whether it can be reused from ``run``; writes nothing."""
    general, before = _difference(work, run)
    earlier = {step.name: step for step, _ in before.all_steps()} if before else {}
    old, choices = replace(work, folder=run), list[ReuseDecision]()
    for seed, steps in enumerate(work.recipe.rounds()):
        models: dict[str, StepResult] = {}
        for step, control in steps:
            copied, why = (work.place(step, seed) / "done.json").exists(), ""
            if not copied:  # by an earlier start of this run that was killed
                why = general or _changed(step, earlier.get(step.name)) or _remade(step, models, work.recipe)
                why = why or _unfit(old, step, control, seed, models)
            if not why:
                models[step.name] = read_done((work if copied else old).place(step, seed))[2]
            choices.append(ReuseDecision(work.label(step, seed), step, seed, run, why))
    return choices


def take_over(work: RunContext, choices: Sequence[ReuseDecision], run: Path) -> None:
    """Copies reused steps into the new run's folder; a step's folder is renamed into place last, when it is complete."""
    steps, path = work.folder / "steps", work.folder / "run.json"
    steps.mkdir(exist_ok=True)
    try:
        for torn in steps.glob(f".*{PART}"):
            shutil.rmtree(torn)
        for choice in choices:
            if not choice.why and not (steps / choice.label / "done.json").exists():
                _copy(run, work.folder, choice)
    except OSError as error:
        raise FaceletError(
            f"cannot copy {error.filename or run} into {work.folder}: {error.strerror or error}; "
            "continue with `facelet run --resume RUN`"
        ) from None
    record = files.read_json(path)
    record["from"] |= {
        "taken_over": [choice.label for choice in choices if not choice.why],
        "made_anew": {choice.label: choice.why for choice in choices if choice.why},
    }
    files.write_json(path, record)


def unfinished(folder: Path) -> Path | None:
    """Returns the earlier run if the run in ``folder`` was killed before all reusable steps were copied; else None."""
    begun = files.read_json(folder / "run.json").get("from")
    return Path(begun["run"]) if begun and "taken_over" not in begun else None


def _difference(work: RunContext, run: Path) -> tuple[str, schema.Recipe | None]:
    """Returns the reason why nothing of the run can be reused ("" if steps may be), and the run's recipe."""
    if not (run / "run.json").exists():
        return f"{run} does not exist any more", None
    version = files.read_json(run / "run.json").get("facelet")
    if version != facelet.__version__:
        return f"{run} was made by Facelet {version}, and this is {facelet.__version__}", None
    before = schema.load(str(recipe_of(run)))
    people = any(step.about_people() for step, _ in work.recipe.all_steps())
    for key in ("crop", *(("far", "pairs") if people else ())):
        new, old = getattr(work.recipe, key), getattr(before, key)
        if new != old:
            return f"{key} differs: {_short(old)} there, {_short(new)} here", before
    try:
        require_same_faces(work, run)
    except FaceletError:
        return "the faces differ", before
    if people and pairs_hash(work) != files.read_json(run / "run.json").get("pairs", ""):
        return f"the content of the pairs {work.recipe.pairs} differs, or was not recorded there", before
    new, old = (_options(recipe) for recipe in (work.recipe, before))
    return "" if new == old else f"options of the faces differ: {_short(old)} there, {_short(new)} here", before


def _options(recipe: schema.Recipe) -> dict[str, str]:
    """Returns the options of the faces that may affect more than names, labels and pixels, such as licence or votes."""
    more = {"also": recipe.faces.also} if recipe.faces.also else {}
    return {key: str(value) for key, value in (recipe.faces.options | more).items()}


def _changed(step: Step, before: Step | None) -> str:
    """Returns the differing settings that change the result, or "" if there are none."""
    if before is None:
        return "there is no step of that name there"
    new, old = (
        each.model_dump(mode="json", by_alias=True, exclude=set(each.without_effect)) for each in (step, before)
    )
    different = [
        f"{key} {_short(old.get(key))} there, {_short(new.get(key))} here"
        for key in {**new, **old}
        if new.get(key) != old.get(key)
    ]
    return f"its settings differ: {'; '.join(different)}" if different else ""


def _remade(step: Step, taken: dict[str, StepResult], recipe: schema.Recipe) -> str:
    again = [name for name in (*step.needs(), *step.needs_faces()) if name not in taken]
    if again:
        return f"{again[0]}, which it needs, is made anew"
    trainings = counted(step, recipe)
    again = [each.name for each in (*trainings.more, *trainings.less) if each.name not in taken] if trainings else []
    return f"{again[0]}, whose number of steps it takes, is made anew" if again else ""


def _unfit(old: RunContext, step: Step, control: bool, seed: int, models: dict[str, StepResult]) -> str:
    """Returns why the earlier result of a step with the same settings and parents cannot be reused, or ""."""
    place = old.place(step, seed)
    if not (place / "done.json").exists():
        return "it is not finished there" if place.exists() else "it was not started there"
    try:
        result = read_done(place)[2]
        missing = [path.name for path in (result.onnx, result.net, result.faces) if path and not path.exists()]
        if missing:
            return f"{missing[0]} is missing there"
        if step.makes == "model":
            MeasuredStep.read(place, step, control)
            model_file.read(old.folder / f"{place.name}.onnx")
    except (FaceletError, KeyError, TypeError) as error:
        return f"its files are damaged there: {error}"
    changed = _reread(step, result.read)
    try:
        return "" if step.check_kept(old.job(step, seed, models)) else changed
    except FaceletError:
        return changed or "the files there are from another training"


def hashes(step: Step) -> dict[str, list[str]]:
    """Returns the SHA-256 of the files that ``step`` reads, by key; "" for a folder, a pipe and what cannot be read."""
    return {key: [_hash(path) for path in paths] for key, paths in step.reads().items()}


def _hash(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _reread(step: Step, before: Mapping[str, Sequence[str]]) -> str:
    """Returns why the content of the files that ``step`` reads is not that of ``before``, or ""."""
    for key, now in hashes(step).items():
        if not (before.get(key) and all(before[key])):
            return f"the content of the file that it read ({key}) was not recorded there"
        if list(before[key]) != now:
            return f"another file was read there ({key})"
    return ""


def _short(value: object) -> str:
    text = "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _copy(run: Path, folder: Path, choice: ReuseDecision) -> None:
    """Copies a step's model, its predictions for students, and its folder with the marker file."""
    label, steps = choice.label, run / "steps"
    for path in (run / f"{label}.onnx", *steps.glob(f"answers-{choice.step.name}-*.npz")):
        if path.exists():
            with files.writing(folder / path.relative_to(run)) as beside:
                shutil.copyfile(path, beside)
    part = folder / "steps" / f".{label}{PART}"
    shutil.copytree(steps / label, part, ignore=shutil.ignore_patterns(".*"), copy_function=_copy_file)
    done = files.read_json(part / "done.json")
    if not any(line.startswith(TAKEN) for line in done["notes"]):  # may have been reused there, too
        there, here = (files.read_json(place / "run.json").get("machine", "") for place in (run, folder))
        done["notes"].append(f"{TAKEN} {run.resolve().name}" + (f" ({there})" if there and there != here else ""))
    files.write_json(part / "done.json", done)
    part.rename(folder / "steps" / label)


def _copy_file(source: str, target: str) -> None:
    """Copies a file and syncs it to disk, because the folder is renamed next; timestamps are not copied."""
    shutil.copyfile(source, target)
    with open(target, "rb+") as copied:
        os.fsync(copied.fileno())
