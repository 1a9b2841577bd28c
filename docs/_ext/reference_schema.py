"""JSON Schema of recipe files, with which editors complete keys and mark mistakes."""

from __future__ import annotations

from typing import Any

import facelet.learn
import facelet.shrink  # noqa: F401  (both register their steps)
from facelet.recipes.schema import Recipe
from facelet.step import STEPS

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The one that the YAML extensions of editors know."""


def recipe_schema() -> dict[str, Any]:
    """Of a whole recipe: a step's keys follow from its ``do``."""
    schema = Recipe.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    for name in STEPS:
        step = STEPS[name].model_json_schema(by_alias=True)
        definitions |= step.pop("$defs", {})
        step["properties"]["do"] = {"const": name, "description": step["properties"]["do"]["description"]}
        definitions[f"step-{name}"] = step
    definitions["step"] = {
        "type": "object",
        "required": ["do", "as"],
        "properties": {"do": {"enum": list(STEPS)}},
        "allOf": [
            {
                "if": {"properties": {"do": {"const": name}}, "required": ["do"]},
                "then": {"$ref": f"#/definitions/step-{name}"},
            }
            for name in STEPS
        ],
    }
    for room in ("steps", "controls"):
        schema["properties"][room]["items"] = {"$ref": "#/definitions/step"}
    return {"$schema": DIALECT, **_moved(schema), "definitions": _moved(definitions)}


def _moved(value: Any) -> Any:
    """References to where draft 7 keeps its definitions."""
    if isinstance(value, dict):
        return {key: _moved(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_moved(part) for part in value]
    return value.replace("#/$defs/", "#/definitions/") if isinstance(value, str) else value
