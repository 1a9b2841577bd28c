"""A recipe as data: faces, steps in order, controls. Read from YAML, every mistake named at once with the nearest valid key.

>>> recipe = load("tsnet", settings=["steps.teacher.epochs=10"])
>>> [step.name for step in recipe.steps]
['teacher', 'student', 'student-int8']
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import facelet.learn
import facelet.shrink  # noqa: F401  (both register their steps)
from facelet.errors import FaceletError, nearest, unknown
from facelet.models.model_file import Align
from facelet.recipes.overrides import mapping, override, scalar
from facelet.recipes.presets import text_of
from facelet.step import STEPS, Step


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FacesChoice(BaseModel):
    """Which faces, and also which. Keys beyond these are options of the source, checked when it is read."""

    model_config = ConfigDict(extra="allow")

    source: str = Field("toy", description="name of the source of faces")
    path: str = Field("", description="path that the source reads")
    size: int = Field(48, ge=8, le=512, description="side of the faces in pixels")
    channels: int | None = Field(None, description="1 for grey, 3 for RGB; default: as the source has them")
    also: list[str] = Field([], description="further sources, written as for `--faces`; all of them form one set")

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class CropChoice(_Keys):
    """How the models cut faces from photos; without a margin as wide as the faces that they learned from are framed."""

    align: Align = Field(
        "box", description="how faces are aligned: by the detector's box, by the eyes, or by five landmarks"
    )
    margin: float | None = Field(
        None,
        ge=-0.5,
        le=2.0,
        description="share of the box's side added on each side; default: as the training faces are framed",
    )


class Recipe(_Keys):
    """What is in a recipe file, after profiles and ``--set``."""

    title: str = Field(description="title of the recipe, shown in reports")
    paper: str = Field("", description="paper that the recipe follows")
    about: str = Field("", description="what the recipe does, in a sentence or two")
    faces: FacesChoice = Field(FacesChoice(), description="the training, validation and test faces")
    pairs: str = Field(
        "",
        description="pairs of faces to measure identity models on, as `lfw:PATH`; default: drawn from the test faces",
    )
    far: float = Field(
        0.001, gt=0, lt=1, description="false accept rate for which the threshold of an identity model is chosen"
    )
    crop: CropChoice = Field(CropChoice(), description="how the models cut faces out of photos")
    seeds: int = Field(1, ge=1, le=100, description="how often every step runs, each time with another seed")
    steps: list[Any] = Field(min_length=1, description="what is done, in order")
    controls: list[Any] = Field(
        [], description="steps whose models answer whether the method was the cause; they run after `steps`"
    )
    profiles: dict[str, dict[str, Any]] = Field(
        {}, description="named sets of settings for `--profile`, `key: value` as for `--set`"
    )

    def all_steps(self) -> list[tuple[Step, bool]]:
        """Steps, then controls, each with whether it is a control."""
        return [(step, False) for step in self.steps] + [(step, True) for step in self.controls]

    def seeds_of(self, step: Step) -> int:
        """How many seeds ``step`` is taken with: its own number, or else the recipe's."""
        return step.seeds or self.seeds

    def rounds(self) -> list[list[tuple[Step, bool]]]:
        """``all_steps`` of every seed, those left out that are taken with fewer seeds."""
        steps = self.all_steps()
        count = max(self.seeds_of(step) for step, _ in steps)
        return [[(step, control) for step, control in steps if seed < self.seeds_of(step)] for seed in range(count)]


def load(name: str, *, profile: str = "", settings: list[str] | tuple[str, ...] = ()) -> Recipe:
    """The recipe ``name``, with a profile's and then ``KEY=VALUE`` settings laid over it, and every step checked."""
    raw = mapping(text_of(name), name)
    if profile:
        profiles = check(raw, name).profiles
        if profile not in profiles:
            raise (
                unknown(f"profile of recipe {name!r}", profile, profiles)
                if profiles
                else FaceletError(f"recipe {name!r} has no profiles")
            )
        for key, value in profiles[profile].items():
            override(raw, key, value, Recipe.model_fields)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise FaceletError(f"--set {setting!r} should be KEY=VALUE, such as steps.teacher.epochs=10")
        override(raw, key, scalar(value), Recipe.model_fields)
    return check(raw, name)


