"""Recipe text: parsing of YAML to a mapping, and ``--set`` overrides with dotted keys.

>>> raw = mapping(text, "mine.yaml")
>>> override(raw, "steps.student.epochs", 10, keys=("title", "faces", "steps"))

YAML tags and aliases are not allowed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import yaml

from facelet.errors import FaceletError, unknown
from facelet.io.yaml_limits import beyond_limits

INSTEAD = {
    "minutes": ("epochs", "steps"),
    "epochs": ("minutes",),
    "steps": ("minutes",),
    "answers": ("from",),
    "from": ("answers",),
    "checkpoint": ("net", "net_options"),
}
"""Keys of a step that are removed when a key is set, because they exclude each other."""


class Loader(yaml.SafeLoader):
    """Safe loader that rejects duplicate keys."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"duplicate key {key!r} in a mapping (line {node.start_mark.line + 1})")
        return super().construct_mapping(node, deep)


def override(raw: dict[str, Any], key: str, value: Any, keys: Collection[str]) -> None:
    """Sets a dotted key: ``faces.size``, ``steps.teacher.epochs`` (steps and controls by their ``as``), ``seeds``.

    ``epochs`` or ``steps`` and ``minutes`` replace each other, since a step accepts only one of them; so do ``from`` and
    ``answers``. ``keys``: valid keys of a recipe.
    """
    place: Any = raw
    parts = key.split(".")
    for depth, part in enumerate(parts[:-1]):
        if isinstance(place, list):
            named = {str(step.get("as")): step for step in place if isinstance(step, dict)}
            if part not in named:
                raise unknown(f"step in --set {key}", part, named)
            place = named[part]
        elif isinstance(place, dict):
            if depth == 0 and part not in keys:
                raise unknown(f"key in --set {key}", part, keys)
            place = place.setdefault(part, {})
        else:
            raise FaceletError(f"--set {key}: {'.'.join(parts[:depth])} has no keys")
    if not isinstance(place, dict):
        raise FaceletError(f"--set {key}: give a step and one of its keys, such as steps.teacher.epochs=10")
    for other in INSTEAD.get(parts[-1], ()):
        place.pop(other, None)
    place[parts[-1]] = value


def mapping(text: str, name: str) -> dict[str, Any]:
    """Parses the YAML ``text`` of the recipe ``name``. Raises FaceletError for invalid YAML, aliases, or no mapping."""
    try:
        if trouble := beyond_limits(text):
            raise FaceletError(f"recipe {name!r} {trouble}, which is not supported: write the values out")
        raw = yaml.load(text, Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: 2024-13-01
        raise FaceletError(f"recipe {name!r} is not YAML: {str(error)[:300]}") from None
    if not isinstance(raw, dict):
        raise FaceletError(f"recipe {name!r} should be a mapping with title, faces and steps")
    return raw


def scalar(text: str) -> Any:
    """Parses the value of a setting as YAML. Raises FaceletError for invalid YAML."""
    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, RecursionError, ValueError):
        raise FaceletError(f"--set value {text!r} is not YAML") from None
