"""Schema of recipes: faces, steps, controls. Validation reports all mistakes at once, with the nearest valid key.

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
    """Source of the faces. Further keys are options of the source, validated when it is read."""

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
    """How models crop faces from photos; default margin: that of the training faces."""

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
    """Content of a recipe file, after profiles and ``--set`` were applied."""

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
        """Returns steps, then controls, each with a flag whether it is a control."""
        return [(step, False) for step in self.steps] + [(step, True) for step in self.controls]

    def seeds_of(self, step: Step) -> int:
        """Returns the number of seeds of ``step``: its own, or the recipe's by default."""
        return step.seeds or self.seeds

    def rounds(self) -> list[list[tuple[Step, bool]]]:
        """Returns ``all_steps`` for every seed, without steps that have fewer seeds."""
        steps = self.all_steps()
        count = max(self.seeds_of(step) for step, _ in steps)
        return [[(step, control) for step, control in steps if seed < self.seeds_of(step)] for seed in range(count)]


def load(name: str, *, profile: str = "", settings: list[str] | tuple[str, ...] = ()) -> Recipe:
    """Loads the recipe ``name``, applies a profile and then ``KEY=VALUE`` settings, and validates every step."""
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
    """Validates a mapping and returns the Recipe. Raises one FaceletError that lists all mistakes."""
    problems: list[str] = []
    recipe = None
    try:
        recipe = Recipe.model_validate(raw)
    except ValidationError as error:
        problems += _explain(error, Recipe, "")
    seen: dict[str, str] = {}
    made: dict[str, str] = {}
    parsed: dict[str, list[Step]] = {"steps": [], "controls": []}
    for section, valid in parsed.items():
        values = raw.get(section)
        for number, value in enumerate(values if isinstance(values, list) else []):
            where = f"{section}.{value['as']}" if isinstance(value, dict) and "as" in value else f"{section}[{number}]"
            step = _step(value, where, problems)
            if step is None:  # its name counts as defined, so that one mistake gives one message
                if isinstance(value, dict):
                    seen.setdefault(str(value.get("as")), where)
                continue
            valid.append(step)
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
                problems.append(f"{where}: {seen[step.name]} already makes a model of that name")
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
    """Raises FaceletError for a step with more seeds than a model that it needs."""
    counts = {step.name: recipe.seeds_of(step) for step, _ in recipe.all_steps()}
    for step, _ in recipe.all_steps():
        for need in (*step.needs(), *step.needs_faces()):
            if counts[need] < counts[step.name]:
                raise FaceletError(
                    f"recipe {name!r} cannot be used: {step.name} has {counts[step.name]} seeds, and {need!r}, which it "
                    f"needs, has {counts[need]}"
                )


def only(recipe: Recipe, names: Sequence[str]) -> Recipe:
    """Returns the recipe with only the steps ``names``, their dependencies and the models they are compared with.

    Raises FaceletError for unknown names, and when only controls remain.
    """
    steps = {step.name: step for step, _ in recipe.all_steps()}
    waiting, wanted = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in steps:
            raise unknown("step in --only", name, steps)
        if name not in wanted:
            wanted.add(name)
            step = steps[name]
            waiting += [*step.needs(), *step.needs_faces(), *([step.against] if step.against else [])]
    kept = {
        section: [step for step in getattr(recipe, section) if step.name in wanted] for section in ("steps", "controls")
    }
    if not kept["steps"]:
        raise FaceletError(f"--only {','.join(names)}: these are controls; also give a step that they control for")
    return recipe.model_copy(update=kept)


def dump(recipe: Recipe) -> str:
    """Returns the resolved recipe as YAML with every setting; loading it gives the same recipe without profiles."""
    value = recipe.model_dump(mode="json", exclude={"steps", "controls", "profiles"}, exclude_none=True)
    for section in ("steps", "controls"):
        steps = getattr(recipe, section)
        value[section] = [step.model_dump(mode="json", by_alias=True, exclude_none=True) for step in steps]
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)


def _step(value: Any, where: str, problems: list[str]) -> Step | None:
    if not isinstance(value, dict) or "do" not in value or "as" not in value:
        problems.append(f"{where}: a step needs `do:` (the kind of step) and `as:` (the name of the resulting model)")
        return None
    name = value["as"]
    if (
        not isinstance(name, str)
        or not name.replace("-", "").replace("_", "").replace(".", "").isalnum()
        or name[0] in ".-"
    ):
        problems.append(f"{where}: {name!r} is not a valid model name; use letters, digits, '-', '_' and '.'")
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
    """Returns pydantic's errors as messages, with the nearest valid key for an unknown one."""
    lines = []
    for problem in error.errors():
        place = where + ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            keys = [field.alias or name for name, field in model.model_fields.items()]
            lines.append(f"{place}: {unknown('key', str(problem['loc'][-1]), keys)}")
        elif problem["type"] == "missing":
            lines.append(f"{place}: required key is missing")
        else:
            got = repr(problem["input"])
            lines.append(
                f"{place.rstrip('.')}: {problem['msg'].removeprefix('Value error, ')}"
                + (f" (got {got})" if len(got) < 60 else "")
            )
    return lines