def check(raw: dict[str, Any], name: str = "recipe") -> Recipe:
    """A Recipe from its mapping. Raises one FaceletError that names every mistake."""
    problems: list[str] = []
    recipe = None
    try:
        recipe = Recipe.model_validate(raw)
    except ValidationError as error:
        problems += _explain(error, Recipe, "")
    seen: dict[str, str] = {}
    made: dict[str, str] = {}
    parsed: dict[str, list[Step]] = {"steps": [], "controls": []}
    for room, found in parsed.items():
        values = raw.get(room)
        for number, value in enumerate(values if isinstance(values, list) else []):
            where = f"{room}.{value['as']}" if isinstance(value, dict) and "as" in value else f"{room}[{number}]"
            step = _step(value, where, problems)
            if step is None:  # its name is known all the same: one mistake, one message
                if isinstance(value, dict):
                    seen.setdefault(str(value.get("as")), where)
                continue
            found.append(step)
            for kind, needed in (("model", step.needs()), ("faces", step.needs_faces())):
                what = "model" if kind == "model" else "step that makes faces,"
                before = [name for name in seen if made.get(name, kind) == kind]
                problems += [
                    f"{where}: there is no {what} {need!r} before it"
                    + (f", did you mean {near!r}?" if (near := nearest(need, before)) else "")
                    for need in needed
                    if need not in before
                ]
            if step.name in seen:
                problems.append(f"{where}: {seen[step.name]} makes a model of that name already")
            seen[step.name], made[step.name] = where, step.makes
    for step in (*parsed["steps"], *parsed["controls"]):
        if step.against and step.makes == "faces":
            problems.append(f"{seen[step.name]}.against: it makes faces, and has no row to compare")
            continue
        others = [name for name in seen if name != step.name and made.get(name, "model") == "model"]
        if step.against and step.against not in others:
            near = nearest(step.against, others)
            problems.append(
                f"{seen[step.name]}.against: there is no other model {step.against!r}"
                + (f", did you mean {near!r}?" if near else "")
            )
    if problems:
        raise FaceletError(f"recipe {name!r} cannot be used:\n" + "\n".join(f"  - {problem}" for problem in problems))
    assert recipe is not None
    recipe = recipe.model_copy(update=parsed)
    _require_seeds(recipe, name)
    return recipe


def _require_seeds(recipe: Recipe, name: str) -> None:
    """Raises FaceletError for a step that is taken with more seeds than a model that it needs."""
    counts = {step.name: recipe.seeds_of(step) for step, _ in recipe.all_steps()}
    for step, _ in recipe.all_steps():
        for need in (*step.needs(), *step.needs_faces()):
            if counts[need] < counts[step.name]:
                raise FaceletError(
                    f"recipe {name!r} cannot be used: {step.name} has {counts[step.name]} seeds, and {need!r}, which it "
                    f"needs, has {counts[need]}"
                )


def only(recipe: Recipe, names: Sequence[str]) -> Recipe:
    """The recipe with the steps ``names`` alone, and those that they need or are compared with.

    Raises FaceletError for unknown ones, and when only controls are left.
    """
    steps = {step.name: step for step, _ in recipe.all_steps()}
    waiting, wanted = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in steps:
            raise unknown("step in --only", name, steps)
        if name not in wanted:
            wanted.add(name)
            one = steps[name]
            waiting += [*one.needs(), *one.needs_faces(), *([one.against] if one.against else [])]
    kept = {room: [one for one in getattr(recipe, room) if one.name in wanted] for room in ("steps", "controls")}
    if not kept["steps"]:
        raise FaceletError(f"--only {','.join(names)}: these are controls, name a step that they control for, too")
    return recipe.model_copy(update=kept)


def dump(recipe: Recipe) -> str:
    """The recipe as YAML, resolved, with every setting: reading it back gives the same recipe without its profiles."""
    value = recipe.model_dump(mode="json", exclude={"steps", "controls", "profiles"}, exclude_none=True)
    for room in ("steps", "controls"):
        steps = getattr(recipe, room)
        value[room] = [step.model_dump(mode="json", by_alias=True, exclude_none=True) for step in steps]
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)


def _step(value: Any, where: str, problems: list[str]) -> Step | None:
    if not isinstance(value, dict) or "do" not in value or "as" not in value:
        problems.append(f"{where}: a step needs `do:` (what) and `as:` (the name of the model it makes)")
        return None
    name = value["as"]
    if (
        not isinstance(name, str)
        or not name.replace("-", "").replace("_", "").replace(".", "").isalnum()
        or name[0] in ".-"
    ):
        problems.append(f"{where}: {name!r} cannot name a model; use letters, digits, '-', '_' and '.'")
        return None
    try:
        kind = STEPS[str(value["do"])]
    except FaceletError as error:
        problems.append(f"{where}: {error}")
        return None
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        problems += _explain(error, kind, f"{where}.")
        return None


def _explain(error: ValidationError, model: type[BaseModel], where: str) -> list[str]:
    """Pydantic's findings in our words, with the nearest key for an unknown one."""
    lines = []
    for found in error.errors():
        place = where + ".".join(map(str, found["loc"]))
        if found["type"] == "extra_forbidden":
            keys = [field.alias or name for name, field in model.model_fields.items()]
            lines.append(f"{place}: {unknown('key', str(found['loc'][-1]), keys)}")
        elif found["type"] == "missing":
            lines.append(f"{place}: is needed and missing")
        else:
            got = repr(found["input"])
            lines.append(
                f"{place.rstrip('.')}: {found['msg'].removeprefix('Value error, ')}"
                + (f" (got {got})" if len(got) < 60 else "")
            )
    return lines
