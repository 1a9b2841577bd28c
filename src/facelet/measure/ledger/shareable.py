"""Removes the machine's folders from commands and recipes, for cards and reports that are shared.

>>> shareable_command("facelet run tsnet --faces folder:/home/ada/clinic/faces.zip?size=48")
'facelet run tsnet --faces folder:faces.zip?size=48'

Absolute paths are shortened to their last part. The files of the run keep full paths, which are needed to resume it.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml

_PATH = re.compile(
    r"(?P<before>(?:[\w.-]+=)?(?:\w[\w-]+:)?)"  # --out=, key=, folder:
    r"(?:~|[A-Za-z]:)?[\\/](?!/)"
    r"(?:.*[\\/])?(?P<name>[^\\/]*[^\\/\s])[\\/]?",
    re.DOTALL,
)


def shareable_command(command: str) -> str:
    """Returns a shell command with absolute paths shortened; "" for an invalid command."""
    try:
        return shlex.join(_shortened(word) for word in shlex.split(command))
    except ValueError:
        return ""


def shareable_recipe(text: str) -> str:
    """Returns a recipe's YAML with absolute paths shortened."""
    return yaml.safe_dump(_walked(yaml.safe_load(text)), sort_keys=False, allow_unicode=True, width=120) if text else ""


def _walked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _walked(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_walked(below) for below in value]
    return _shortened(value) if isinstance(value, str) else value


def _shortened(text: str) -> str:
    """Shortens an absolute path in a word or value, and in each option of a source (after ``?`` and ``&``)."""
    parts = re.split(r"([?&])", text)
    matches = [_PATH.fullmatch(part) for part in parts]
    return "".join(
        match["before"] + match["name"] if match else part for match, part in zip(matches, parts, strict=True)
    )
