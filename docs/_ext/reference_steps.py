"""The steps of recipes and the keys of a recipe file, from their pydantic fields."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from reference_markdown import default_text, prose, table, type_text

import facelet.learn
import facelet.shrink  # noqa: F401  (both register their steps)
from facelet.learn.steps.taught_step import TaughtStep
from facelet.learn.steps.training_options import TrainingOptions
from facelet.recipes.schema import CropChoice, FacesChoice, Recipe
from facelet.shrink.pruning.budgeted_step import Budgeted
from facelet.step import STEPS, Step

SHARED: tuple[tuple[type[Step], str, str], ...] = (
    (Step, "Keys of all steps", "Every step takes these."),
    (TrainingOptions, "Training keys", "Steps that train a net take these, too."),
    (TaughtStep, "Teacher keys", "Steps that learn from a teacher take these, too."),
    (Budgeted, "Budget keys", "Steps that prune to a budget take these, too."),
)


def anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def keys(fields: Iterable[tuple[str, FieldInfo]]) -> str:
    """A table of fields: key, type, default and description."""
    return table(
        ("key", "type", "default", "description"),
        (
            (
                f"`{field.alias or name}`",
                type_text(field.annotation),
                "required" if field.is_required() else default_text(field.get_default(call_default_factory=True)),
                field.description or "",
            )
            for name, field in fields
        ),
    )


def examples(text: str) -> str:
    """Examples in Python as the lines that a recipe has."""

    def lines(found: re.Match[str]) -> str:
        calls = re.findall(r"model_validate\((\{.*?\})\)$", found[1].replace("\n...", "\n"), re.MULTILINE | re.DOTALL)
        dumped = (
            yaml.safe_dump(ast.literal_eval(call), default_flow_style=True, sort_keys=False, width=1000)
            for call in calls
        )
        return "```yaml\n" + "".join(f"- {line}" for line in dumped) + "```"

    return re.sub(r"```pycon\n(.*?)\n```", lines, text, flags=re.DOTALL)


def own(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """Fields that ``model`` adds to its bases, or changes."""
    inherited = {name: field for base in model.__bases__ for name, field in getattr(base, "model_fields", {}).items()}
    return [
        (name, field)
        for name, field in model.model_fields.items()
        if name not in inherited or repr(field) != repr(inherited[name])
    ]


def markdown() -> str:
    """Every step with its keys, then the keys that several steps share."""
    parts = []
    for name in STEPS:
        step = STEPS[name]
        bases = [heading for base, heading, _ in SHARED if issubclass(step, base)]
        links = ", ".join(f"[{heading.lower()}](#{anchor(heading)})" for heading in bases)
        fields = own(step)
        parts.append(
            f"## `{name}`\n\n{examples(prose(importlib.import_module(step.__module__).__doc__))}\n\n"
            + (f"{keys(fields)}\n" if fields else "")
            + f"Also: {links}.\n"
        )
    for base, heading, text in SHARED:
        parts.append(f"## {heading}\n\n{text}\n\n{keys(own(base))}")
    return "\n".join(parts)


def recipe_markdown() -> str:
    """The keys of a recipe file."""
    return "\n".join(
        [
            keys(Recipe.model_fields.items()),
            "### Keys of `faces`\n\nKeys beyond these are options of the source.\n",
            keys(FacesChoice.model_fields.items()),
            "### Keys of `crop`\n",
            keys(CropChoice.model_fields.items()),
        ]
    )
